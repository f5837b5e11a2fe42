"""Table of conversations in the ShareGPT layout: one row an answer."""

from __future__ import annotations

from rc_pipeline.corpora.sharegpt import read_rows
from rc_pipeline.tables.conversations import conversation_format

FORMAT = conversation_format(read_rows)
