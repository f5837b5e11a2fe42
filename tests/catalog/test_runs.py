"""What the studies ask for becomes runs, each thing once and under one name."""

from __future__ import annotations

SECOND = """\
title: Second
train_on: {quiz: 100, stories: all}
evaluate_on: {quiz/web-dev: 50, stories/valid: all}
runs:
  %s: {model: tiny, tune: {rank: 4, alpha: 8, learning_rate: 0.005}}
"""


def test_one_name_for_two_contents_says_where_they_differ(desk) -> None:
    desk.write("studies/second.yaml", SECOND % "tuned")
    desk.edit("studies/second.yaml", "rank: 4", "rank: 6")
    desk.add("studies/second.yaml", "seed: 3\nablations: {decay: {of: tuned, vary: {tune.weight_decay: [0.1]}}}\n")
    (problem,) = desk.problems()
    assert (problem.file, problem.field) == ("catalog/studies/second.yaml", "runs.tuned")
    assert "catalog/studies/first.yaml (runs.tuned)" in problem.remedy
    assert "differs in tune.rank, seed" in problem.remedy


def test_one_name_for_two_contents_is_reported_once_and_not_for_each_variant(desk) -> None:
    desk.write("studies/second.yaml", SECOND % "tuned")
    desk.edit("studies/second.yaml", "quiz: 100", "quiz: 99")
    desk.add("studies/second.yaml", "ablations: {rank: {of: tuned, vary: {tune.rank: [8, 16]}}}\n")
    assert [problem.field for problem in desk.problems()] == ["runs.tuned"]


def test_a_run_that_is_named_like_another_runs_variant_is_a_problem(desk) -> None:
    desk.edit("studies/first.yaml", "  base:", "  tuned--rank-8: {model: big}\n  base:")
    (problem,) = desk.problems()
    assert problem.field == "ablations.rank"


def test_one_run_cannot_be_evaluated_on_two_numbers_of_rows(desk) -> None:
    desk.write("studies/second.yaml", SECOND % "same")
    desk.edit("studies/second.yaml", "stories/valid: all", "stories/valid: 7")
    (problem,) = desk.problems()
    assert (problem.field, problem.value) == ("evaluate_on.stories/valid", "7")
    assert "catalog/studies/first.yaml evaluates the same run (tuned) on all rows" in problem.remedy


def test_a_run_has_its_defaults_filled_in(desk) -> None:
    catalog = desk.load()
    base, tuned = catalog.runs["base"], catalog.runs["tuned"]
    assert base.prompt.template == "plain"
    assert (base.tune, base.train_on, base.evaluate_on) == (None, {}, {"stories/valid": None})
    assert tuned.tune is not None
    assert (tuned.tune.alpha, tuned.tune.learning_rate) == (8, 0.005)
    assert tuned.train_on == {"quiz": 100, "stories": None}
    assert (base.title, tuned.title) == ("Tiny, as it is", "Tiny, tuned by LoRA")


def test_an_ablation_makes_a_run_for_each_value_and_keeps_the_one_that_is_there(desk) -> None:
    catalog = desk.load()
    assert set(catalog.runs) == {"base", "tuned", "tuned--rank-8"}
    assert catalog.study_runs["first"] == {
        "base": "base", "tuned": "tuned", "tuned--rank-4": "tuned", "tuned--rank-8": "tuned--rank-8",
    }  # fmt: skip
    varied = catalog.runs["tuned--rank-8"]
    assert varied.tune is not None
    assert (varied.tune.rank, varied.tune.alpha) == (8, 16)
    assert varied.title == "Tiny, tuned by LoRA (tune.rank 8)"


def test_several_fields_make_a_run_for_each_combination(desk) -> None:
    desk.edit("studies/first.yaml", "{tune.rank: [4, 8]}", "{tune.rank: [4, 8], tune.targets: [[a, b], all-linear]}")
    assert set(desk.load().study_runs["first"]) == {
        "base", "tuned", "tuned--rank-4--targets-a-b", "tuned--rank-4--targets-all-linear",
        "tuned--rank-8--targets-a-b", "tuned--rank-8--targets-all-linear",
    }  # fmt: skip


def test_models_rows_and_seeds_can_be_varied(desk) -> None:
    desk.edit("studies/first.yaml", "{tune.rank: [4, 8]}", "{model: [big], train_on.quiz: [5, all], seed: [1]}")
    run = desk.load().runs["tuned--model-big--quiz-all--seed-1"]
    assert (run.model, run.train_on, run.seed) == ("big", {"quiz": None, "stories": None}, 1)
    assert run.prompt.template == "chat"


def test_values_make_names_that_are_names(desk) -> None:
    desk.edit("studies/first.yaml", "tune.rank: [4, 8]", "tune.dropout: [0.05], tune.learning_rate: [1e-4]")
    assert "tuned--dropout-0_05--learning_rate-0_0001" in desk.load().runs


def test_equal_runs_of_two_studies_are_one_that_is_evaluated_for_both(desk) -> None:
    desk.write("studies/second.yaml", SECOND % "same")
    catalog = desk.load()
    assert catalog.study_runs["second"] == {"same": "tuned"}
    assert catalog.runs["tuned"].evaluate_on == {"stories/valid": None, "quiz/web-dev": 50}
    assert "same" not in catalog.runs


