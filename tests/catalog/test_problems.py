"""Every way in which a file can be wrong is said with its file, its field, its value and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rc_pipeline.catalog import CatalogError, load_catalog

BIG_MODEL = f"hub: owner/name, revision: {'0123456789' * 4}"

# file, text that stands there, text to put there, field of the problem, words of its remedy
EDITS = [
    # datasets
    ("datasets/stories.yaml", "title: Stories", "titel: Stories", "titel", "unknown field; did you mean title?"),
    ("datasets/stories.yaml", "title: Stories\n", "", "title", "missing; add it"),
    ("datasets/stories.yaml", "title: Stories", 'title: "S\\e[2J"', "title", "cannot be seen, here spelled out: S␛[2J"),
    ("datasets/stories.yaml", "title: Stories", 'title: "S\\n# x"', "title", "here spelled out: S⏎"),
    ("studies/first.yaml", "title:", 'description: "\\u202eab"\ntitle:', "description", "‹U+202E›ab; remove it"),
    ("datasets/stories.yaml", "format:", "homepage: javascript:x\nformat:", "homepage", "such as https://example.org"),
    ("datasets/stories.yaml", "format: cosmos_qa", "format: cosmosqa", "format", "did you mean cosmos_qa?"),
    ("datasets/stories.yaml", "seed: 1, ", "", "source.sample.seed", "missing; add it (another seed"),
    ("datasets/stories.yaml", "train: 10", "trian: 10", "source.sample.trian", "did you mean train?"),
    ("datasets/stories.yaml", "train: 10", "train: ten", "source.sample.train", "valid integer"),
    ("datasets/stories.yaml", "train: 10", "train: true", "source.sample.train", "valid integer"),
    ("datasets/stories.yaml", "train: 10", "train: 0", "source.sample.train", "greater than or equal to 1"),
    ("datasets/stories.yaml", "{sample:", "{samples:", "source", "exactly one of sample, files, download"),
    ("datasets/stories.yaml", "{sample:", "{files: {a: b}, sample:", "source", "exactly one of"),
    ("datasets/stories.yaml", "format: cosmos_qa", "format: alpaca", "source", "no alpaca files"),
    ("datasets/stories.yaml", "who@example.org", "someone", "owners.1", "e-mail address or team:<name>"),
    ("datasets/stories.yaml", "format:", "tasks: storys\nformat:", "tasks", "did you mean stories?"),
    ("datasets/stories.yaml", "format:", "passages: {}\nformat:", "passages", "only the format trivia_qa"),
    ("datasets/stories.yaml", "format: c", "train_splits: [tran]\nformat: c", "train_splits", "did you mean train?"),
    ("datasets/stories.yaml", "format: c", "train_splits: [test]\nformat: c", "train_splits", "no answers to train on"),
    ("datasets/stories.yaml", "format: c", "train_splits: [train, train]\nformat: c", "train_splits", "twice"),
    ("datasets/stories.yaml", "format: c", "expected_rows: {dev: 9}\nformat: c", "expected_rows", "no split dev"),
    ("datasets/stories.yaml", "format: c", "columns: {a: b}\nformat: c", "columns", "only the format records"),
    ("datasets/stories.yaml", "format: cosmos_qa", "format: records", "columns", "missing; name at least one column"),
    ("datasets/stories.yaml", "format: cosmos_qa", "format: parallel", "languages", "missing; say which they are"),
    ("datasets/stories.yaml", "format: cosmos_qa", "format: identity", "source", "the sample world has no identity"),
    ("datasets/quiz.yaml", "{tokens: 50}", "{tokens: 5}", "passages.tokens", "greater than or equal to 16"),
    ("datasets/quiz.yaml", "{tokens: 50}", "{words: 50}", "passages.words", "unknown field"),
    ("datasets/stories.yaml", "format:", "tolerated_bad_rows: 2\nformat:", "tolerated_bad_rows", "less than or equal"),
    ("datasets/quiz.yaml", "{triviaqa-rc.tar.gz:", "{../up.tar.gz:", "source.files.../up.tar.gz", "no folders"),
    ("datasets/quiz.yaml", "files: {t", "download: {t", "source.download.triviaqa-rc.tar.gz", "a mapping of names"),
    # task templates
    ("tasks/stories/other.yaml", "use: [train]", "use: [train, held_out]", "use", "a held-out template is for nothing"),
    ("tasks/quiz/answer.yaml", "output:", "rationale: Because.\noutput:", "answer_after", "missing beside rationale"),
    ("tasks/stories/choose.yaml", "choices:", "answer_after: so\nchoices:", "answer_after", "not looked for in text"),
    ("tasks/stories/choose.yaml", "Choose.", "'{% macro f() %}{% endmacro %}'", "instruction", "defines a macro"),
    ("studies/first.yaml", "stories/valid", "stories/valid.other", "evaluate_on.stories/valid.other", "no held-out"),
    ("tasks/stories/choose.yaml", "{{ context }}", "{{ contxt }}", "input", "no column contxt; did you mean context?"),
    ("tasks/stories/choose.yaml", "Choose.", "'{{ passage }}'", "instruction", "no column passage"),
    ("tasks/stories/choose.yaml", "{{ answer1 }}", "{{ answer9 }}", "choices.1", "no column answer9"),
    ("tasks/stories/choose.yaml", "{{ context }}", "{{ context", "input", "broken Jinja, line 1"),
    ("tasks/stories/choose.yaml", "{{ context }}", "{{ context|nice }}", "input", "No filter named 'nice'"),
    ("tasks/stories/choose.yaml", "{{ context }}", "{{ question|random }}", "input", "No filter named 'random'"),
    ("tasks/stories/choose.yaml", "{{ context }}", "{{ range(3) }}", "input", "no column range"),
    ("tasks/stories/choose.yaml", "{{ context }}", "{% include 'x' %}", "input", "takes in another template"),
    ("tasks/stories/choose.yaml", '"{{ context }} ', "'{{ context }}\\n'#", "input", "a real line break"),
    ("tasks/stories/choose.yaml", '"{{ choices[label] }}"', '" "', "output", "nothing to learn"),
    ("tasks/stories/choose.yaml", "instruction: Choose.", 'instruction: ""', "instruction", "say what to do"),
    ("tasks/stories/choose.yaml", 'label: "{{ label }}"\n', "", "label", "index of the right one"),
    ("tasks/stories/choose.yaml", '"{{ answer1 }}"]', '""]', "choices.1", "a choice is empty"),
    ("tasks/stories/choose.yaml", ', "{{ answer1 }}"', "", "choices", "one choice is no choice"),
    ("tasks/quiz/answer.yaml", "output:", 'label: "0"\noutput:', "label", "add choices, or remove label"),
    ("tasks/quiz/answer.yaml", "{{ answer }}", "{{ choices[0] }}", "output", "add choices and label"),
    ("tasks/quiz/answer.yaml", "instruction:", "use: [trian]\ninstruction:", "use.0", "did you mean train?"),
    ("tasks/quiz/answer.yaml", "instruction:", "use: [train, train]\ninstruction:", "use", "keep one"),
    ("tasks/quiz/answer.yaml", "instruction:", "weight: 0\ninstruction:", "weight", "greater than 0"),
    ("tasks/quiz/answer.yaml", "instruction:", "language: English\ninstruction:", "language", "a code such as en"),
    ("tasks/quiz/answer.yaml", "instruction:", "use: [train]\ninstruction:", "", "exactly one template may"),
    ("tasks/quiz/answer.yaml", "instruction:", "use: [evaluate]\ninstruction:", "", "no template has train in use"),
    ("tasks/stories/other.yaml", "use: [train]\n", "", "", "choose and other have evaluate in use"),
    # prompts
    ("prompts/plain.json", '"{instruction}\\n{input}', '"{instruction}\\n', "prompt_input", "{input} is missing"),
    ("prompts/plain.json", '"{instruction}\\nA', '"{input}{instruction}\\nA', "prompt_no_input", "no placeholder here"),
    ("prompts/plain.json", "{instruction}\\n{input}", "{instruction.x} {input}", "prompt_input", "{instruction}"),
    ("prompts/plain.json", "{instruction}\\n{input}", "{instruction} {input!r}", "prompt_input", "{input}"),
    ("prompts/plain.json", "{instruction}\\n{input}", "{instruction} {input", "prompt_input", "broken braces"),
    ("prompts/plain.json", "{instruction}\\n{input}", "{instruction}\\\\n{input}", "prompt_input", r"\n, not \\n"),
    ("prompts/plain.json", '"Answer:"', '"Reply:"', "prompt_input", "does not hold response_split"),
    ("prompts/plain.json", '"Answer:"', '" "', "response_split", "blank"),
    ("prompts/plain.json", "{\n", '{"description": "", "description": "",', "description", "twice"),
    ("prompts/plain.json", '"prompt_input"', '"promptinput"', "promptinput", "did you mean prompt_input?"),
    ("prompts/plain.json", "{\n", "{,\n", "line 1", "broken JSON"),
    # models
    ("models/tiny.yaml", "prompt: plain", "prompt: plane", "prompt", "no such prompt in catalog/prompts; did you mean"),
    ("models/tiny.yaml", "family: llama", "family: lama", "family", "did you mean llama?"),
    ("models/tiny.yaml", "shipped: rc_tiny", "shipped: rc_tiney", "source.shipped", "did you mean"),
    ("models/tiny.yaml", "{shipped: rc_tiny}", "{folder: x, shipped: rc_tiny}", "source", "exactly one of shipped"),
    ("models/tiny.yaml", "{shipped: rc_tiny}", "rc_tiny", "source", "exactly one of shipped, folder, hub or recipe"),
    ("models/big.yaml", "0123456789" * 4, "main", "source.revision", "full commit hash"),
    ("models/big.yaml", f", revision: {'0123456789' * 4}", "", "source.revision", "missing"),
    ("models/big.yaml", BIG_MODEL, "recipe: rc_tiny, seed: 1, stepps: 3", "source.stepps", "did you mean steps?"),
    ("models/tiny.yaml", "title: Tiny", "title: 2024", "title", "put it in quotes"),
    # studies
    ("studies/first.yaml", "base: {model: tiny}", "base: {model: tinny}", "runs.base.model", "did you mean tiny?"),
    ("studies/first.yaml", "rank: 4,", "rnk: 4,", "runs.tuned.tune.rnk", "unknown field; did you mean rank?"),
    ("studies/first.yaml", "rank: 4,", "rank: four,", "runs.tuned.tune.rank", "valid integer"),
    ("studies/first.yaml", "rank: 4,", "method: lorra,", "runs.tuned.tune.method", "did you mean"),
    ("studies/first.yaml", "rank: 4,", "targets: [],", "runs.tuned.tune.targets", "give all-linear"),
    ("studies/first.yaml", "rank: 4,", "max_tokens: 600,", "runs.tuned.tune.max_tokens", "512 tokens at most"),
    ("studies/first.yaml", "base: {", "base: {prompt: {template: plan}, ", "runs.base.prompt.template", "plain"),
    ("studies/first.yaml", "base: {", "base: {answer: {max_tokens: 20}, ", "runs.base.answer.max_tokens", "no room"),
    ("studies/first.yaml", "base: {", "base: {train_on: {quiz: 5}, ", "runs.base.train_on", "nothing is trained here"),
    ("studies/first.yaml", "base:", "Base:", "runs.Base", "names are lower-case"),
    ("studies/first.yaml", "stories: all", "storys: all", "train_on.storys", "did you mean stories?"),
    ("studies/first.yaml", "stories: all", "stories: most", "train_on.stories", "a number of rows above 0"),
    ("studies/first.yaml", "stories: all", "stories:", "train_on.stories", "a number of rows above 0"),
    ("studies/first.yaml", "train_on: {stories: all, quiz: 100}\n", "", "runs.tuned.tune", "nothing to train on"),
    ("studies/first.yaml", "[stories/valid]", "[stories/vald]", "evaluate_on.stories/vald", "did you mean valid?"),
    ("studies/first.yaml", "[stories/valid]", "[story/valid]", "evaluate_on.story/valid", "catalog/datasets"),
    ("studies/first.yaml", "[stories/valid]", "[stories]", "evaluate_on.stories", "<dataset>/<split>"),
    ("studies/first.yaml", "[stories/valid]", "[stories/train]", "evaluate_on.stories/train", "trained on"),
    ("studies/first.yaml", "[stories/valid]", "[stories/valid, stories/valid]", "evaluate_on", "twice"),
    ("studies/first.yaml", "[stories/valid]", "[{stories/valid: 3}]", "evaluate_on", "for a number of rows write"),
    ("studies/first.yaml", "quiz: 100", "quiz: 120%", "train_on.quiz", "a share of the whole mixture such as"),
    ("studies/first.yaml", "all, quiz: 100", "30%, quiz: 30%", "train_on", "the shares add up to 60%; make it 100%"),
    (
        "studies/first.yaml",
        "tiny, tune: {",
        "tiny, mixture: {rows: 9, temprature: 2}, tune: {",
        "runs.tuned.mixture.temprature",
        "did you mean temperature?",
    ),
    (
        "studies/first.yaml",
        "{model: tiny}",
        "{model: tiny, mixture: {rows: 9}}",
        "runs.base.mixture",
        "nothing is trained",
    ),
    (
        "studies/first.yaml",
        "tiny}",
        "tiny, prompt: {shots: 1, shot_rows: [a/b/1]}}",
        "runs.base.prompt.shot_rows",
        "set it to fixed",
    ),
    (
        "studies/first.yaml",
        "tiny}",
        "tiny, prompt: {shots: 2, shots_by: fixed, shot_rows: [stories/train/1]}}",
        "runs.base.prompt.shot_rows",
        "give 2 rows of each dataset",
    ),
    ("studies/first.yaml", "tiny}", "tiny, prompt: {shots: 2, shots_by: fixd}}", "runs.base.prompt.shots_by", "fixed"),
    ("studies/first.yaml", "[stories/valid]", "[]", "evaluate_on", "empty; give at least one"),
    # ablations
    ("studies/first.yaml", "of: tuned", "of: tunde", "ablations.rank.of", "did you mean tuned?"),
    ("studies/first.yaml", "of: tuned", "of: base", "ablations.rank.vary.tune.rank", "base has no tune to vary"),
    ("studies/first.yaml", "tune.rank:", "tune.rnk:", "ablations.rank.vary.tune.rnk", "did you mean rank?"),
    ("studies/first.yaml", "tune.rank:", "modl:", "ablations.rank.vary.modl", "did you mean model?"),
    ("studies/first.yaml", "[4, 8]", "[4, 0]", "ablations.rank.vary.tune.rank", "greater than or equal to 1"),
    ("studies/first.yaml", "[4, 8]", "[4, 4]", "ablations.rank.vary.tune.rank", "twice the same value"),
    ("studies/first.yaml", "[4, 8]", "[]", "ablations.rank.vary.tune.rank", "empty; give at least one"),
    ("studies/first.yaml", "[4, 8]", "[{a: 1}]", "ablations.rank.vary.tune.rank.0", "a run of its own"),
    ("studies/first.yaml", "tune.rank: [4, 8]", "model: [tinny]", "ablations.rank.vary.model", "did you mean tiny?"),
    ("studies/first.yaml", "tune.rank: [4, 8]", "tune.max_tokens: [900]", "ablations.rank.vary.tune.max_tokens", "512"),
    # any YAML
    ("studies/first.yaml", "title: First", "title: [First", "line 2", "broken YAML"),
    ("studies/first.yaml", "title: First", "title: First\ntitle: Second", "line 2", "this key is here twice"),
    ("studies/first.yaml", "title: First", "\ttitle: First", "line 1", "broken YAML"),
    ("studies/first.yaml", "title: First", "title: !!python/name:os.system First", "line 1", "broken YAML"),
    ("studies/first.yaml", "title: First", "title: !!int First", "", "its tag cannot hold"),
    ("studies/first.yaml", "title: First", "7: First", "7", "field names are text"),
    ("studies/first.yaml", "title: First", "title: \x07", "line 1", "a character that YAML forbids"),
]


@pytest.mark.parametrize("edit", EDITS, ids=[f"{edit[0]}: {edit[4]}" for edit in EDITS])
def test_a_wrong_field_is_one_problem_with_its_place_and_remedy(desk, edit: tuple[str, str, str, str, str]) -> None:
    file, old, new, field, remedy = edit
    desk.edit(file, old, new)
    found = [problem for problem in desk.problems() if problem.field == field]
    assert found, desk.problems()
    assert remedy in found[0].remedy
    expected = f"catalog/{file}" if field or "broken" in remedy or "tag" in remedy else "catalog/tasks/"
    assert found[0].file.startswith(expected)


def test_every_file_is_reported_at_once(desk) -> None:
    edits = [
        ("datasets/stories.yaml", "title: Stories", "titel: Stories"),
        ("tasks/stories/choose.yaml", "{{ context }}", "{{ contxt }}"),
        ("prompts/plain.json", "{\n", "{,\n"),
        ("models/tiny.yaml", "prompt: plain", "prompt: plane"),
        ("studies/first.yaml", "rank: 4,", "rnk: 4,"),
    ]
    for file, old, new in edits:
        desk.edit(file, old, new)
    desk.write("models/big.yaml", b"title: \xff\n")
    files = {problem.file.removeprefix("catalog/") for problem in desk.problems()}
    assert files == {*(edit[0] for edit in edits), "models/big.yaml"}


def test_every_field_of_one_file_is_reported_at_once(desk) -> None:
    desk.write(
        "studies/first.yaml",
        "titel: x\ntrain_on: {storys: all}\nevaluate_on: [quiz/dev, stories/valid]\n"
        "runs: {base: {model: tinny, tune: {rnk: 3, alpha: 0}}}\nseed: -1\n",
    )
    assert {problem.field for problem in desk.problems()} == {
        "title", "titel", "train_on.storys", "evaluate_on.quiz/dev", "runs.base.model", "runs.base.tune.rnk",
        "runs.base.tune.alpha", "seed",
    }  # fmt: skip


def test_an_ablation_is_checked_though_the_title_is_missing(desk) -> None:
    desk.edit("studies/first.yaml", "title: First\n", "")
    desk.edit("studies/first.yaml", "tune.rank: [4, 8]", "tune.rank: [0], tune.lr: [1]")
    fields = [problem.field for problem in desk.problems()]
    assert fields == ["ablations.rank.vary.tune.lr", "ablations.rank.vary.tune.rank", "title"]


def test_a_combination_of_values_that_cannot_be_is_reported(desk) -> None:
    desk.edit("studies/first.yaml", "base: {", "base: {answer: {max_tokens: 50}, ")
    desk.edit(
        "studies/first.yaml",
        "{of: tuned, vary: {tune.rank: [4, 8]}}",
        "{of: base, vary: {answer.max_tokens: [40, 50], answer.max_new_tokens: [32, 45]}}",
    )
    (problem,) = desk.problems()
    assert problem.field == "ablations.rank.vary"
    assert "answer.max_tokens" in problem.remedy


def test_what_names_a_broken_file_is_not_reported_as_well(desk) -> None:
    desk.write("models/tiny.yaml", "title: [")
    desk.write("datasets/quiz.yaml", "")
    desk.write("prompts/plain.json", "[]")
    files = [problem.file for problem in desk.problems()]
    assert files == ["catalog/datasets/quiz.yaml", "catalog/models/tiny.yaml", "catalog/prompts/plain.json"]


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        ("datasets/other.yml", "files here end in .yaml"),
        ("prompts/other.yaml", "files here end in .json"),
        ("models/My Model.yaml", "names are lower-case"),
        ("studies/old/first.yaml", "move it to catalog/studies itself"),
        ("tasks/loose.yaml", "move it to catalog/tasks/<dataset>/<template>.yaml"),
        ("tasks/Stories/choose.yaml", "names are lower-case"),
    ],
)
def test_a_file_that_would_be_overlooked_is_a_problem(desk, file, remedy) -> None:
    desk.write(file, "title: x\n")
    (problem,) = desk.problems()
    assert (problem.file, problem.field) == (f"catalog/{file}", "")
    assert remedy in problem.remedy


def test_templates_that_no_dataset_uses_are_a_problem(desk) -> None:
    desk.write("tasks/storeis/choose.yaml", "instruction: x\noutput: y\n")
    (problem,) = desk.problems()
    assert problem.file == "catalog/tasks/storeis"
    assert "did you mean stories?" in problem.remedy


def test_hidden_files_and_other_files_are_left_alone(desk) -> None:
    for file in ("datasets/.backup.yaml", "models/README.md", "tasks/.ipynb_checkpoints/x.yaml", "studies/first.yaml~"):
        desk.write(file, "not: [yaml")
    assert desk.load().studies


def test_a_file_that_is_no_utf8_says_its_line(desk) -> None:
    desk.write("studies/first.yaml", b"title: x\ndescription: \xe9t\xe9\n")
    (problem,) = desk.problems()
    assert (problem.field, problem.value) == ("line 2", "0xe9")
    assert "save the file as UTF-8" in problem.remedy


def test_a_catalog_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such folder"):
        load_catalog(tmp_path / "nowhere")


def test_an_error_reads_as_one_line_a_problem(desk) -> None:
    desk.edit("models/tiny.yaml", "prompt: plain", "prompt: plane")
    desk.edit("models/tiny.yaml", "title: Tiny\n", "")
    with pytest.raises(CatalogError) as error:
        desk.load()
    assert str(error.value).splitlines() == [
        'catalog/models/tiny.yaml:3: prompt = "plane": no such prompt in catalog/prompts; did you mean plain?',
        "catalog/models/tiny.yaml: title: missing; add it (what people read)",
    ]


def test_a_problem_names_the_line_of_its_field_even_where_a_key_holds_dots(desk) -> None:
    desk.edit("datasets/quiz.yaml", "quiz/triviaqa-rc.tar.gz", "''")
    desk.edit("tasks/stories/choose.yaml", "{{ answer1 }}", "{{ answer9 }}")
    desk.edit("prompts/chat.json", "{instruction}\\nAnswer:", "Answer:")
    desk.edit("studies/first.yaml", "{tune.rank: [4, 8]}", "\n    {tune.rnk: [4, 8]}")
    lines = {(problem.file, problem.field): problem.line for problem in desk.problems()}
    assert lines["catalog/datasets/quiz.yaml", "source.files.triviaqa-rc.tar.gz"] == 3
    assert lines["catalog/tasks/stories/choose.yaml", "choices.1"] == 3
    assert lines["catalog/prompts/chat.json", "prompt_no_input"] == 3
    assert all(line for line in lines.values())
