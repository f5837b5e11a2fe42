"""ShareGPT: conversations as {conversations: [{from: human|gpt|system, value}]}."""

from __future__ import annotations

from collections.abc import Iterator

from rc_pipeline.corpora.conversations import ASSISTANT, SYSTEM, TOOL, USER, Layout, read_conversations
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row

# Collections were exported from several services, which left their names.
_SIDES = {
    **dict.fromkeys(("human", "user"), USER),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model"), ASSISTANT),
    "system": SYSTEM,
    **dict.fromkeys(("function_call", "tool_call", "observation", "function", "tool"), TOOL),
}
_LAYOUT = Layout(turns="conversations", role="from", text="value", sides=_SIDES)


def read_rows(file: RawFile) -> Iterator[Row | BadRow]:
    """Yield a row for every answer of a file's conversations."""
    return read_conversations(file, _LAYOUT)
