"""Verdicts on the tables of TriviaQA, from the written files, whatever their size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from rc_pipeline.corpora.trivia_qa import DOMAINS, VERIFIED_SPLITS
from rc_pipeline.lake.outcome import JSON, Check
from rc_pipeline.tables.trivia_pages import PAGES, WITHOUT


def foreign_keys_hold(out: Path, splits: list[str]) -> Check:
    """Tell whether every answer and page has its question, and every page that names a document has it."""
    evidence = pl.concat(pl.scan_parquet(out / "evidence" / f"{domain}.parquet") for domain in DOMAINS)
    documents = evidence.select("evidence_id")
    orphans = {"answers without question": 0, "pages without question": 0}
    cited = []
    for split in splits:
        questions = pl.scan_parquet(out / "questions" / f"{split}.parquet").select("row_id")
        for part in ("answers", "pages"):
            rows = pl.scan_parquet(out / part / f"{split}.parquet")
            orphans[f"{part} without question"] += _orphans(rows, questions, "row_id")
            if part == "pages":
                cited.append(rows.select("evidence_id").drop_nulls())
    orphans["pages without document"] = _orphans(pl.concat(cited), documents, "evidence_id")
    return Check(
        "foreign_keys_hold",
        passed=not any(orphans.values()),
        description="Answers and pages belong to a question, and the documents that pages name are there.",
        metadata={**orphans},
    )


def _orphans(rows: pl.LazyFrame, keys: pl.LazyFrame, key: str) -> int:
    found = rows.select(key).join(keys, on=key, how="anti").select(pl.len())
    return int(found.collect(engine="streaming").item())


def every_cited_document_is_there(looked_up: Mapping[str, int]) -> Check:
    """Tell how many pages have no document."""
    missing = {name: count for name, count in looked_up.items() if name.startswith(WITHOUT)}
    total, pages = sum(missing.values()), looked_up.get(PAGES, 0)
    return Check(
        "every_cited_document_is_there",
        passed=not total,
        blocking=False,
        description=f"{total} of {pages} cited documents cannot be used or are not in the archive; "
        "their pages have no text.",
        metadata={"missing": total, "pages": pages, **missing},
    )


def splits_share_no_question(out: Path, splits: list[str]) -> Check:
    """Tell whether a question stands in two splits of a domain; the verified splits are drawn from others."""
    shared: dict[str, JSON] = {}
    for domain in DOMAINS:
        paths = [out / "questions" / f"{s}.parquet" for s in splits if domain in s and s not in VERIFIED_SPLITS]
        if paths:
            seen = pl.concat(pl.scan_parquet(path).select("split", "question") for path in paths)
            in_several = seen.group_by("question").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1)
            shared[domain] = in_several.select(pl.len()).collect(engine="streaming").item()
    return Check(
        "splits_share_no_question",
        passed=not any(shared.values()),
        blocking=False,
        description="No question stands in two splits of a domain.",
        metadata=shared,
    )
