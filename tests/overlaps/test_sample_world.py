"""Real tables of the sample world, whose splits share no name, and of TriviaQA's layout."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.catalog.formats import FACTS
from rc_pipeline.corpora.sample_world import write_cosmos, write_trivia
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.overlaps.build import Dataset, build_overlaps
from rc_pipeline.passages.build import build_passages
from rc_pipeline.tables.build import build_tables


def dataset(folder: Path, fmt: str, train: str, passages: Path | None = None) -> Dataset:
    return Dataset(fmt, fmt, FACTS[fmt].columns, [train], {}, 0, folder, passages)


@pytest.fixture(scope="module")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cosmos")
    raw = {path.name: path for path in write_cosmos(folder / "raw", seed=1, train=900, valid=300, test=50)}
    build_tables(dataset="cosmos_qa", fmt="cosmos_qa", raw=raw, tolerated=0, out=folder / "tables")
    return folder / "tables"


@pytest.fixture(scope="module")
def trivia(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("trivia")
    raw = {path.name: path for path in write_trivia(folder / "raw", seed=1, train=600, dev=200, test=20)}
    build_tables(dataset="trivia_qa", fmt="trivia_qa", raw=raw, tolerated=0, out=folder / "tables")
    build_passages(
        dataset="trivia_qa", tables=folder / "tables", splits=["wikipedia-train", "wikipedia-dev"],
        train_splits=["wikipedia-train"], tokens=256, window_tokens=64, out=folder / "passages", scratch=folder,
    )  # fmt: skip
    return folder / "tables", folder / "passages"


def test_stories_of_other_people_share_nothing(cosmos: Path, tmp_path: Path) -> None:
    side = dataset(cosmos, "cosmos_qa", "train")
    outcome = build_overlaps(taught=side, asked=side, split="valid", out=tmp_path)
    assert [check.passed for check in outcome.checks] == [True, True]
    assert pl.read_parquet(tmp_path / "overlaps.parquet").is_empty()
    assert (outcome.metadata["evaluation rows"], outcome.metadata["training rows"]) == (300, 900)


def test_trivia_about_other_people_shares_nothing(trivia: tuple[Path, Path], tmp_path: Path) -> None:
    side = dataset(trivia[0], "trivia_qa", "wikipedia-train", trivia[1])
    outcome = build_overlaps(taught=side, asked=side, split="wikipedia-dev", out=tmp_path)
    assert [check.passed for check in outcome.checks] == [True, True]


def test_a_story_in_both_splits_is_found_for_each_of_its_questions(cosmos: Path, tmp_path: Path) -> None:
    train = pl.read_parquet(cosmos / "train.parquet")
    story = train["context"][0]
    moved = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit(story)).otherwise("context")
    leaky = pl.read_parquet(cosmos / "valid.parquet").with_columns(context=moved)
    write_parquet(train, tmp_path / "tables" / "train.parquet")
    write_parquet(leaky, tmp_path / "tables" / "valid.parquet")
    side = dataset(tmp_path / "tables", "cosmos_qa", "train")
    build_overlaps(taught=side, asked=side, split="valid", out=tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "overlaps.parquet")
    assert found.filter(kind="same_passage").select("row_id", "train_row_id", "part", "similarity").rows() == [
        (leaky["row_id"][row], train["row_id"][0], "passage", 1.0) for row in range(3)
    ]


def test_a_dataset_is_compared_with_another_format(cosmos: Path, trivia: tuple[Path, Path], tmp_path: Path) -> None:
    passages = pl.read_parquet(trivia[1] / "wikipedia-train.parquet")["passage"]
    rows = pl.read_parquet(cosmos / "valid.parquet")
    write_parquet(rows.with_columns(context=pl.lit(passages[5])).head(1), tmp_path / "tables" / "valid.parquet")
    taught = dataset(trivia[0], "trivia_qa", "wikipedia-train", trivia[1])
    asked = dataset(tmp_path / "tables", "cosmos_qa", "train")
    outcome = build_overlaps(taught=taught, asked=asked, split="valid", out=tmp_path / "out")
    assert outcome.checks[0].passed
    assert "same_passage" in pl.read_parquet(tmp_path / "out" / "overlaps.parquet")["kind"].to_list()
