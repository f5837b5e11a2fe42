"""The passages themselves: the chosen slices, cut out of the documents and written a block at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from rc_pipeline.passages.evidence import Evidence
from rc_pipeline.passages.questions import BLOCK, Split
from rc_pipeline.passages.selection import Chosen, Library, Picks
from rc_pipeline.passages.spill import TextSpill
from rc_pipeline.passages.units import estimate_tokens

WINDOW = pl.Struct({"evidence_id": pl.String, "start": pl.Int64, "end": pl.Int64, "score": pl.Float32})
DOCUMENT = {"document": pl.String}
SCHEMA: dict[str, Any] = {
    "row_id": pl.String,
    "passage": pl.String,
    "tokens": pl.Int64,
    "documents": pl.Int64,
    "windows": pl.List(WINDOW),
    "holds_answer": pl.Boolean,
    "group": pl.String,
}


def slices(picks: Picks) -> Picks:
    """Return chosen windows with neighbours made one; between them stands what stood there."""
    apart = np.ones(len(picks), np.bool_)
    apart[1:] = picks["start"][1:] != picks["end"][:-1]
    for name in ("question", "rank"):
        apart[1:] |= picks[name][1:] != picks[name][:-1]
    merged = picks[apart]
    merged["end"] = picks["end"][np.append(apart[1:], True)[: len(picks)]]
    return merged


def passage_of(texts: Iterable[str]) -> str:
    """Return slices of documents as one text, a blank line between them."""
    return "\n\n".join(stripped for text in texts if (stripped := text.strip()))


def cut_out(evidence: Evidence, library: Library, picks: Picks, spill: TextSpill, sampled: Picks) -> dict[str, str]:
    """Put the slices into the spill, and return the whole texts of the documents of sampled picks."""
    wanted = slices(picks)
    document = library.documents(wanted["question"], wanted["rank"])
    order = np.argsort(document, kind="stable")
    wanted, document = wanted[order], document[order]
    first = np.searchsorted(document, np.arange(len(library.ids) + 1))
    keeping = set(library.documents(sampled["question"], sampled["rank"]).tolist())
    kept: dict[str, str] = {}
    for number, text in evidence.texts(np.diff(first) > 0):
        if number in keeping:
            kept[library.ids[number]] = text
        for question, rank, start, end, _ in wanted[first[number] : first[number + 1]].tolist():
            spill.add(question, rank, start, text[start:end])
    spill.flush()
    return kept


def write_split(split: Split, chosen: Chosen, library: Library, spill: TextSpill, path: Path) -> None:
    """Write the passages of a split in the order of its questions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = SCHEMA if split.documents is None else SCHEMA | DOCUMENT
    schema = pl.DataFrame(schema=columns).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in split.blocks:
            frame = _frame(split, chosen, library, block, spill.take(block))
            if frame.height:
                frame = frame.select(*columns).cast(pl.Schema(columns))
                writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _frame(split: Split, chosen: Chosen, library: Library, block: int, texts: pl.DataFrame) -> pl.DataFrame:
    begin, end = np.searchsorted(chosen.picks["question"], (block * BLOCK, (block + 1) * BLOCK))
    picks = chosen.picks[begin:end]
    documents = library.documents(picks["question"], picks["rank"])
    windows = pl.DataFrame(
        {name: picks[name] for name in ("question", "rank", "start", "end", "score")}
        | {"evidence_id": library.ids.gather(documents)}
    )
    listed = windows.group_by("question", maintain_order=True).agg(
        documents=pl.col("rank").n_unique().cast(pl.Int64),
        windows=pl.struct("evidence_id", "start", "end", "score"),
    )
    joined = texts.group_by("question", maintain_order=True).agg("text")
    passages = [passage_of(found) for found in joined["text"]]
    numbers = joined["question"].to_list()
    places = [number - split.first for number in numbers]
    said = pl.DataFrame(
        {
            "question": numbers,
            "row_id": split.row_ids.gather(places),
            "document": None if split.documents is None else split.documents.gather(places),
            "passage": passages,
            "tokens": estimate_tokens(passages),
            "holds_answer": [chosen.holds_answer[number] for number in numbers],
            "group": [chosen.groups[number] for number in numbers],
        },
        schema_overrides={"question": pl.Int64, "passage": pl.String, "tokens": pl.Int64}
        | {"holds_answer": pl.Boolean, "group": pl.String},
    )
    return said.join(listed, on="question", how="left", maintain_order="left")
