from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import polars as pl
import pytest

from rc_pipeline.corpora.sources import raw_files, write_raw
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.hashing import content_hash
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.passages import searching, spill
from rc_pipeline.passages.build import build_passages
from rc_pipeline.passages.errors import PassagesError
from rc_pipeline.passages.units import estimate_tokens
from rc_pipeline.scoring.trivia import normalise
from rc_pipeline.tables.build import build_tables
from tests.passages.small_world import World

Passed = Callable[[Outcome], bool]
DEV, TRAIN = "wikipedia-dev", "wikipedia-train"
FILLER = "Nothing of note is told here at all. "
NEEDLE = "The lighthouse of Porthaven was built by Ada Merrin in spring. "


def test_tables_without_the_splits_are_an_error(tmp_path: Path, world: World) -> None:
    with pytest.raises(PassagesError, match=f"none of {DEV}; build the tables again"):
        build_passages(
            dataset="t", tables=tmp_path, splits=[DEV], train_splits=[], tokens=64, window_tokens=16,
            out=tmp_path / "out", scratch=tmp_path / "scratch",
        )  # fmt: skip


def test_a_page_whose_evidence_was_lost_stops_the_build(world: World) -> None:
    world.ask(DEV, "Who?", {"kept": "Some text.", "lost": "Other text."}, ["x"])
    del world.documents["lost"]
    with pytest.raises(PassagesError, match=r"evidence_id: lost: .* \(1 such in all\); build the tables again"):
        world.build()


def test_rows_without_a_passage_carry_their_reason(world: World, passed: Passed) -> None:
    without = {
        world.ask(DEV, "Who?", {}, ["x"]): "no_evidence",
        world.ask(DEV, "Who?", {"blank": " \n ", "signs": ""}, ["x"]): "no_evidence",
        world.ask(TRAIN, "Who?", {}, ["x"]): "no_evidence",
        world.ask(TRAIN, "Who?", {"far": "The cabinet sat."}, ["cab", "The"]): "no_alias_in_evidence",
        world.ask("verified-wikipedia-dev", "Who?", {"far": "The cabinet sat."}, ["x"], verified=False): "not_verified",
        world.ask("verified-wikipedia-dev", "Who?", {"far": "The cabinet sat."}, ["x"]): "not_verified",
    }
    outcome = world.build(train=[TRAIN])
    assert world.dropped() == without
    assert passed(outcome)
    assert (outcome.metadata["dropped: no_evidence"], outcome.metadata["dropped"]) == (3, 6)


def test_questions_none_of_which_cites_a_document_are_all_dropped(world: World, passed: Passed) -> None:
    row_id = world.ask(DEV, "Who?", {}, ["x"])
    world.documents["uncited"] = "Some text."
    assert passed(world.build())
    assert world.dropped() == {row_id: "no_evidence"}
    assert world.recall(DEV, "whole_documents") == {None: 0.0}


def test_of_the_verified_web_only_verified_pages_count(world: World) -> None:
    for split in ("verified-web-dev", "verified-wikipedia-dev"):
        pages = {"good": "One page.", "search bad": "Another page."}
        world.ask(split, "What?", pages, ["page"], verified=True, unverified_pages=["search bad"])
    world.build()
    assert world.rows("verified-web-dev")[0]["passage"] == "One page."
    assert world.rows("verified-wikipedia-dev")[0]["passage"] == "One page.\n\nAnother page."


def test_documents_that_fit_are_the_passage_entity_pages_first(world: World, passed: Passed) -> None:
    first, second = "A title\n\nIt has  two  paragraphs.\n", "Another page."
    world.ask(DEV, "What?", {"search a": second, "entity b": first}, ["two paragraphs"])
    outcome = world.build()
    row = world.rows(DEV)[0]
    assert row["passage"] == "A title\n\nIt has  two  paragraphs.\n\nAnother page."
    assert (row["documents"], row["holds_answer"]) == (2, True)
    assert row["tokens"] == estimate_tokens([row["passage"]])[0]
    assert passed(outcome)


