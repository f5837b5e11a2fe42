from __future__ import annotations

import polars as pl
import pytest

from rc_pipeline.overlaps.build import OverlapsError, build_overlaps
from tests.overlaps.conftest import Bench
from tests.overlaps.made_up import chinese, sentence

PASSAGES = [{"passage": sentence(n), "question": f"What does letter {n} say?", "answer": "salt"} for n in range(30)]
SAME = {"same_passage", "near_duplicate", "shared_ngrams"}


def ask(text: str) -> dict[str, str]:
    return {"question": text}


def test_tables_without_the_split_are_refused_by_name(bench: Bench) -> None:
    bench.tables("taught", {"train": [ask("Who?")]})
    side = bench.dataset("taught", "records", ["question"])
    with pytest.raises(OverlapsError, match=r"split: valid: no such rows; build taught again"):
        build_overlaps(taught=side, asked=side, split="valid", out=bench.folder / "out")
    untaught = bench.dataset("taught", "records", ["question"], train_splits=["dev"])
    with pytest.raises(OverlapsError, match="split: dev"):
        build_overlaps(taught=untaught, asked=side, split="train", out=bench.folder / "out")


def test_a_split_without_rows_overlaps_with_nothing(bench: Bench) -> None:
    bench.tables("taught", {"train": PASSAGES})
    path = bench.tables("asked", {"valid": PASSAGES}) / "valid.parquet"
    pl.read_parquet(path).clear().write_parquet(path)
    sides = [bench.dataset(name, "records", list(PASSAGES[0])) for name in ("taught", "asked")]
    outcome = build_overlaps(taught=sides[0], asked=sides[1], split="valid", out=bench.folder / "out")
    assert all(check.passed for check in outcome.checks)
    assert pl.read_parquet(bench.folder / "out" / "counts.parquet")["share"].to_list() == [0.0] * 5


