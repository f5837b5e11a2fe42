"""OpenAI chat: conversations as {messages: [{role: system|user|assistant, content}]}."""

from __future__ import annotations

from collections.abc import Iterator

from rc_pipeline.corpora.conversations import ASSISTANT, SYSTEM, TOOL, USER, Layout, read_conversations
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import BadRow, Row

_SIDES = {"user": USER, "assistant": ASSISTANT, "system": SYSTEM, "developer": SYSTEM, "tool": TOOL, "function": TOOL}
_LAYOUT = Layout(turns="messages", role="role", text="content", sides=_SIDES)


def read_rows(file: RawFile) -> Iterator[Row | BadRow]:
    """Yield a row for every answer of a file's conversations."""
    return read_conversations(file, _LAYOUT)