def test_a_name_that_somebody_wrote_beats_one_that_an_ablation_made(desk) -> None:
    desk.write("studies/second.yaml", SECOND % "wide")
    desk.edit("studies/second.yaml", "rank: 4, alpha: 8", "rank: 8")
    catalog = desk.load()
    assert catalog.study_runs["first"]["tuned--rank-8"] == "wide"
    assert catalog.origin("runs", "wide") == "catalog/studies/second.yaml"


def test_a_run_may_have_rows_and_a_seed_of_its_own(desk) -> None:
    desk.edit("studies/first.yaml", "tuned: {", "tuned: {train_on: {quiz: 3}, seed: 9, title: Mine, ")
    run = desk.load().runs["tuned"]
    assert (run.train_on, run.seed, run.title) == ({"quiz": 3}, 9, "Mine")


def test_a_run_has_the_mixture_of_its_study_unless_it_has_its_own(desk) -> None:
    desk.edit(
        "studies/first.yaml",
        "train_on: {stories: all, quiz: 100}",
        "train_on: {stories: all, quiz: 25%}\nmixture: {rows: 40}",
    )
    desk.edit(
        "studies/first.yaml",
        "tuned: {model: tiny,",
        "own: {model: tiny, tune: {}, mixture: {rows: 9}}\n  tuned: {model: tiny,",
    )
    runs = desk.load().runs
    assert runs["tuned"].train_on == {"quiz": "25%", "stories": None}
    assert (runs["tuned"].mixture.rows, runs["own"].mixture.rows, runs["base"].mixture) == (40, 9, None)
    desk.edit("studies/first.yaml", "{rows: 40}", "{temperature: 2.0}")
    assert "the shares in train_on decide" in str([problem.remedy for problem in desk.problems()])


def test_another_template_for_the_answers_is_another_run_that_trains_with_its_own(desk, tmp_path) -> None:
    from rc_pipeline.lineage import load_lineage

    desk.edit(
        "studies/first.yaml",
        "ablations:",
        "  odd: {model: tiny, tune: {rank: 4, learning_rate: 5e-3}, answer: {template: chat}}\nablations:",
    )
    nodes = load_lineage(desk.root, tmp_path).graph.nodes
    assert nodes["adapters/odd"].settings["prompt"] == nodes["adapters/tuned"].settings["prompt"]
    asked = {run: nodes[f"predictions/{run}/stories/valid"].settings["prompt"]["name"] for run in ("tuned", "odd")}
    assert asked == {"tuned": "plain", "odd": "chat"}
    assert nodes["predictions/odd/stories/valid"].origins["prompt"] == "catalog/prompts/chat.json"
    desk.edit("studies/first.yaml", "{template: chat}", "{template: chatt}")
    (problem,) = desk.problems()
    assert "did you mean chat?" in problem.remedy


def test_a_language_that_no_training_template_speaks_is_refused(desk) -> None:
    desk.edit("tasks/stories/other.yaml", "use: [train]", "use: [train]\nlanguage: zh")
    desk.edit("studies/first.yaml", "evaluate_on", "mixture: {languages: [zh, de]}\nevaluate_on")
    assert {problem.field for problem in desk.problems()} == {"runs.tuned.mixture.languages"}
    assert all("template that quiz trains with speaks" in problem.remedy for problem in desk.problems())


def test_languages_can_be_varied_and_a_run_that_names_none_knows_nothing_of_them(desk) -> None:
    desk.edit("tasks/stories/other.yaml", "use: [train]", "use: [train]\nlanguage: zh")
    desk.edit("studies/first.yaml", ", quiz: 100", "")
    desk.edit("studies/first.yaml", "tune.rank: [4, 8]", "mixture.languages: [[en], [zh, en]]")
    runs = desk.load().runs
    assert runs["tuned"].model_dump()["mixture"] == {"rows": None, "temperature": 1.0}
    assert runs["tuned--languages-zh-en"].model_dump()["mixture"]["languages"] == ["en", "zh"]


def test_a_run_and_an_ablation_may_be_asked_some_sets_of_their_study(desk) -> None:
    desk.edit(
        "studies/first.yaml", "evaluate_on: [stories/valid]", "evaluate_on: {stories/valid: 5, quiz/web-dev: all}"
    )
    desk.edit("studies/first.yaml", "base: {model: tiny}", "base: {model: tiny, evaluate_on: [quiz/web-dev]}")
    desk.edit("studies/first.yaml", "of: tuned, vary", "of: tuned, evaluate_on: [stories/valid], vary")
    runs = desk.load().runs
    assert runs["base"].evaluate_on == {"quiz/web-dev": None}
    assert runs["tuned--rank-8"].evaluate_on == {"stories/valid": 5}
    assert runs["tuned"].evaluate_on == {"stories/valid": 5, "quiz/web-dev": None}


def test_a_set_that_the_study_does_not_ask_is_refused_for_runs_and_ablations(desk) -> None:
    desk.edit("studies/first.yaml", "base: {model: tiny}", "base: {model: tiny, evaluate_on: [stories/valit]}")
    desk.edit("studies/first.yaml", "of: tuned, vary", "of: tuned, evaluate_on: [quiz/web-dev], vary")
    found = {problem.field: problem.remedy for problem in desk.problems()}
    assert found == {
        "runs.base.evaluate_on": "the study does not evaluate on it; did you mean stories/valid?",
        "ablations.rank.evaluate_on": "the study does not evaluate on it; known: stories/valid",
    }