def test_rows_that_were_not_compared_fail_the_build(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from rc_pipeline.overlaps import build as module

    def cut_short(*args: object) -> object:
        return (batch.head(29) for batch in whole(*args))

    whole = module.split_batches
    monkeypatch.setattr(module, "split_batches", cut_short)
    outcome, _ = bench.compare(PASSAGES, PASSAGES[:3])
    check = outcome.checks[0]
    assert (check.name, check.passed, check.blocking) == ("every_row_was_compared", False, True)
    assert check.metadata == {"evaluation rows": [3, 3], "training rows": [29, 30]}


def test_a_passage_is_found_whatever_is_asked_of_it(kinds) -> None:
    asked = {"passage": sentence(7), "question": "Which engine is copper?", "answer": "none"}
    assert kinds(PASSAGES, asked) == {(kind, "7") for kind in SAME}


def test_case_punctuation_space_and_character_forms_do_not_hide_a_copy(kinds) -> None:
    disguised = sentence(7).upper().replace(" ", ",\n  ").replace("A", "Ａ").replace("1", "１") + " …”"
    assert kinds(PASSAGES, {"passage": disguised, "question": "?", "answer": ""}) == {(kind, "7") for kind in SAME}


def test_a_question_is_found_without_its_passage(kinds) -> None:
    asked = {"passage": sentence("new"), "question": "what does LETTER 3 say", "answer": "Salt."}
    assert kinds(PASSAGES, asked) == {("same_question", "3"), ("near_duplicate", "3")}


def test_words_that_fit_many_passages_count_with_their_answer_alone(kinds) -> None:
    train = [{"passage": sentence(n), "question": "Why?", "answer": f"because of {n}"} for n in range(5)]
    assert not kinds(train, {"passage": sentence("new"), "question": "Why?", "answer": "because of the rain"})
    assert kinds(train, {"passage": sentence("new"), "question": "Why?", "answer": "because of 4"})


def test_a_question_of_one_word_matches_only_itself(kinds) -> None:
    train = [ask("Why"), ask("Why not"), ask("When")]
    assert kinds(train, ask("why?")) == {("same_question", "0"), ("near_duplicate", "0")}
    assert not kinds(train, ask("Where?"))


def test_short_questions_that_differ_in_one_word_ask_for_something_else(kinds) -> None:
    train = [ask(f"In which European country on the river is the city of Name{n}?") for n in range(50)]
    assert not kinds(train, ask("In which European country on the river is the city of Name50?"))


def test_signs_of_arithmetic_are_part_of_the_question(kinds) -> None:
    assert not kinds([ask("What is 12 * 3?"), ask("What is 12 + 3?")], ask("What is 12 / 3?"))


def test_thirteen_words_in_a_row_are_found_and_twelve_are_not(bench: Bench) -> None:
    shared = sentence("shared", 13).split()
    train = [ask(f"{sentence(1)} {' '.join(shared)} {sentence(2)}"), ask(sentence(3))]
    outcome, found = bench.compare(train, [ask(f"{sentence(4)} {' '.join(shared)}. {sentence(5)}")])
    assert found.select("kind", "train_row_id", "shared").rows() == [
        ("shared_ngrams", "taught/train/0", " ".join(shared))
    ]
    assert found["similarity"].item() == pytest.approx(1 / (93 - 12))
    assert sentence(1)[-20:] in outcome.metadata["examples"]["markdown"]
    _, found = bench.compare(train, [ask(f"{sentence(4)} {' '.join(shared[:12])}. {sentence(5)}")])
    assert not found.height


def test_the_row_that_shares_most_is_named_with_its_longest_stretch(bench: Bench) -> None:
    some, more, most = (sentence(name, length) for name, length in (("some", 14), ("more", 20), ("most", 30)))
    train = [ask(f"{some} {sentence(1)}"), ask(f"{more} so {sentence(2)} so {most}"), ask(f"{most} {sentence(3)}")]
    _, found = bench.compare(train, [ask(f"{more} but {sentence(4)} but {most} and {some}")])
    assert found.select("train_row_id", "shared").rows() == [("taught/train/1", most[:200])]


def test_a_stretch_is_found_from_a_question_in_a_passage(kinds) -> None:
    asked = {"passage": "", "question": " ".join(sentence(9).split()[5:25]), "answer": ""}
    assert kinds(PASSAGES, asked) == {("shared_ngrams", "9")}


def test_near_copies_are_found_and_measured(bench: Bench) -> None:
    words = sentence(11, 200).split()
    words[20] = words[120] = "changed"
    _, found = bench.compare([ask(sentence(n, 200)) for n in range(20)], [ask(" ".join(words))])
    near = found.filter(kind="near_duplicate")
    assert near["train_row_id"].to_list() == ["taught/train/11"]
    assert near["similarity"].item() == pytest.approx((198 - 6) / (198 + 6))


def test_chinese_is_compared_by_characters(bench: Bench) -> None:
    train = [ask(chinese(n)) for n in range(40)]
    asked = [
        ask(chinese(3)[:20] + "，\n" + chinese(3)[20:] + "。"),
        ask(chinese("a") + chinese(5)[10:36] + chinese("b")),
        ask(chinese("a") + chinese(5)[10:35] + chinese("b")),
        ask(chinese(7, 60)[:30] + "们" + chinese(7)[31:]),
        ask(chinese(9)[:10]),
    ]
    _, found = bench.compare(train, asked)
    told = found.with_columns(pl.col("row_id").str.tail(1), pl.col("train_row_id").str.split("/").list.last())
    assert told.select("row_id", "kind", "train_row_id").rows() == [
        ("0", "same_question", "3"), ("0", "shared_ngrams", "3"), ("0", "near_duplicate", "3"),
        ("1", "shared_ngrams", "5"),
        ("3", "shared_ngrams", "7"), ("3", "near_duplicate", "7"),
    ]  # fmt: skip


def test_empty_passages_are_no_passage_in_common(bench: Bench) -> None:
    empty = [{"passage": "" if n % 2 else " …! ", "question": sentence(n), "answer": ""} for n in range(4)]
    outcome, found = bench.compare(empty, [{"passage": "", "question": "", "answer": "."}])
    assert not found.height
    assert outcome.metadata["rows without words"] == 1
    assert outcome.checks[0].passed


def test_a_phrase_of_the_whole_set_tells_nothing_of_a_row(bench: Bench) -> None:
    phrase = sentence("phrase", 20)
    train = [ask(f"{phrase} {sentence(1)}")]
    _, found = bench.compare(train, [ask(f"{phrase} {sentence(f'a{n}')}") for n in range(11)])
    assert not found.height
    _, found = bench.compare(train, [ask(f"{phrase} {sentence(f'a{n}')}") for n in range(10)])
    assert found["kind"].to_list() == ["shared_ngrams"] * 10


def test_rows_held_out_of_training_are_compared_with_the_rest_alone(bench: Bench) -> None:
    bench.tables("own", {"train": PASSAGES})
    own = bench.dataset("own", "records", list(PASSAGES[0]), holdout={"held": 0.4})
    outcome = build_overlaps(taught=own, asked=own, split="held", out=bench.folder / "out")
    assert all(check.passed for check in outcome.checks)
    held, kept = outcome.metadata["evaluation rows"], outcome.metadata["training rows"]
    assert held + kept == 30
    assert held


def test_counts_say_how_much_of_the_set_is_clean(bench: Bench) -> None:
    outcome, _ = bench.compare(PASSAGES, [*PASSAGES[:2], *({**PASSAGES[0], "passage": sentence(n)} for n in "xyz")])
    counts = pl.read_parquet(bench.folder / "out" / "counts.parquet")
    assert dict(counts.select("kind", "rows").rows()) == {
        "same_passage": 2, "same_question": 5, "shared_ngrams": 2, "near_duplicate": 5, "any": 5,
    }  # fmt: skip
    assert counts["of_rows"].to_list() == [5] * 5
    assert outcome.metadata["clean rows"] == 0
    assert "same_passage" in outcome.metadata["examples"]["markdown"]
    check = outcome.checks[1]
    assert (check.name, check.passed, check.blocking, check.metadata["rows"]) == ("no_overlap", False, False, 5)
    assert outcome.tables == {"overlaps": ["overlaps.parquet"], "overlap_counts": ["counts.parquet"]}


def test_the_same_rows_give_the_same_bytes_however_they_are_batched(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written() -> list[bytes]:
        return [(bench.folder / "out" / f"{name}.parquet").read_bytes() for name in ("overlaps", "counts")]

    asked = [*PASSAGES[3:9], {"passage": sentence(3) + sentence("x"), "question": "Who?", "answer": ""}]
    bench.compare(PASSAGES, asked)
    first = written()
    monkeypatch.setattr("rc_pipeline.instructions.rows.BATCH_ROWS", 4)
    monkeypatch.setattr("rc_pipeline.overlaps.asked.CHARACTERS_AT_ONCE", 100)
    bench.compare(PASSAGES, asked)
    assert written() == first
