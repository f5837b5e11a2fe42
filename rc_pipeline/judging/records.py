"""Judgements on disk: one Parquet file a judge or sheet under judgements/, with the content that was judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.judging.items import Contents
from rc_pipeline.judging.verdicts import Verdict
from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.durable import write_atomically

if TYPE_CHECKING:
    import polars as pl

FOLDER = "judgements"
MODEL, PERSON = "model", "person"
TEXT = (
    "judgement", "kind", "judged_by", "judge", "prompt", "eval_set", "key", "instruction_id", "cluster",
    "run_a", "run_b", "answer_a", "answer_b", "outcome", "favours", "reply", "reply_swapped",
    "predictions_a", "predictions_b", "instructions",
)  # fmt: skip


@dataclass(frozen=True)
class Author:
    """Who judged, how, and of what: together they name the file, and a later one takes an earlier one's place."""

    kind: str
    by: str
    judge: str
    prompt: str | None
    seed: int
    contents: Contents

    @property
    def name(self) -> str:
        """The file's name."""
        of = self.contents
        return sha256_json([self.kind, self.by, self.judge, self.prompt, self.seed, of.eval_set, of.runs])[:16]

    def rows(self, verdicts: Sequence[Verdict], judge: str | None = None) -> list[dict[str, Any]]:
        """Return the rows that say what was found, and of which content."""
        of, now = self.contents, datetime.now(UTC)
        about = {
            "judgement": self.name, "kind": self.kind, "judged_by": self.by, "judge": judge or self.judge,
            "prompt": self.prompt, "seed": self.seed, "eval_set": of.eval_set, "judged_at": now,
            "instructions": of.instructions,
        }  # fmt: skip
        for side, (run, content) in zip("ab", of.predictions.items(), strict=False):
            about |= {f"run_{side}": run, f"predictions_{side}": content}
        return [about | _found(verdict) for verdict in verdicts]


def _found(verdict: Verdict) -> dict[str, Any]:
    item = verdict.item
    answers = {f"answer_{side}": answer for side, answer in zip("ab", item.answers, strict=False)}
    return answers | {
        "key": item.key, "instruction_id": item.instruction_id, "cluster": item.cluster, "outcome": verdict.outcome,
        "grade": verdict.grade, "favours": verdict.favours, "reply": verdict.reply,
        "reply_swapped": verdict.reply_swapped,
    }  # fmt: skip


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows as the table that is stored."""
    import polars as pl

    times = pl.Datetime("us", "UTC")
    schema: dict[str, Any] = dict.fromkeys(TEXT, pl.String) | {"grade": pl.Int8, "seed": pl.Int64, "judged_at": times}
    return pl.DataFrame(list(rows), schema=schema)


def write(frame: pl.DataFrame, name: str, lake: Path) -> Path:
    """Write judgements in place of those of the same name."""
    import io

    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    path = lake / FOLDER / f"{name}.parquet"
    write_atomically(path, buffer.getvalue())
    return path


def read_all(lake: Path) -> Iterator[pl.DataFrame]:
    """Yield every file of judgements."""
    import polars as pl

    for path in sorted((lake / FOLDER).glob("*.parquet")):
        try:
            frame = pl.read_parquet(path).select(as_frame([]).columns)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ValueError(f"{path}: no file of judgements ({error}); delete it, and judge again") from error
        if frame.height:
            yield frame


def is_fresh(today: Contents) -> pl.Expr:
    """Tell of each row whether the answers that were judged are those that stand."""
    import polars as pl

    fresh = pl.col("instructions") == today.instructions
    for side, content in zip("ab", today.predictions.values(), strict=False):
        fresh &= pl.col(f"predictions_{side}") == content
    return fresh
