"""Edit anything, and exactly what depends on it is rebuilt."""

from __future__ import annotations

from small_study import SmallStudy

from rc_pipeline.commands.ahead import ahead
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.store import Store
from rc_pipeline.lineage import load_lineage

TUNED = ("demo_tuned", "demo_tuned--rank-2")
RUNS = ("demo_base", *TUNED)
SETS = ("sample_cosmos/valid", "sample_trivia/wikipedia-dev")
ADAPTERS = {f"adapters/{run}" for run in TUNED}


def predictions(runs: tuple[str, ...], sets: tuple[str, ...] = SETS) -> set[str]:
    return {f"predictions/{run}/{one}" for run in runs for one in sets}


def follow(study: SmallStudy, before: dict[str, str], predicted: set[str]) -> set[str]:
    """What predictions entail: a score for each that says something new, and the report."""
    after = study.contents()
    said_anew = {key for key in predicted if before.get(key) != after[key]}
    assert said_anew, "the edit changed no answer, so this test shows nothing"
    return predicted | {key.replace("predictions/", "scores/") for key in said_anew} | {"reports/demo"}


def test_a_second_run_with_a_new_dagster_home_builds_nothing(study):
    assert study.run() == set()


def test_a_cosmos_template_rebuilds_its_instructions_the_tuned_runs_and_the_untuned_on_cosmos_only(study):
    study.edit("tasks/sample_cosmos/choose.yaml", "Read the story and choose", "Read this story , then choose")
    before, built = study.contents(), study.run()
    asked = predictions(TUNED) | predictions(("demo_base",), ("sample_cosmos/valid",))
    assert built == {"instructions/sample_cosmos", *ADAPTERS, *follow(study, before, asked)}


def test_a_template_that_only_trains_leaves_the_untuned_run_alone(study):
    study.edit("tasks/sample_cosmos/which.yaml", "Which of the answers", "So which of the answers")
    before, built = study.contents(), study.run()
    assert built == {"instructions/sample_cosmos", *ADAPTERS, *follow(study, before, predictions(TUNED))}


def test_a_prompt_template_leaves_instruction_sets_alone_and_rebuilds_adapters_and_predictions(study):
    study.edit("prompts/brief.json", "### Input:", "### Text:")
    before, built = study.contents(), study.run()
    assert built == {*ADAPTERS, *follow(study, before, predictions(RUNS))}


def test_an_evaluation_change_rebuilds_no_adapter_and_asks_no_question_twice(study):
    study.edit("studies/demo.yaml", "- sample_cosmos/valid\n- sample_trivia/wikipedia-dev\n", "")
    limited = "evaluate_on: {sample_cosmos/valid: 8, sample_trivia/wikipedia-dev: all}\n"
    study.edit("studies/demo.yaml", "evaluate_on:\n", limited)
    before, built = study.contents(), study.run()
    assert built == follow(study, before, predictions(RUNS, ("sample_cosmos/valid",)))
    for run in RUNS:
        head = Store(study.lake).head(f"predictions/{run}/sample_cosmos/valid")
        assert head is not None
        assert head.manifest.results().metadata["rows"] == 8
        assert head.manifest.results().metadata["computed_rows"] == 0


def test_decoding_settings_of_one_run_rebuild_its_predictions_and_what_follows_from_them(study):
    base = "  demo_base:\n    model: rc_tiny\n"
    study.edit("studies/demo.yaml", base, base + "    answer: {max_new_tokens: 3}\n")
    before, built = study.contents(), study.run()
    assert built == follow(study, before, predictions(("demo_base",)))


def test_comments_layout_titles_and_descriptions_rebuild_nothing(study):
    study.edit("studies/demo.yaml", "# a comment\n", "# another comment\n\n\n")
    study.edit("tasks/sample_cosmos/choose.yaml", "instruction:", "# why not\ninstruction:")
    study.edit("prompts/brief.json", '"prompt_input"', '\n\n  "prompt_input"')
    study.edit("datasets/sample_cosmos.yaml", "title: ", "title: Also known as ")
    assert study.run() == set()


def test_titles_that_the_report_shows_rebuild_the_report_alone(study):
    study.edit("models/rc_tiny.yaml", "title: ", "title: Also known as ")
    study.edit("studies/demo.yaml", "title: ", "title: Newly named, ")
    assert study.run() == {"reports/demo"}


def test_a_revert_rebuilds_nothing(study):
    before = study.contents()
    study.edit("tasks/sample_cosmos/choose.yaml", "Read the story and choose", "Look and choose")
    assert "adapters/demo_tuned" in study.run()
    study.edit("tasks/sample_cosmos/choose.yaml", "Look and choose", "Read the story and choose")
    assert study.run() == set()
    assert study.contents() == before


def test_a_new_rank_builds_one_adapter_and_keeps_the_others(study):
    study.edit("studies/demo.yaml", "tune.rank:\n      - 2\n", "tune.rank: [2, 4]\n")
    new = "demo_tuned--rank-4"
    before, built = study.contents(), study.run()
    assert built == {f"adapters/{new}", *follow(study, before, predictions((new,)))}


def test_a_variant_that_equals_an_explicit_run_is_that_run(study):
    study.edit("studies/demo.yaml", "tune.rank:\n      - 2\n", "tune.rank: [2, 16]\n")
    assert study.run() == {"reports/demo"}


def test_a_run_on_the_rows_in_one_language_is_trained_alone_and_takes_the_steps_that_were_foretold(study):
    study.edit("tasks/sample_cosmos/which.yaml", "instruction:", "language: zh\ninstruction:")
    study.run()
    words = "  words: {of: demo_tuned, evaluate_on: [sample_cosmos/valid], vary: {mixture.languages: [[en]]}}\n"
    study.edit("studies/demo.yaml", "ablations:\n", f"ablations:\n{words}")
    new = "demo_tuned--languages-en"
    before, built = study.contents(), study.run()
    asked = predictions((new,), ("sample_cosmos/valid",))
    assert built == {f"adapters/{new}", *follow(study, before, asked)}

    planner = Lake(study.lake, load_lineage(study.catalog, study.lake).graph).planner()
    head = Store(study.lake).head(f"adapters/{new}")
    assert head is not None
    said = head.manifest.results().metadata
    assert said["dropped_other_language"] > 0
    assert ahead(planner.graph[f"adapters/{new}"], planner).steps == said["steps"]
