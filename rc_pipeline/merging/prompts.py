"""Whether the published chat template writes the prompt that the run learnt with, id by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.outcome import Check
from rc_pipeline.merging.chat_text import chat_texts, messages_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

    from rc_pipeline.prompting.dialogue import Form

Row = Mapping[str, Any]
MADE_UP: tuple[dict[str, Any], ...] = (
    {"instruction": "Who lives in Rome?"},
    {"instruction": " 谁住在罗马？ ", "input": "安娜住在罗马。\n\n本住在奥斯陆。"},
    {"instruction": "Who lives in Rome?", "input": "  Anna lives in Rome.", "system": "Be brief."},
    {"instruction": "And in Oslo?", "history": [["Who lives in Rome?", "Anna"]]},
    {"instruction": "再见", "system": "简短回答。", "history": [["你好", "你好！"], ["Who?", " Anna"]]},
)


def fitting_chat_text(form: Form, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Row]) -> str:
    """Return the Jinja text that writes a prompt template's ids; the likeliest one where none does."""
    texts = chat_texts(form, tokenizer)
    return next((text for text in texts if not _different(tokenizer, text, form, tokenizer, rows)), texts[0])


def prompt_check(folder: Path, form: Form, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Row]) -> Check:
    """Compare what plain transformers makes of a published folder's chat template with the run's own ids."""
    from transformers import AutoTokenizer

    plain = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    different = _different(plain, plain.chat_template, form, tokenizer, rows)
    return Check(
        "chat_template_writes_the_prompt",
        passed=not different,
        description="apply_chat_template of plain transformers gives the ids that the run learnt with: for rows it was "
        "asked, with a system text and with earlier turns where the prompt has a place for them.",
        metadata={"first_difference": different[0]} if different else {},
    )


def _different(
    plain: PreTrainedTokenizerBase, text: str, form: Form, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Row]
) -> list[str]:
    from rc_pipeline.prompting.dialogue import read_dialogue, row_name

    found = []
    for row, ids in _expected(form, tokenizer, rows):
        messages = messages_of(read_dialogue(row), form)
        made = plain.apply_chat_template(messages, chat_template=text, add_generation_prompt=True, return_dict=False)
        if list(made) != ids:
            found.append(row_name(row))
    return found


def _expected(form: Form, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Row]) -> Iterator[tuple[Row, list[int]]]:
    """Yield the rows that the template has a place for, and their ids."""
    from rc_pipeline.prompting.dialogue import RowRefused
    from rc_pipeline.prompting.encoding import encode
    from rc_pipeline.prompting.tokens import special_texts

    # The name of a special token is text in a row of ours, and the token itself in a message to anybody else.
    special = special_texts(tokenizer)
    bare = [{name: row.get(name) for name in ("instruction", "input", "system", "history")} for row in rows]
    for row in (*MADE_UP, *(row for row in bare if not any(token in str(row) for token in special))):
        try:
            yield row, list(encode(row, tokenizer, form, max_tokens=1 << 30, with_answer=False).ids)
        except RowRefused:
            continue
