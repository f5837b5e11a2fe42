"""Small validated tables, written as the tables stage writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
                "source_file": f"{split}.csv",
                "source_line": n + 2,
            }
            for n in range(count)
        ],
        schema_overrides={"label": pl.Int8},
    )


@pytest.fixture
def cosmos(tmp_path: Path) -> Path:
    """Tables of 60 rows to train with, 10 to validate with and 5 without labels."""
    tables = tmp_path / "cosmos"
    write_parquet(cosmos_rows("train", 60), tables / "train.parquet")
    write_parquet(cosmos_rows("valid", 10), tables / "valid.parquet")
    write_parquet(cosmos_rows("test", 5, known=False), tables / "test.parquet")
    return tables


PAGES = {
    "w0": "Lisbon is a city on the Tagus.\n\nIt is the capital of Portugal, and old.",
    "w1": "A page about cooking with no answer at all.",
    "w2": "The U.S. President Abraham Lincoln was born in Kentucky. " + "More words follow here. " * 40,
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "q0": {"answer": "Lisbon", "aliases": ["Lisbon", "Lisboa"], "pages": ["w1", "w0"]},
    "q1": {"answer": "Abraham Lincoln", "aliases": ["Lincoln, Abraham", "Abraham Lincoln"], "pages": ["w2", "w0"]},
    "q2": {"answer": "bon", "aliases": ["bon", "The"], "pages": ["w0"]},
    "q3": {"answer": "x", "aliases": ["x"], "pages": []},
    "q4": {"answer": "y", "aliases": ["y"], "pages": [None]},
}


def write_trivia(tables: Path, split: str, *, known: bool = True) -> None:
    """Write one split of TriviaQA tables, the rows shuffled where their order must not matter."""
    questions, answers, pages = [], [], []
    for key, question in QUESTIONS.items():
        row_id = f"trivia/{split}/{key}"
        questions.append(
            {"row_id": row_id, "split": split, "id": key, "question": f"Which, {key}?"}
            | {"answer": question["answer"] if known else None, "answer_type": "WikipediaEntity" if known else None}
        )
        for alias in question["aliases"] if known else []:
            answers.append({"row_id": row_id, "alias": alias, "normalised": False, "human": False})
            answers.append({"row_id": row_id, "alias": alias.lower(), "normalised": True, "human": False})
        for position, page in enumerate(question["pages"]):
            pages.append(
                {"row_id": row_id, "position": position, "kind": "entity", "filename": f"{page}.txt"}
                | {"title": page or "gone", "evidence_id": page}
            )
    if known:
        answers.append({"row_id": "trivia/" + split + "/q0", "alias": "Olisipo", "normalised": False, "human": True})
    schema = {"row_id": pl.String, "alias": pl.String, "normalised": pl.Boolean, "human": pl.Boolean}
    write_parquet(
        pl.DataFrame(questions, schema_overrides={"answer": pl.String, "answer_type": pl.String}),
        tables / "questions" / f"{split}.parquet",
    )
    write_parquet(pl.DataFrame(answers, schema=schema), tables / "answers" / f"{split}.parquet")
    write_parquet(pl.DataFrame(pages[::-1]), tables / "pages" / f"{split}.parquet")


@pytest.fixture
def trivia(tmp_path: Path) -> Path:
    """Tables with three wikipedia splits; the test split has no answers."""
    tables = tmp_path / "trivia"
    for split in ("wikipedia-train", "wikipedia-dev", "wikipedia-test"):
        write_trivia(tables, split, known=split != "wikipedia-test")
    evidence = [
        {"evidence_id": key, "domain": "wikipedia", "filename": f"{key}.txt", "text": text, "words": len(text.split())}
        for key, text in PAGES.items()
    ]
    write_parquet(pl.DataFrame(evidence), tables / "evidence" / "wikipedia.parquet")
    return tables
