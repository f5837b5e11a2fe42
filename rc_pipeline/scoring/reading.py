"""What was asked and what was answered, row by row, and then one row for each key that counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.scoring.errors import ScoringError, some

if TYPE_CHECKING:
    import polars as pl

PREDICTED = ("run", "eval_set", "instruction_id", "answer", "choice", "finished", "problem")
INSTRUCTED = ("instruction_id", "row_id", "template", "choices", "gold_label", "gold_answers", "order")


def optional_columns() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns that not every file of predictions, and of instructions, has: null where it has none."""
    import polars as pl

    ways = {f"choice_{way}": pl.Int64 for way in ("letter", "likelihood", "written")}
    return (
        {"answer_logprob": pl.Float64, "gold_logprob": pl.Float64, "gold_tokens": pl.Int64, **ways},
        {
            "output": pl.String, "group": pl.String, "question": pl.String, "passage_words": pl.Int32,
            "answer_keys": pl.List(pl.String),
        },
    )  # fmt: skip


def read(path: Path, needed: tuple[str, ...], optional: dict[str, Any], what: str) -> pl.DataFrame:
    """Return a file's rows, each of which has an id of its own, in the file's order."""
    import polars as pl

    try:
        there = pl.read_parquet_schema(path)
        frame = pl.read_parquet(path, columns=[name for name in (*needed, *optional) if name in there])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ScoringError(f"{path.name}: {what} cannot be read as Parquet ({error}); build them again") from error
    missing = [column for column in needed if column not in there]
    if missing:
        raise ScoringError(
            f"{path.name}: {what} lack the columns {', '.join(missing)} (there are: {', '.join(there)}); "
            "build them again with this version"
        )
    repeated = frame.filter(pl.col("instruction_id").is_duplicated())["instruction_id"].unique().sort().to_list()
    if repeated:
        raise ScoringError(
            f"{path.name}: {len(repeated)} instruction_id occur more than once ({some(repeated)}); "
            "each question counts once, so build them again"
        )
    _require_numbers(frame, path)
    _require_keys(frame, path)
    return frame.with_columns(
        pl.col(name).cast(kind) if name in there else pl.lit(None, kind).alias(name) for name, kind in optional.items()
    )


def _require_numbers(frame: pl.DataFrame, path: Path) -> None:
    """Refuse a log-probability that is none: added up, it would come out as the best there can be."""
    import polars as pl

    for name in frame.columns:
        if name.endswith("_logprob"):
            odd = frame.filter(~pl.col(name).cast(pl.Float64).is_finite())["instruction_id"].to_list()
            if odd:
                raise ScoringError(
                    f"{path.name}: {name} of {len(odd)} predictions is no finite number ({some(odd)}); "
                    "predict again, with weights that are whole"
                )


def _require_keys(frame: pl.DataFrame, path: Path) -> None:
    """Refuse a list of keys without a key: the question would be asked and counted nowhere."""
    import polars as pl

    if "answer_keys" in frame.columns:
        odd = pl.col("answer_keys").list.drop_nulls().list.len() == 0
        keyless = frame.filter(odd)["instruction_id"].sort().to_list()
        if keyless:
            raise ScoringError(
                f"{path.name}: answer_keys of {len(keyless)} instructions is a list without a key ({some(keyless)}); "
                "name the keys that each answers for, or leave it null for its own row_id"
            )


def counted(asked: pl.DataFrame, limit: int | None, path: Path) -> pl.DataFrame:
    """Return the rows of the `limit` questions that come first in the seeded order, in the order of the file."""
    import polars as pl

    if limit is not None and limit < 1:
        raise ScoringError(f"limit: {limit} questions cannot be scored; name a number of at least 1, or all")
    if asked.is_empty():
        raise ScoringError(f"{path.name}: no instruction to score; an evaluation set needs at least one question")
    if limit is None:
        return asked
    first = asked.select("order", "row_id").unique().sort("order", "row_id").head(limit)
    return asked.filter(pl.col("row_id").is_in(first["row_id"].implode()))


def answered(asked: pl.DataFrame, predicted: pl.DataFrame) -> pl.DataFrame:
    """Return what was asked with what was said to it; `predicted` tells whether anything was."""
    import polars as pl

    said = predicted.drop("run", "eval_set").with_columns(
        pl.col("answer").cast(pl.String), pl.col("choice").cast(pl.Int64), pl.col("problem").cast(pl.String),
        predicted=True,
    )  # fmt: skip
    nothing = pl.lit([], dtype=pl.List(pl.String))
    together = asked.join(said, on="instruction_id", how="left", maintain_order="left")
    return together.with_columns(
        pl.col("predicted").fill_null(value=False), pl.col("choices", "gold_answers").fill_null(nothing)
    )


def by_key(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each key that a row answers for, in the order in which the keys come.

    A key that several rows answer for, one a document, gets the answer that the model found most likely.
    """
    import polars as pl

    own = pl.when(pl.col("answer_keys").is_null()).then(pl.concat_list("row_id")).otherwise("answer_keys")
    each = rows.with_columns(key=own).explode("key").drop_nulls("key").with_row_index("at")
    if not each["key"].is_duplicated().any():
        return each.drop("at")
    silent = pl.col("answer").fill_null("").str.strip_chars() == ""
    by = [silent, -pl.col("answer_logprob"), pl.col("order"), pl.col("instruction_id")]
    best = each.sort(by, nulls_last=True).unique("key", keep="first")
    places = each.group_by("key").agg(pl.col("at").min())
    return best.drop("at").join(places, on="key").sort("at").drop("at")
