"""The first reading: every document once, searched for all questions that cite it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from rc_pipeline.passages.evidence import Evidence
from rc_pipeline.passages.matching import Pairs, Searcher, expanded
from rc_pipeline.passages.questions import Questions
from rc_pipeline.passages.spill import RowSpill

# So much text at a time keeps the arrays made of it in the processor's cache.
BATCH_CHARACTERS = 200_000
# Longer documents are searched in parts, so that none fills the memory.
PART_CHARACTERS = 1_000_000

Part = tuple[int, int, str]


def search(questions: Questions, evidence: Evidence, searcher: Searcher, spill: RowSpill) -> None:
    """Spill what the windows of each document hold for each question."""
    first = np.searchsorted(questions.document, np.arange(len(questions.documents) + 1))
    counts = np.diff(first)
    for batch in _batches(_parts(evidence.texts(counts > 0))):
        documents = np.array([document for document, _, _ in batch])
        offsets = np.array([offset for _, offset, _ in batch])
        text, pair = expanded(first[documents], counts[documents])
        pairs = Pairs(text, questions.question[pair], questions.rank[pair])
        for rows in searcher.rows([piece for _, _, piece in batch], pairs, offsets):
            spill.add(rows)


def _parts(texts: Iterable[tuple[int, str]]) -> Iterator[Part]:
    """Yield documents in parts, each with the place where it begins; they end at a line where there is one."""
    for document, text in texts:
        begin = 0
        while len(text) - begin > PART_CHARACTERS:
            end = text.rfind("\n", begin, begin + PART_CHARACTERS) + 1 or begin + PART_CHARACTERS
            yield document, begin, text[begin:end]
            begin = end
        yield document, begin, text[begin:]


def _batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    batch: list[Part] = []
    waiting = 0
    for part in parts:
        batch.append(part)
        waiting += len(part[2])
        if waiting >= BATCH_CHARACTERS:
            yield batch
            batch, waiting = [], 0
    if batch:
        yield batch
