"""Small validated tables, written as the tables stage writes them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.lake.frames import write_parquet

CONTEXT = "Mara walked to the harbour . The boats were late , and she bought bread instead ."


def cosmos_rows(split: str, count: int, *, known: bool = True) -> pl.DataFrame:
    """Return rows of a Cosmos QA table; every third shares its context with the one before."""
    return pl.DataFrame(
        [
            {
                "row_id": f"cosmos/{split}/{n}",
                "split": split,
                "id": f"id{n}",
                "context": f"{CONTEXT} ({split} {n - (n % 3 == 2)})",
                "question": f"What did she buy on day {n} ?",
                **{f"answer{option}": f"thing {option} of {n}" for option in range(4)},
                "label": n % 4 if known else None,
                "group": f"{split}{n - (n % 3 == 2)}",
                "gold_answers": [f"thing {n % 4} of {n}"] if known else [],
                "source_file": f"{split}.csv",
                "source_line": n + 2,
            }
            for n in range(count)
        ],
        schema_overrides={"label": pl.Int8, "gold_answers": pl.List(pl.String)},
    )


@pytest.fixture
def cosmos(tmp_path: Path) -> Path:
    """Tables of 60 rows to train with, 10 to validate with and 5 without labels."""
    tables = tmp_path / "cosmos"
    write_parquet(cosmos_rows("train", 60), tables / "train.parquet")
    write_parquet(cosmos_rows("valid", 10), tables / "valid.parquet")
    write_parquet(cosmos_rows("test", 5, known=False), tables / "test.parquet")
    return tables


QUESTIONS = {
    "q0": ("Lisbon", ["Lisbon", "Lisboa"], "Lisbon is a city on the Tagus.\n\nIt is the capital of Portugal."),
    "q1": ("Abraham Lincoln", ["Lincoln, Abraham", "Abraham Lincoln"], "The U.S. President Abraham Lincoln."),
    "q2": ("bon", ["bon", "The"], "A page about cooking."),
    "q3": ("x", ["x"], None),
}


def write_trivia(tables: Path, passages: Path, split: str, *, known: bool = True) -> None:
    """Write one split of TriviaQA tables and the passages chosen for it."""
    questions, answers, chosen, dropped = [], [], [], []
    for key, (answer, aliases, passage) in QUESTIONS.items():
        row_id = f"trivia/{split}/{key}"
        questions.append(
            {"row_id": row_id, "split": split, "id": key, "question": f"Which, {key}?"}
            | {"answer": answer if known else None, "answer_type": "WikipediaEntity" if known else None}
        )
        for alias in aliases if known else []:
            answers.append({"row_id": row_id, "alias": alias, "normalised": False, "human": False})
            answers.append({"row_id": row_id, "alias": alias.lower(), "normalised": True, "human": False})
        if passage is None:
            dropped.append({"row_id": row_id, "split": split, "reason": "no_evidence"})
        else:
            chosen.append({"row_id": row_id, "group": f"{key}{split}", "passage": passage})
    if known:
        answers.append({"row_id": f"trivia/{split}/q0", "alias": "Olisipo", "normalised": False, "human": True})
    schema = {"row_id": pl.String, "alias": pl.String, "normalised": pl.Boolean, "human": pl.Boolean}
    texts = {"answer": pl.String, "answer_type": pl.String}
    write_parquet(pl.DataFrame(questions, schema_overrides=texts), tables / "questions" / f"{split}.parquet")
    write_parquet(pl.DataFrame(answers, schema=schema), tables / "answers" / f"{split}.parquet")
    write_parquet(pl.DataFrame(chosen), passages / f"{split}.parquet")
    before = passages / "dropped.parquet"
    frames = [pl.read_parquet(before)] if before.is_file() else []
    write_parquet(pl.concat([*frames, pl.DataFrame(dropped)]), before)


@pytest.fixture
def trivia(tmp_path: Path) -> tuple[Path, Path]:
    """Tables and passages of three wikipedia splits; the test split has no answers."""
    tables, passages = tmp_path / "trivia", tmp_path / "passages"
    for split in ("wikipedia-train", "wikipedia-dev", "wikipedia-test"):
        write_trivia(tables, passages, split, known=split != "wikipedia-test")
    return tables, passages
