"""Passages: for every question the windows of its documents that fit a token budget.

The documents are read twice in the order in which they lie. The first time, the windows of each are
counted for the questions that cite it, and the counts wait on disk; then every question's windows are
ranked together. The second time, the chosen slices are cut out.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.passages.checks import accounted_for, fit_the_budget, slices_of_documents
from rc_pipeline.passages.evidence import Evidence
from rc_pipeline.passages.matching import Searcher
from rc_pipeline.passages.picture import draw_recall
from rc_pipeline.passages.questions import BLOCK, Split, read_questions
from rc_pipeline.passages.recall import BUDGETS, Recall, recall_table
from rc_pipeline.passages.searching import search
from rc_pipeline.passages.selection import Chosen, Library, Selector, sample
from rc_pipeline.passages.spill import RowSpill, TextSpill
from rc_pipeline.passages.writing import cut_out, write_split

DROPPED = {"row_id": pl.String, "document": pl.String, "split": pl.String, "reason": pl.String}
# What is behind the name of a split that is asked so.
BY_DOCUMENT = ".by_document"
# A picture says nothing that recall.parquet does not say; by its name it is no part of the content hash.
PICTURE = "_recall.png"


def build_passages(  # noqa: PLR0913 - the interface that the asset calls
    *,
    dataset: str,
    tables: Path,
    splits: list[str],
    train_splits: list[str],
    tokens: int,
    window_tokens: int,
    out: Path,
    scratch: Path,
    by_document: bool = False,
) -> Outcome:
    """Write the passages of every split present, the rows left out, and what budgets cost in answers.

    By document, a question has a passage for each of its documents, as if it had no other.
    """
    waiting = scratch / "passages"
    shutil.rmtree(waiting, ignore_errors=True)  # what a build that was ended left there
    questions = read_questions(tables, splits, train_splits, by_document=by_document)
    present, library = questions.splits, Library(questions)
    evidence = Evidence(tables / "evidence", questions.documents)
    window_tokens, budgets = min(window_tokens, tokens), np.unique([*BUDGETS, tokens])
    blocks = present[-1].blocks.stop
    with RowSpill(waiting / "rows", blocks) as rows:
        search(questions, evidence, Searcher(questions.phrases, blocks * BLOCK, window_tokens), rows)
    way = BY_DOCUMENT if by_document else ""
    recalls = [Recall(dataset, split.name + way, budgets, int(split.answered.sum())) for split in present]
    selector = Selector(library, budgets, tokens, window_tokens)
    chosen = [selector.split(split, rows, recall) for split, recall in zip(present, recalls, strict=True)]
    picks = np.concatenate([one.picks for one in chosen])
    looked_at = sample(chosen)
    texts = TextSpill(waiting / "texts")
    kept = cut_out(evidence, library, picks, texts, picks[np.isin(picks["question"], looked_at)])
    for split, one in zip(present, chosen, strict=True):
        write_split(split, one, library, texts, out / f"{split.name}.parquet")
    recall = pl.concat([one.frame() for one in recalls])
    write_parquet(recall, out / "recall.parquet")
    dropped = _dropped(present, chosen)
    write_parquet(dropped if by_document else dropped.drop("document"), out / "dropped.parquet")
    names = [split.name for split in present]
    view = f"{dataset}_document_passages" if by_document else f"{dataset}_passages"
    return Outcome(
        metadata=_metadata(out, names, recall, tokens),
        checks=(
            accounted_for(tables, out, present),
            fit_the_budget(out, names, tokens),
            slices_of_documents(out, present, looked_at, kept),
        ),
        tables={view: [f"{name}.parquet" for name in names], "passage_recall": ["recall.parquet"]},
    )


def _dropped(splits: list[Split], chosen: list[Chosen]) -> pl.DataFrame:
    rows = [
        (row_id, document, split.name, reason)
        for split, one in zip(splits, chosen, strict=True)
        for row_id, document, reason in one.dropped
    ]
    return pl.DataFrame(rows, schema=DROPPED, orient="row")


def _metadata(out: Path, splits: list[str], recall: pl.DataFrame, tokens: int) -> dict[str, JSON]:
    dropped = Counter(pl.read_parquet(out / "dropped.parquet")["reason"])
    rows = {name: pl.read_parquet(out / f"{name}.parquet", columns=["row_id"]).height for name in splits}
    shown: dict[str, JSON] = {f"rows: {name}": count for name, count in rows.items()}
    shown |= {f"dropped: {reason}": count for reason, count in sorted(dropped.items())}
    shown |= {"dropped": dropped.total(), "tokens": tokens}
    if recall.height:
        draw_recall(recall, tokens, out / PICTURE)
        shown |= {"answers in the passages": {"markdown": recall_table(recall)}, "recall": {"image": PICTURE}}
    first = next((name for name, count in rows.items() if count), splits[0])
    return shown | {"preview": preview(pl.read_parquet(out / f"{first}.parquet", n_rows=5).drop("windows"))}
