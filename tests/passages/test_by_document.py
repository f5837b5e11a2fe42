from __future__ import annotations

from collections.abc import Callable

import polars as pl

from rc_pipeline.instructions.probes import BY_DOCUMENT
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.passages import build
from tests.passages.small_world import World

Passed = Callable[[Outcome], bool]
DEV, VERIFIED = "web-dev", "verified-web-dev"
FILLER = "Nothing of note is told here at all. "
NEEDLE = "The lighthouse of Porthaven was built by Ada Merrin in spring. "


def test_a_document_that_has_no_word_is_dropped_and_its_neighbours_stay(world: World, passed: Passed) -> None:
    row_id = world.ask(DEV, "Who?", {"said": "Some text.", "search blank": " \n "}, ["x"])
    without = world.ask(DEV, "Who?", {}, ["x"])
    assert passed(world.build(by_document=True))
    assert [(row["row_id"], row["document"]) for row in world.rows(DEV)] == [(row_id, "said")]
    dropped = pl.read_parquet(world.folder / "out" / "dropped.parquet").select("row_id", "document", "reason")
    assert dropped.rows() == [(row_id, "search blank", "no_evidence"), (without, None, "no_evidence")]


def test_each_document_is_read_as_if_it_were_alone(world: World, passed: Passed) -> None:
    first = world.ask(DEV, "Who built the lighthouse?", {"search b": FILLER * 9 + NEEDLE, "a": FILLER * 9}, ["Merrin"])
    second = world.ask(DEV, "Who was Ada Merrin?", {"a": FILLER * 9}, ["no one"])
    outcome = world.build(tokens=20, by_document=True)
    assert passed(outcome)
    rows = world.rows(DEV)
    # Entity pages come first, as everywhere.
    assert [(row["row_id"], row["document"]) for row in rows] == [(first, "a"), (first, "search b"), (second, "a")]
    assert [row["holds_answer"] for row in rows] == [False, True, False]
    assert all({window["evidence_id"] for window in row["windows"]} == {row["document"]} for row in rows)
    assert rows[0]["group"] == rows[2]["group"] != rows[1]["group"]
    assert outcome.tables["t_document_passages"] == [f"{DEV}.parquet"]


def test_the_answers_are_counted_document_by_document(world: World) -> None:
    world.ask(DEV, "Who built the lighthouse?", {"a": NEEDLE, "b": FILLER, "c": NEEDLE}, ["Ada Merrin"])
    world.build(by_document=True)
    assert world.recall(f"{DEV}.{BY_DOCUMENT}", "bm25")[64] == 2 / 3
    assert f".{BY_DOCUMENT}" == build.BY_DOCUMENT


def test_of_the_verified_web_only_verified_pages_are_read(world: World, passed: Passed) -> None:
    pages = {"good": "One page.", "search bad": "Another page."}
    kept = world.ask(VERIFIED, "What?", pages, ["page"], verified=True, unverified_pages=["search bad"])
    world.ask(VERIFIED, "What?", pages, ["page"], verified=False)
    assert passed(world.build(by_document=True))
    assert [(row["row_id"], row["passage"]) for row in world.rows(VERIFIED)] == [(kept, "One page.")]


def test_a_question_with_one_document_is_shown_the_same_either_way(world: World) -> None:
    for number in range(40):
        text = FILLER * (number % 7) + NEEDLE + FILLER * 20
        world.ask(DEV, f"Who built the lighthouse number {number}?", {f"d{number}": text}, ["Ada Merrin"])
    world.build(tokens=30)
    world.build(tokens=30, by_document=True, out="each")
    whole, each = world.rows(DEV), world.rows(DEV, "each")
    assert [row | {"document": f"d{n}"} for n, row in enumerate(whole)] == each
