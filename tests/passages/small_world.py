"""Small tables in the layout of TriviaQA, and passages chosen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.passages.build import build_passages


@dataclass
class World:
    """Tables that a test fills, and what is built of them."""

    folder: Path
    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    told: dict[str, list[tuple[str, str, bool, bool]]] = field(default_factory=dict)
    cited: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)

    def ask(
        self, split: str, question: str, documents: Mapping[str, str], answers: Sequence[str] = (), **columns: Any
    ) -> str:
        """Add a question whose documents, {name: text}, are search results if their name says so."""
        row_id = f"t/{split}/{len(self.asked.setdefault(split, []))}"
        self.asked[split].append({"row_id": row_id, "question": question, "verified": columns.get("verified")})
        self.told.setdefault(split, []).extend((row_id, answer, False, False) for answer in answers)
        pages = [
            {
                "row_id": row_id,
                "position": position,
                "kind": "search" if "search" in name else "entity",
                "evidence_id": name,
                "verified": name not in columns.get("unverified_pages", ()),
            }
            for position, name in enumerate(documents)
        ]
        self.cited.setdefault(split, []).extend(pages)
        self.documents |= documents
        return row_id

    def write(self) -> Path:
        """Write the tables."""
        tables = self.folder / "tables"
        page = {"row_id": pl.String, "position": pl.Int32, "kind": pl.String, "evidence_id": pl.String}
        answer = {"row_id": pl.String, "alias": pl.String, "normalised": pl.Boolean, "human": pl.Boolean}
        question = {"row_id": pl.String, "question": pl.String, "verified": pl.Boolean}
        for split, asked in self.asked.items():
            for part, rows, schema in (
                ("questions", asked, question),
                ("answers", self.told[split], answer),
                ("pages", self.cited[split][::-1], page | {"verified": pl.Boolean}),
            ):
                write_parquet(pl.DataFrame(rows, schema=schema, orient="row"), tables / part / f"{split}.parquet")
        evidence = pl.DataFrame({"evidence_id": list(self.documents), "text": list(self.documents.values())})
        write_parquet(evidence, tables / "evidence" / "wikipedia.parquet")
        return tables

    def build(
        self,
        *,
        tokens: int = 40,
        window_tokens: int = 12,
        train: Sequence[str] = (),
        by_document: bool = False,
        out: str = "out",
    ) -> Outcome:
        """Choose the passages of all splits."""
        return build_passages(
            dataset="t",
            tables=self.write(),
            splits=list(self.asked),
            train_splits=list(train),
            by_document=by_document,
            tokens=tokens,
            window_tokens=window_tokens,
            out=self.folder / out,
            scratch=self.folder / "scratch",
        )

    def rows(self, split: str, out: str = "out") -> list[dict[str, Any]]:
        """Return the passages of a split."""
        return pl.read_parquet(self.folder / out / f"{split}.parquet").to_dicts()

    def dropped(self) -> dict[str, str]:
        """Return the reasons of the rows left out."""
        frame = pl.read_parquet(self.folder / "out" / "dropped.parquet")
        return dict(frame.select("row_id", "reason").iter_rows())

    def recall(self, split: str, method: str) -> dict[int | None, float]:
        """Return the recall of a method by budget."""
        frame = pl.read_parquet(self.folder / "out" / "recall.parquet").filter(split=split, method=method)
        return dict(frame.select("budget_tokens", "recall").iter_rows())
