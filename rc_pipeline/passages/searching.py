"""The first reading: every document once, searched for all questions that cite it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rc_pipeline.passages.evidence import Evidence
from rc_pipeline.passages.matching import Pairs, Searcher, expanded
from rc_pipeline.passages.questions import Questions
from rc_pipeline.passages.spill import RowSpill

# Longer documents are searched in parts, so that none fills the memory.
PART_CHARACTERS = 1_000_000


def search(questions: Questions, evidence: Evidence, searcher: Searcher, spill: RowSpill) -> None:
    """Spill what the windows of each document hold for each question."""
    first = np.searchsorted(questions.document, np.arange(len(questions.documents) + 1))
    for documents, texts in evidence.batches(np.diff(first) > 0):
        parts = [(document, *part) for document, text in zip(documents, texts, strict=True) for part in _parts(text)]
        numbers = np.array([document for document, _, _ in parts])
        offsets = np.array([offset for _, offset, _ in parts])
        text, pair = expanded(first[numbers], np.diff(first)[numbers])
        pairs = Pairs(text, questions.question[pair], questions.rank[pair])
        for rows in searcher.rows([piece for _, _, piece in parts], pairs, offsets):
            # A text without words has one window with nothing in it.
            spill.add(rows[rows["tokens"] > 0])


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield a document in parts and where each begins; they end at a line where there is one."""
    begin = 0
    while len(text) - begin > PART_CHARACTERS:
        end = text.rfind("\n", begin, begin + PART_CHARACTERS) + 1 or begin + PART_CHARACTERS
        yield begin, text[begin:end]
        begin = end
    yield begin, text[begin:]
