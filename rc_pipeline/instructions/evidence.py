"""TriviaQA's questions with the passages that their evidence pages make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import polars as pl

from rc_pipeline.instructions.drawing import stable_hash
from rc_pipeline.instructions.errors import InstructionsError

NO_EVIDENCE = "no_evidence"
NO_ALIAS = "no_alias_in_evidence"
# Pages are long and many; this many are in memory at a time.
PAGES_AT_ONCE = 512

Trivia = tuple[pl.DataFrame, list[tuple[str, str]], dict[str, int]]

_SCHEMA: dict[str, Any] = {
    "row_id": pl.String,
    "group": pl.String,
    "id": pl.String,
    "question": pl.String,
    "passage": pl.String,
    "answer": pl.String,
    "aliases": pl.List(pl.String),
    "gold_answers": pl.List(pl.String),
}
_PUNCTUATION = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~‘’´]"""


def read_trivia(tables: Path, split: str, *, passage_words: int, training: bool) -> Trivia:
    """Return a split's rows, the rows left out as (row_id, reason), and figures about the passages.

    For training only pages that hold an answer count, matched as the official scorer compares:
    without case, punctuation and articles, and whole words only.
    """
    questions = pl.read_parquet(tables / "questions" / f"{split}.parquet")
    answers = _answers(pl.read_parquet(tables / "answers" / f"{split}.parquet"), questions)
    pages = _pages(pl.read_parquet(tables / "pages" / f"{split}.parquet"))
    wanted = answers.select("row_id", "comparable") if training else None
    heads = _page_heads(tables / "evidence", pages, wanted, passage_words)

    rows: list[dict[str, Any]] = []
    dropped: list[tuple[str, str]] = []
    pages_left_out = cut = 0
    for question in questions.join(answers, on="row_id", how="left", maintain_order="left").iter_rows(named=True):
        evidence = pages.get(question["row_id"], [])
        kept = [(page, heads[question["row_id"], page]) for page in evidence if (question["row_id"], page) in heads]
        pages_left_out += len(evidence) - len(kept)
        if not kept:
            dropped.append((question["row_id"], NO_ALIAS if evidence else NO_EVIDENCE))
            continue
        text = "\n\n".join(head for _, (head, _) in kept)
        passage = first_words(text, passage_words)
        cut += len(passage) < len(text) or any(was_cut for _, (_, was_cut) in kept)
        group = f"{stable_hash(0, *(page for page, _ in kept)):016x}"
        rows.append({"group": group, "passage": passage, **question})
    frame = pl.DataFrame([{name: row[name] for name in _SCHEMA} for row in rows], schema=_SCHEMA)
    figures = {"passages_cut": cut}
    if training:
        beyond = _answers_beyond_the_cut(frame, answers)
        figures |= {"pages_without_the_answer": pages_left_out, "answers_beyond_the_cut": beyond}
    return frame, dropped, figures


def _answers_beyond_the_cut(frame: pl.DataFrame, answers: pl.DataFrame) -> int:
    """Count the rows whose pages hold an answer and whose passages, cut to length, do not."""
    joined = frame.select("row_id", searched=_searched("passage")).join(answers, on="row_id")
    pairs = joined.select("searched", "comparable").iter_rows()
    return sum(not _holds(searched, spellings) for searched, spellings in pairs)


def _searched(column: str) -> pl.Expr:
    return " " + comparable(pl.col(column)) + " "


def _holds(searched: str, spellings: list[str]) -> bool:
    return any(f" {spelling} " in searched for spelling in spellings)


def first_words(text: str, words: int) -> str:
    """Return the text up to the end of its n-th word, the white space between words as it was."""
    if words < 1:
        return ""
    found = re.compile(rf"\s*(?:\S+\s+){{0,{words - 1}}}\S+").match(text)
    return found.group().strip() if found else ""


def comparable(text: pl.Expr) -> pl.Expr:
    """Return text as the official scorer compares it: lower case, no punctuation, no articles, single spaces."""
    plain = text.str.to_lowercase().str.replace_all(_PUNCTUATION, " ").str.replace_all(r"\b(?:a|an|the)\b", " ")
    return plain.str.replace_all(r"\s+", " ").str.strip_chars(" ")


def _answers(answers: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """Return, for each question, its aliases as written, its accepted answers, and all of them comparable."""
    spelled = answers.with_columns(comparable=comparable(pl.col("alias")))
    groups = spelled.group_by("row_id", maintain_order=True).agg(
        aliases=pl.col("alias").filter(~pl.col("normalised") & ~pl.col("human")).unique(maintain_order=True),
        gold_answers=pl.col("alias").filter(pl.col("normalised") | pl.col("human")).unique(maintain_order=True),
        comparable=pl.col("comparable").filter(pl.col("comparable") != "").unique(maintain_order=True),
    )
    nothing = pl.lit([], dtype=pl.List(pl.String))
    lists = ("aliases", "gold_answers", "comparable")
    every = questions.select("row_id").join(groups, on="row_id", how="left", maintain_order="left")
    return every.with_columns(pl.col(name).fill_null(nothing) for name in lists)


def _pages(pages: pl.DataFrame) -> dict[str, list[str]]:
    """Return the evidence of each question in order; entity pages come before search results."""
    there = pages.filter(pl.col("evidence_id").is_not_null()).sort("row_id", "kind", "position", maintain_order=True)
    grouped = there.group_by("row_id", maintain_order=True).agg(pl.col("evidence_id").unique(maintain_order=True))
    return dict(grouped.iter_rows())


def _page_heads(
    evidence: Path, pages: Mapping[str, list[str]], wanted: pl.DataFrame | None, words: int
) -> dict[tuple[str, str], tuple[str, bool]]:
    """Return {(row, page): (the page's first words, whether there were more)}.

    With `wanted`, pages that hold none of a row's answers are left out for that row.
    """
    readers: dict[str, list[str]] = {}
    for row_id, ids in pages.items():
        for page in ids:
            readers.setdefault(page, []).append(row_id)
    spellings = None if wanted is None else dict(wanted.iter_rows())
    heads: dict[tuple[str, str], tuple[str, bool]] = {}
    found: set[str] = set()
    for batch in _evidence_batches(evidence, set(readers)):
        searchable = pl.lit("") if spellings is None else _searched("text")
        for page, text, searched in batch.select("evidence_id", "text", searched=searchable).iter_rows():
            found.add(page)
            head = first_words(text, words)
            for row_id in readers[page]:
                if spellings is None or _holds(searched, spellings[row_id]):
                    heads[row_id, page] = (head, len(head) < len(text.strip()))
    missing = sorted(set(readers) - found)
    if missing:
        raise InstructionsError(
            f"{evidence}: evidence_id: {page}: a page names it and no evidence has it; build the tables again"
            for page in missing
        )
    return heads


def _evidence_batches(evidence: Path, wanted: set[str]) -> Iterator[pl.DataFrame]:
    import pyarrow.parquet as pq

    needed = pl.DataFrame({"evidence_id": sorted(wanted)}, schema={"evidence_id": pl.String})
    for path in sorted(evidence.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                # Ids are read first: a split of one domain needs nothing of the gigabytes of the other.
                ids = file.read_row_group(group, columns=["evidence_id"]).column(0).to_pylist()
                if wanted.isdisjoint(ids):
                    continue
                for batch in file.iter_batches(PAGES_AT_ONCE, row_groups=[group], columns=["evidence_id", "text"]):
                    yield cast("pl.DataFrame", pl.from_arrow(batch)).join(needed, on="evidence_id", how="semi")
