"""Editing, adding and removing templates in a mixture of datasets with many templates each."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from small_study import ROWS, SmallStudy, copy_catalog

from rc_pipeline.lake.store import Store

STORIES = f"title: S\nformat: cosmos_qa\ntasks: cosmos_qa\nsource: {{sample: {ROWS}}}\n"
QUIZ = f"title: Q\nformat: trivia_qa\ntasks: trivia_qa\nsource: {{sample: {ROWS}}}\n"
SELF = "title: I\nformat: identity\nsource: {identity: {en: {name: Ada, developers: the lab, abilities: [read]}}}\n"
STUDY = """\
title: A mixture
train_on: {quiz: 35%, self: 30%, stories: 35%}
mixture: {rows: 60}
evaluate_on: {stories/valid: 6, stories/valid.unseen: 6, quiz/wikipedia-dev: 6}
runs:
  before: {model: rc_tiny}
  after: {model: rc_tiny, tune: {rank: 2, batch_size: 16, max_tokens: 256}}
"""
UNSEEN = "use: [held_out]\ninstruction: Pick one.\ninput: '{{ context }} {{ question }}'\n" + (
    "choices: ['{{ answer0 }}', '{{ answer1 }}', '{{ answer2 }}', '{{ answer3 }}']\nlabel: '{{ label }}'\n"
    "output: '{{ choices[label] }}'\n"
)
SETS = ("stories/valid", "stories/valid.unseen", "quiz/wikipedia-dev")
COMPARED = {f"overlaps/{train}/{asked}" for train in ("quiz", "self", "stories") for asked in (SETS[0], SETS[2])}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    folder = tmp_path_factory.mktemp("mixture")
    catalog = copy_catalog(folder / "catalog")
    for name, text in (("stories", STORIES), ("quiz", QUIZ), ("self", SELF)):
        (catalog / "datasets" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (catalog / "tasks" / "cosmos_qa" / "unseen.yaml").write_text(UNSEEN, encoding="utf-8")
    (catalog / "studies" / "demo.yaml").write_text(STUDY, encoding="utf-8")
    study = SmallStudy(catalog, folder / "lake")
    assert study.run() >= COMPARED
    return study


@pytest.fixture
def study(built: SmallStudy, tmp_path: Path) -> SmallStudy:
    return built.copy(tmp_path)


def rows(study: SmallStudy, dataset: str, split: str = "train") -> pl.DataFrame:
    head = Store(study.lake).head(f"instructions/{dataset}")
    assert head is not None
    return pl.read_parquet(head.folder / f"{split}.parquet")


def anew(study: SmallStudy, before: dict[str, str], predicted: set[str]) -> set[str]:
    """Predictions, a score for each that says something new, and the report."""
    after = study.contents()
    said = {key for key in predicted if before.get(key) != after[key]}
    return predicted | {key.replace("predictions/", "scores/") for key in said} | ({"reports/demo"} if said else set())


def test_the_shipped_folders_have_many_templates_each(built: SmallStudy) -> None:
    for dataset in ("stories", "self"):
        assert rows(built, dataset)["template"].n_unique() >= 8
    assert rows(built, "quiz", "wikipedia-train")["template"].n_unique() >= 8


def test_editing_a_training_template_rebuilds_what_was_tuned_and_moves_no_row(study: SmallStudy) -> None:
    before, old = study.contents(), rows(study, "stories")
    study.edit("tasks/cosmos_qa/letters_zh.yaml", "instruction: ", "instruction: 请注意：")
    built = study.run()
    tuned = {f"predictions/after/{asked}" for asked in SETS}
    assert built == {"instructions/stories", "adapters/after", *anew(study, before, tuned)}
    new, edited = rows(study, "stories"), pl.col("template") == "letters_zh"
    assert new["instruction_id"].equals(old["instruction_id"])
    assert new.filter(~edited).equals(old.filter(~edited))
    assert not new.filter(edited)["instruction"].equals(old.filter(edited)["instruction"])


def test_adding_a_template_takes_rows_for_itself_and_moves_no_other(study: SmallStudy) -> None:
    before, old = study.contents(), rows(study, "self")
    added = "use: [train]\nweight: 3\ninstruction: 'Tell me: {{ question }}'\noutput: '{{ answer }}'\n"
    (study.catalog / "tasks" / "identity" / "added.yaml").write_text(added, encoding="utf-8")
    built = study.run()
    assert {"instructions/self", "adapters/after"} <= built
    assert built <= {
        "instructions/self",
        "adapters/after",
        *anew(study, before, {f"predictions/after/{s}" for s in SETS}),
    }
    new = rows(study, "self")
    taken = new.filter(template="added")
    assert taken.height > 0
    stayed = old.filter(~pl.col("row_id").is_in(taken["row_id"].to_list()))
    assert new.filter(pl.col("template") != "added").equals(stayed)


def test_removing_a_template_gives_its_rows_to_the_others_and_moves_no_other(study: SmallStudy) -> None:
    old = rows(study, "stories")
    (study.catalog / "tasks" / "cosmos_qa" / "letters_zh.yaml").unlink()
    built = study.run()
    assert {"instructions/stories", "adapters/after", "predictions/after/quiz/wikipedia-dev"} <= built
    assert not any(
        key.startswith(("tables/", "raw/", "passages/", "overlaps/", "predictions/before/")) for key in built
    )
    new, kept = rows(study, "stories"), old.filter(pl.col("template") != "letters_zh")
    assert sorted(new["row_id"]) == sorted(old["row_id"])
    assert new.join(kept.select("instruction_id"), on="instruction_id", how="semi", maintain_order="left").equals(kept)


def test_editing_a_held_out_template_asks_its_questions_again_and_trains_nothing(study: SmallStudy) -> None:
    before = study.contents()
    study.edit("tasks/cosmos_qa/unseen.yaml", "Pick one.", "Choose the one that fits.")
    asked = {f"predictions/{run}/stories/valid.unseen" for run in ("before", "after")}
    assert study.run() == {"instructions/stories", *anew(study, before, asked)}