def test_an_answer_deep_in_a_long_document_is_found_where_the_first_words_miss_it(world: World, passed: Passed) -> None:
    documents = {"short": FILLER * 3, "long": FILLER * 600 + NEEDLE + FILLER * 200}
    world.ask(DEV, "Who built the lighthouse of Porthaven?", documents, ["Ada Merrin"])
    outcome = world.build(window_tokens=16)
    row = world.rows(DEV)[0]
    assert NEEDLE.strip() in row["passage"]
    assert row["holds_answer"]
    window = max(row["windows"], key=lambda window: window["score"])
    assert documents["long"][window["start"] : window["end"]] == NEEDLE
    assert world.recall(DEV, "bm25")[64] == 1.0
    assert set(world.recall(DEV, "first_words").values()) == {0.0}
    assert world.recall(DEV, "whole_documents") == {None: 1.0}
    assert passed(outcome)


def test_chosen_windows_stand_in_the_order_of_the_documents(world: World) -> None:
    text = f"{FILLER}Porthaven has a lighthouse, built of stone. {FILLER * 3}{NEEDLE}{FILLER}"
    world.ask(DEV, "Who built the lighthouse of Porthaven?", {"a": text}, ["Merrin"])
    world.build(tokens=28, window_tokens=16)
    assert world.rows(DEV)[0]["passage"] == f"Porthaven has a lighthouse, built of stone.\n\n{NEEDLE.strip()}"


def test_to_train_only_windows_that_hold_an_answer_count(world: World, passed: Passed) -> None:
    text = f"Porthaven has a lighthouse. It is built of stone.\n\n{FILLER * 30}\n\nADA_MERRIN drew it; then she left.\n"
    for split in (TRAIN, DEV):
        world.ask(split, "Who built Porthaven's lighthouse?", {"a": text, "b": FILLER}, ["the Ada Merrin", "Ada M."])
    outcome = world.build(tokens=24, window_tokens=12, train=[TRAIN])
    train, dev = world.rows(TRAIN)[0], world.rows(DEV)[0]
    assert train["passage"] == "ADA_MERRIN drew it; then she left."
    assert (train["holds_answer"], dev["holds_answer"]) == (True, False)
    assert dev["passage"].startswith("Porthaven has a lighthouse.")
    assert train["group"] != dev["group"]
    assert passed(outcome)


def test_chinese_is_ranked_and_matched_without_spaces(world: World, passed: Passed) -> None:
    filler = "这里没有什么重要的内容可以看。"
    text = f"{filler * 40}张衡在东汉时期发明了地动仪。{filler * 40}"
    row_id = world.ask(DEV, "谁发明了地动仪？", {"a": text}, ["张衡"])
    world.ask(TRAIN, "谁发明了地动仪？", {"a": text}, ["张衡"])
    outcome = world.build(tokens=30, window_tokens=16, train=[TRAIN])
    row = world.rows(DEV)[0]
    assert (row["row_id"], row["holds_answer"]) == (row_id, True)
    assert world.rows(TRAIN)[0]["passage"] == "张衡在东汉时期发明了地动仪。"
    assert world.recall(DEV, "first_words")[30] == 0.0
    assert passed(outcome)


def test_no_answers_means_unknown_and_no_recall(world: World) -> None:
    world.ask("wikipedia-test", "Who?", {"a": "Some text."})
    outcome = world.build()
    assert world.rows("wikipedia-test")[0]["holds_answer"] is None
    assert pl.read_parquet(world.folder / "out" / "recall.parquet").is_empty()
    assert "recall" not in outcome.metadata


