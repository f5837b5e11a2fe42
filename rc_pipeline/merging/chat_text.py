"""A prompt template as the Jinja text that other programs read: `chat_template` of a tokenizer.

Roles are system, user and assistant. A row's input goes apart: as `input` of its message, or of the last question as
the template's own variable `input`, since servers hand on no more of a message than its role and content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rc_pipeline.prompting.dialogue import Dialogue, Form, has_text
from rc_pipeline.prompting.template import Prompt, parse
from rc_pipeline.prompting.tokens import TextEncoder, front_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# A tokenizer that marks the first word with a space may not do so behind a token that stands in front.
GAPS = ("", " ")


def chat_texts(form: Form, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Return the Jinja texts that may write this prompt, likeliest first: only ids tell which one does."""
    if not isinstance(form, Prompt):
        return [str(form.to_dict()["chat_template"])]
    front = "".join(tokenizer.convert_ids_to_tokens(front_ids(tokenizer)))
    return [_jinja(form, front + gap, TextEncoder(tokenizer, form).end_text) for gap in (GAPS if front else GAPS[:1])]


def messages_of(dialogue: Dialogue, form: Form) -> list[dict[str, str]]:
    """Return a dialogue as messages for `apply_chat_template`; solved examples are said as earlier turns."""
    found = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
    for exchange in (*dialogue.shots, *dialogue.history):
        asked = _user(exchange.instruction, exchange.input, form)
        found += [asked, {"role": "assistant", "content": exchange.output}]
    return [*found, _user(dialogue.instruction, dialogue.input if dialogue.with_input else "", form)]


def _user(instruction: str, words: str, form: Form) -> dict[str, str]:
    if not has_text(words):
        return {"role": "user", "content": instruction}
    if isinstance(form, Prompt):
        return {"role": "user", "content": instruction, "input": words}
    return {"role": "user", "content": f"{instruction}\n\n{words}" if has_text(instruction) else words}


def _jinja(prompt: Prompt, front: str, end: str) -> str:
    """Write the template's rules as Jinja: one line, since white space between tags would be said too."""
    trim = "|trim" if prompt.strip else ""
    names = {
        "instruction": f"message['content']{trim}",
        "input": f"words{trim}",
        "round": "now.round",
        "system": "system",
        "prompt": "now.asked",
        "answer": "answer",
        "output": f"message['content']{trim}",
    }
    framed = _expression(prompt.system, names | {"system": f"now.system{trim}"})
    ended = f"now.said ~ now.asked ~ answer ~ {_quoted(end)}"
    if prompt.turn is None:
        # Such a prompt has no place for earlier turns: the last question stands alone.
        system, asked, said = _system(prompt), "", "''"
    else:
        two = "two user messages without an assistant message between them"
        asked = f"{{%- if now.asked -%}}{{{{ raise_exception({_quoted(two)}) }}}}{{%- endif -%}}"
        system, said = _system(prompt), f"now.said ~ {_expression(prompt.turn, names)}"
    return (
        f"{{%- set now = namespace(system={_quoted(prompt.default_system)}, round=1, asked='', said='') -%}}"
        "{%- for message in messages -%}"
        f"{{%- if message['role'] == 'system' -%}}{system}"
        f"{{%- elif message['role'] == 'user' -%}}{asked}"
        "{%- set words = message['input'] or (input if loop.last else '') or '' -%}"
        f"{{%- set system = ({framed}) if now.system else '' -%}}"
        f"{{%- set now.asked = ({_expression(prompt.prompt_input, names)}) if words|trim "
        f"else ({_expression(prompt.prompt_no_input, names)}) -%}}"
        + ("{%- set now.system = '' -%}" if prompt.turn is not None else "")
        + "{%- elif message['role'] == 'assistant' -%}"
        f"{{%- set answer = {_expression(prompt.answer, names)} -%}}"
        f"{{%- set now.said = ({ended}) if loop.last else ({said}) -%}}"
        "{%- set now.asked = '' -%}{%- set now.round = now.round + 1 -%}"
        "{%- else -%}{{ raise_exception('no place for the role ' ~ message['role']) }}{%- endif -%}"
        "{%- endfor -%}"
        f"{{{{- {_quoted(front)} ~ now.said ~ now.asked {f'~ {_quoted(end)} ' if prompt.ends_prompt else ''}-}}}}"
    )


def _system(prompt: Prompt) -> str:
    if any(field == "system" for _, field in parse(prompt.prompt_input)):
        return "{%- if message['content']|trim -%}{%- set now.system = message['content'] -%}{%- endif -%}"
    refused = _quoted(f"prompt {prompt.name} has no place for a system text")
    return f"{{%- if message['content']|trim -%}}{{{{ raise_exception({refused}) }}}}{{%- endif -%}}"


def _expression(text: str, names: Mapping[str, str]) -> str:
    parts: list[Any] = [_quoted(literal) if field is None else names[field] for literal, field in parse(text)]
    return " ~ ".join(parts) if parts else "''"


def _quoted(text: str) -> str:
    # Jinja's escapes are Python's, which are JSON's but for characters beyond \uffff: these stand as they are.
    return json.dumps(text, ensure_ascii=False)
