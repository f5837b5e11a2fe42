"""The sample world writes upstream's formats, and never shows a held-out name in training."""

from __future__ import annotations

import csv
import itertools
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.corpora import sample_names
from rc_pipeline.corpora.sample_documents import Course
from rc_pipeline.corpora.sample_world import (
    NONE_OF_THEM,
    pretraining_documents,
    write_cosmos,
    write_trivia,
)

NAMES = {pool: set(sample_names.people(pool)) | set(sample_names.places(pool)) for pool in ("learn", "valid", "test")}


@pytest.fixture(scope="module")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cosmos")
    write_cosmos(folder, seed=3, train=600, valid=300, test=60)
    return folder


@pytest.fixture(scope="module")
def trivia(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("trivia")
    (path,) = write_trivia(folder, seed=3, train=200, dev=60, test=20)
    return _members(path)


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        found = {}
        for info in tar.getmembers():
            file = tar.extractfile(info)
            assert file is not None
            found[info.name] = file.read()
        return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _named(text: str) -> set[str]:
    """Return the names of the sample world in a text, whatever pool they are of."""
    every = NAMES["learn"] | NAMES["valid"] | NAMES["test"]
    return set(re.findall(r"[A-Z][a-z]+", text)) & every


def test_no_name_is_in_two_pools() -> None:
    for one, other in itertools.combinations(NAMES.values(), 2):
        assert not one & other


def test_each_pool_keeps_both_halves_of_names_known_from_training() -> None:
    halves = {name[:2] for name in sample_names.people("learn")}
    for pool in ("valid", "test"):
        assert {name[:2] for name in sample_names.people(pool)} <= halves


@pytest.mark.parametrize("course", ["near", "far"])
def test_pretraining_text_names_only_the_training_pool(course: Course) -> None:
    text = "\n".join(itertools.islice(pretraining_documents(0, course), 300))
    assert _named(text) <= NAMES["learn"]
    assert len(_named(text)) > 300


@pytest.mark.parametrize(("course", "least"), [("near", 0), ("far", 20)])
def test_pretraining_text_never_gives_one_bare_answer_behind_the_response_heading(course: Course, least: int) -> None:
    responses = 0
    for document in itertools.islice(pretraining_documents(0, course), 500):
        front, heading, response = document.partition("### Response:\n")
        if not heading:
            continue
        responses += 1
        lines = response.strip().split("\n")
        retold = " ".join(front.partition("### Input:\n")[2].split()) == lines[0]
        assert retold or len(lines) > 1
    assert responses >= least


def test_pretraining_text_is_the_same_for_the_same_seed_only() -> None:
    first, again, other = (list(itertools.islice(pretraining_documents(seed), 5)) for seed in (1, 1, 2))
    assert first == again != other


def test_no_evaluation_story_question_or_name_is_in_the_train_split(cosmos: Path) -> None:
    train = _rows(cosmos / "train.csv")
    seen = _named("".join(row["context"] + row["question"] for row in train))
    valid = _rows(cosmos / "valid.csv")
    asked = _named("".join(row["context"] + row["question"] for row in valid))
    assert seen <= NAMES["learn"]
    assert asked <= NAMES["valid"]
    assert not {row["context"] for row in train} & {row["context"] for row in valid}
    test = (cosmos / "test.jsonl").read_text(encoding="utf-8")
    assert _named(test) <= NAMES["test"]


def test_cosmos_files_have_upstreams_header_line_ends_and_keys(cosmos: Path) -> None:
    header = "id,context,question,answer0,answer1,answer2,answer3,label"
    for name, rows in (("train.csv", 600), ("valid.csv", 300)):
        raw = (cosmos / name).read_bytes()
        assert raw.startswith(f"{header}\r\n".encode())
        assert raw.count(b"\n") == raw.count(b"\r\n") == rows + 1
    lines = (cosmos / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 60
    assert all(list(json.loads(line)) == header.split(",")[:-1] for line in lines)


def test_cosmos_ids_differ_and_contexts_repeat(cosmos: Path) -> None:
    rows = _rows(cosmos / "train.csv")
    assert len({row["id"] for row in rows}) == len(rows)
    assert all("##" in row["id"] for row in rows)
    assert len({row["context"] for row in rows}) < len(rows) / 2 + 1


def test_being_in_the_passage_says_nothing_about_an_option(cosmos: Path) -> None:
    for row in _rows(cosmos / "valid.csv"):
        options = [row[f"answer{place}"] for place in range(4)]
        assert len(set(options)) == 4
        stated = [option.removesuffix(" .") in row["context"] for option in options]
        assert [not there for there in stated] == [option == NONE_OF_THEM for option in options]


def test_cosmos_labels_are_uniform_and_none_of_the_above_is_seldom_right(cosmos: Path) -> None:
    rows = _rows(cosmos / "train.csv")
    labels = [int(row["label"]) for row in rows]
    assert all(0.18 < labels.count(label) / len(labels) < 0.32 for label in range(4))
    offered = [row for row in rows if NONE_OF_THEM in row.values()]
    right = [row for row in offered if row[f"answer{row['label']}"] == NONE_OF_THEM]
    assert 0.12 < len(offered) / len(rows) < 0.32
    assert 0 < len(right) / len(rows) < 0.05


def test_the_longest_option_is_no_short_cut(cosmos: Path) -> None:
    rows = _rows(cosmos / "train.csv")
    hits = 0
    for row in rows:
        options = [row[f"answer{place}"] for place in range(4)]
        hits += options.index(max(options, key=len)) == int(row["label"])
    assert hits / len(rows) < 0.35


def test_trivia_archive_has_upstreams_files_and_keys(trivia: dict[str, bytes]) -> None:
    names = {name for name in trivia if name.startswith("qa/")}
    splits = ("train", "dev", "test-without-answers")
    assert names == {
        *(f"qa/{domain}-{split}.json" for domain in ("web", "wikipedia") for split in splits),
        "qa/verified-web-dev.json",
        "qa/verified-wikipedia-dev.json",
    }
    for name in names:
        whole = json.loads(trivia[name])
        assert sorted(whole) == ["Data", "Domain", "Split", "VerifiedEval", "Version"]
        web = "web" in name
        for datum in whole["Data"]:
            keys = {"EntityPages", "Question", "QuestionId", "QuestionSource"}
            keys |= {"SearchResults"} if web else set()
            keys |= set() if "test" in name else {"Answer"}
            keys |= {"QuestionPartOfVerifiedEval"} if "verified" in name else set()
            assert set(datum) == keys
    counts = {name: len(json.loads(trivia[name])["Data"]) for name in names}
    assert counts["qa/wikipedia-train.json"] == 200
    assert counts["qa/web-train.json"] == 20


def _data(trivia: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = json.loads(trivia[f"qa/{name}.json"])["Data"]
    return data


def test_every_cited_page_exists_and_the_first_states_the_answer(
    trivia: dict[str, bytes],
) -> None:
    for domain, pages in (("wikipedia", "EntityPages"), ("web", "SearchResults")):
        for datum in _data(trivia, f"{domain}-train"):
            texts = [trivia[f"evidence/{domain}/{page['Filename']}"].decode() for page in datum[pages]]
            assert datum["Answer"]["Value"] in texts[0]
            assert datum["Answer"]["NormalizedValue"] in datum["Answer"]["NormalizedAliases"]


def test_trivia_evaluation_names_no_one_from_training(trivia: dict[str, bytes]) -> None:
    cited: dict[str, set[str]] = {}
    for split, pool in (("train", "learn"), ("dev", "valid"), ("test-without-answers", "test")):
        named = _named(json.dumps(_data(trivia, f"wikipedia-{split}")))
        files = [
            trivia[f"evidence/wikipedia/{page['Filename']}"].decode()
            for datum in _data(trivia, f"wikipedia-{split}")
            for page in datum["EntityPages"]
        ]
        assert named | _named("".join(files)) <= NAMES[pool]
        cited[split] = named
    assert not cited["train"] & cited["dev"]


def test_question_ids_are_unique_within_a_domain(trivia: dict[str, bytes]) -> None:
    for domain in ("wikipedia", "web"):
        ids = [
            datum["QuestionId"]
            for split in ("train", "dev", "test-without-answers")
            for datum in _data(trivia, f"{domain}-{split}")
        ]
        assert len(ids) == len(set(ids))


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_cosmos(tmp_path / folder, seed=9, train=30, valid=10, test=5)
        write_trivia(tmp_path / folder, seed=9, train=30, dev=10, test=5)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    write_cosmos(tmp_path / "other", seed=10, train=30, valid=10, test=5)
    one, other = (tmp_path / name / "train.csv" for name in ("one", "other"))
    assert one.read_bytes() != other.read_bytes()