def test_a_document_longer_than_a_part_keeps_its_places(
    world: World, passed: Passed, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join([FILLER * 3] * 20) + f"\n{NEEDLE}" + "y" * 3000
    world.ask(DEV, "Who built the lighthouse of Porthaven?", {"a": text, "b": FILLER}, ["Ada Merrin"])
    monkeypatch.setattr(searching, "PART_CHARACTERS", 500)
    outcome = world.build(window_tokens=16)
    row = world.rows(DEV)[0]
    assert NEEDLE.strip() in row["passage"]
    assert all(window["evidence_id"] != "a" or window["end"] <= len(text) for window in row["windows"])
    assert passed(outcome)


def sample_tables(folder: Path) -> Path:
    sample = {"seed": 5, "train": 60, "valid": 20, "test": 10}
    write_raw(source={"sample": sample}, fmt="trivia_qa", files={}, out=folder / "raw", scratch=folder / "scratch")
    raw = raw_files(folder / "raw")
    build_tables(dataset="s", fmt="trivia_qa", raw=raw, tolerated=0.0, out=folder / "tables")
    return folder / "tables"


def build_sample(tables: Path, out: Path, tokens: int) -> Outcome:
    splits = sorted(path.stem for path in (tables / "questions").glob("*.parquet"))
    return build_passages(
        dataset="s", tables=tables, splits=splits, train_splits=[TRAIN], tokens=tokens, window_tokens=16, out=out,
        scratch=out / "scratch",
    )  # fmt: skip


def test_the_sample_world_keeps_whole_documents_and_holds_every_answer(tmp_path: Path, passed: Passed) -> None:
    tables = sample_tables(tmp_path)
    outcome = build_sample(tables, tmp_path / "out", 512)
    assert passed(outcome)
    texts = {row["evidence_id"]: row["text"] for row in pl.read_parquet(tables / "evidence" / "*.parquet").to_dicts()}
    aliases = pl.read_parquet(tables / "answers" / f"{DEV}.parquet").group_by("row_id").agg("alias")
    told = dict(aliases.iter_rows())
    for row in pl.read_parquet(tmp_path / "out" / f"{DEV}.parquet").to_dicts():
        named = dict.fromkeys(window["evidence_id"] for window in row["windows"])
        assert row["passage"] == "\n\n".join(texts[name].strip() for name in named)
        assert row["holds_answer"]
        assert any(f" {normalise(alias)} " in f" {normalise(row['passage'])} " for alias in told[row["row_id"]])
    assert outcome.tables["passage_recall"] == ["recall.parquet"]
    assert outcome.tables["s_passages"] == [
        f"{split}.parquet" for split in sorted(p.stem for p in (tables / "questions").iterdir())
    ]
    assert (tmp_path / "out" / "_recall.png").read_bytes()[:4] == b"\x89PNG"


def test_holding_an_answer_is_what_the_official_comparison_finds(world: World, passed: Passed) -> None:
    random = Random(7)
    words = [
        "the",
        "Ada",
        "ada",
        "U.S.",
        "Ivo-Ann",
        "a",
        "Mara's",
        "x_y",
        "St.",
        "river",
        "1997",
        "(old)",
        "Zoë",
        "ZOË",
    ]

    def some(count: int) -> str:
        return " ".join(random.choice(words) for _ in range(count))

    told = {}
    for _ in range(150):
        documents = {f"d{len(world.documents)}": some(random.randrange(60)) for _ in range(1)}
        documents |= {f"search {len(world.documents)}": some(random.randrange(60))}
        answers = [some(random.randint(1, 3)) for _ in range(2)]
        told[world.ask(DEV, some(6), documents, answers)] = answers
    assert passed(world.build(tokens=24, window_tokens=9))
    found = set()
    for row in world.rows(DEV):
        wanted = [f" {normalise(answer)} " for answer in told[row["row_id"]] if normalise(answer)]
        slices = [f" {normalise(part)} " for part in row["passage"].split("\n\n")]
        assert row["holds_answer"] == any(answer in part for part in slices for answer in wanted)
        found.add(row["holds_answer"])
    assert found == {True, False}


def test_the_same_inputs_give_the_same_bytes_whatever_the_batches_and_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = sample_tables(tmp_path)
    build_sample(tables, tmp_path / "a", 24)
    monkeypatch.setattr(searching, "BATCH_CHARACTERS", 50)
    monkeypatch.setattr(spill, "CHARACTERS_IN_MEMORY", 100)
    build_sample(tables, tmp_path / "b", 24)
    code = (
        "import sys; from pathlib import Path; from tests.passages.test_build import build_sample;"
        "build_sample(Path(sys.argv[1]), Path(sys.argv[2]), 24)"
    )
    for threads in ("1", "3"):
        subprocess.run(
            [sys.executable, "-c", code, tables, tmp_path / threads], check=True, cwd=PROJECT,
            env={**os.environ, "POLARS_MAX_THREADS": threads},
        )  # fmt: skip
    names = sorted(path.name for path in (tmp_path / "a").glob("*.*"))
    assert {"_recall.png", "recall.parquet", "dropped.parquet", f"{DEV}.parquet"} <= set(names)
    for other in ("b", "1", "3"):
        for name in names:
            assert (tmp_path / other / name).read_bytes() == (tmp_path / "a" / name).read_bytes(), (other, name)
    assert content_hash(tmp_path / "a" / f"{DEV}.parquet") == content_hash(tmp_path / "b" / f"{DEV}.parquet")
