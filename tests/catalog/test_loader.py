"""The catalog as a whole, and the one that is shipped."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.catalog import Catalog, load_catalog
from rc_pipeline.catalog.formats import FACTS, FORMATS

SHIPPED = Path(__file__).resolve().parents[2] / "catalog"


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog(SHIPPED)


def test_the_shipped_catalog_loads(shipped: Catalog) -> None:
    assert set(shipped.datasets) >= {"sample_cosmos", "sample_trivia", "cosmos_qa", "trivia_qa"}
    assert set(shipped.prompts) >= {"brief", "alpaca", "minicpm", "plain", "vicuna", "llama2_chat"}
    assert set(shipped.models) >= {"rc_tiny", "rc_tiny_from_scratch", "minicpm_2b", "llama2_7b"}
    # Rows of alpaca say themselves what to do.
    assert all(len(shipped.tasks[each.tasks]) >= 2 for each in shipped.datasets.values() if each.tasks != "alpaca")


def test_the_shipped_studies_ask_for_their_runs(shipped: Catalog) -> None:
    assert {"demo_base", "demo_tuned"} < set(shipped.study_runs["demo"])
    full = shipped.study_runs["full_pipeline"]
    assert full["minicpm_lora--loss_on-answer"] == "minicpm_lora"
    assert {run for run in full.values() if run.startswith("minicpm_lora--rank-")} == {
        f"minicpm_lora--rank-{rank}" for rank in (4, 16, 32)
    }
    assert all(run in shipped.runs for labels in shipped.study_runs.values() for run in labels.values())


def test_every_origin_is_a_file_of_the_repository(shipped: Catalog) -> None:
    for kind in ("datasets", "prompts", "models", "studies", "runs"):
        for name in getattr(shipped, kind):
            assert (SHIPPED.parent / shipped.origin(kind, name)).is_file()
    for folder, templates in shipped.tasks.items():
        assert (SHIPPED.parent / shipped.origin("tasks", folder)).is_dir()
        assert all((SHIPPED.parent / shipped.origin("tasks", f"{folder}/{name}")).is_file() for name in templates)


def test_every_format_has_its_passage_among_its_columns() -> None:
    assert set(FORMATS) == set(FACTS)
    assert all(facts.passage in facts.columns for facts in FACTS.values() if facts.passage)
    assert all(facts.train in facts.splits for facts in FACTS.values() if facts.train)


def test_loading_needs_no_heavy_library_and_little_time() -> None:
    script = (
        "import sys, pathlib\n"
        "from rc_pipeline.catalog import load_catalog\n"
        "from tests.pace import within\n"
        "with within(0.3):\n"
        f"    load_catalog(pathlib.Path({str(SHIPPED)!r}))\n"
        "heavy = {'dagster', 'torch', 'polars', 'transformers', 'pandera', 'duckdb'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=SHIPPED.parent)


def test_sources_dump_to_the_one_key_that_was_given(desk) -> None:
    catalog = desk.load()
    assert catalog.datasets["quiz"].source.model_dump() == {"files": {"triviaqa-rc.tar.gz": "quiz/triviaqa-rc.tar.gz"}}
    assert catalog.models["tiny"].source.model_dump() == {"shipped": "rc_tiny"}


def test_a_dataset_gets_its_name_and_format_as_defaults(desk) -> None:
    quiz = desk.load().datasets["quiz"]
    assert (quiz.tasks, quiz.train_splits) == ("quiz", ["wikipedia-train"])
    assert quiz.splits[1] == "wikipedia-dev"


@pytest.mark.parametrize(
    ("name", "owner"),
    [("instructions", "all datasets"), ("lineage", "all datasets"), ("quiz_questions", "dataset quiz")],
)
def test_a_dataset_cannot_have_the_name_of_a_view(desk, name: str, owner: str) -> None:
    desk.write(f"datasets/{name}.yaml", (desk.root / "datasets/stories.yaml").read_bytes() + b"tasks: stories\n")
    (problem,) = desk.problems()
    assert str(problem).endswith(f"{name}.yaml: the warehouse has a view {name} of {owner}; give the file another name")


def test_two_datasets_of_two_formats_may_share_templates_that_name_what_both_have(desk) -> None:
    desk.edit("datasets/quiz.yaml", "format:", "tasks: stories\nformat:")
    for file in ("tasks/quiz/answer.yaml", "tasks/stories/choose.yaml"):
        (desk.root / file).unlink()
    desk.write("tasks/stories/other.yaml", 'instruction: "{{ question }}"\noutput: "{{ id }}"\n')
    assert desk.load().datasets["quiz"].tasks == "stories"
    desk.edit("tasks/stories/other.yaml", "{{ id }}", "{{ context }}")
    assert ["no column context" in problem.remedy for problem in desk.problems()] == [True]


def test_yaml_says_what_it_seems_to_say(desk) -> None:
    desk.edit("tasks/quiz/answer.yaml", "instruction: Answer.", "language: no\ninstruction: 1:30")
    desk.edit("tasks/quiz/answer.yaml", 'output: "{{ answer }}"', "output: 2024-01-02")
    desk.edit("datasets/stories.yaml", "train: 10", "train: 010")
    catalog = desk.load()
    template = catalog.tasks["quiz"]["answer"]
    assert (template.language, template.instruction, template.output) == ("no", "1:30", "2024-01-02")
    assert catalog.datasets["stories"].source.model_dump()["sample"]["train"] == 10


def test_anchors_and_merges_save_typing(desk) -> None:
    desk.edit("studies/first.yaml", "tuned: {model: tiny, tune: {", "tuned: &it {model: tiny, tune: {")
    desk.edit("studies/first.yaml", "ablations:", "  larger: {<<: *it, model: big}\nablations:")
    runs = desk.load().runs
    assert (runs["larger"].model, runs["larger"].tune) == ("big", runs["tuned"].tune)


def test_files_with_a_byte_order_mark_and_windows_line_ends_are_read(desk) -> None:
    for file in ("studies/first.yaml", "prompts/plain.json"):
        text = (desk.root / file).read_bytes()
        desk.write(file, b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert desk.load().prompts["plain"].response_split == "Answer:"


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_order_in_which_files_come_makes_no_difference(tmp_path_factory, desk_at, data: st.DataObject) -> None:
    second = "title: Second\ntrain_on: {quiz: 100, stories: all}\nevaluate_on: [quiz/web-dev]\nruns:\n"
    wanted = {
        "studies/second.yaml": second + "  wide: {model: tiny, tune: {rank: 8, learning_rate: 5e-3}}\n",
        "studies/third.yaml": second + "  also: {model: tiny, tune: {rank: 4, learning_rate: 5e-3}}\n",
        "studies/0.yaml": second + "  zero: {model: tiny}\n",
    }
    loaded = []
    for _ in range(2):
        root = tmp_path_factory.mktemp("order") / "catalog"
        desk = desk_at(root)
        files = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.*")} | wanted
        for file in files:
            (root / file).unlink(missing_ok=True)
        for file in data.draw(st.permutations(sorted(files))):
            desk.write(file, files[file])
        catalog = desk.load()
        loaded.append((list(catalog.runs.items()), catalog.study_runs, list(catalog.tasks), catalog.named_by))
    assert loaded[0] == loaded[1]


def test_the_order_of_fields_in_a_file_makes_no_difference_to_its_runs(desk) -> None:
    text = (desk.root / "studies/first.yaml").read_text()
    before = desk.load().runs
    head, runs = text.split("runs:\n")
    for lines in itertools.permutations(head.splitlines(keepends=True)):
        desk.write("studies/first.yaml", "".join(lines) + "runs:\n" + runs)
        assert desk.load().runs == before


YAML_PIECES = [
    "title",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<",
    "? ",
    "!!int ",
    "!!set ",
    "|",
    "'",
]


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["datasets", "tasks/quiz", "models", "studies", "prompts"]),
    pieces=st.lists(st.sampled_from([*YAML_PIECES, "1e5", ",", "\0"])),
)
def test_whatever_a_file_holds_it_is_a_problem_and_never_a_crash(tmp_path_factory, desk_at, kind, pieces) -> None:
    desk = desk_at(tmp_path_factory.mktemp("noise") / "catalog")
    file = f"{kind}/noise.{'json' if kind == 'prompts' else 'yaml'}"
    desk.write(file, "".join(pieces))
    assert f"catalog/{file}" in {problem.file for problem in desk.problems()}


@pytest.mark.parametrize("text", ["a: &x [*x]", "a: &x {b: *x}", "[" * 1500, "title: &x {title: *x}\nowners: *x"])
def test_files_that_go_round_in_circles_are_problems(desk, text: str) -> None:
    for file in ("datasets/noise.yaml", "studies/noise.yaml", "models/noise.yaml", "prompts/noise.json"):
        desk.write(file, text)
    assert len({problem.file for problem in desk.problems()}) == 4


def test_a_dataset_without_templates_of_its_own_uses_those_of_its_format(desk) -> None:
    desk.write(
        "tasks/alpaca/follow.yaml", 'instruction: "{{ instruction }}"\ninput: "{{ input }}"\noutput: "{{ output }}"\n'
    )
    for name, fmt in (("mine", "alpaca"), ("theirs", "sharegpt")):
        desk.write(f"datasets/{name}.yaml", f"title: T\nformat: {fmt}\nsource: {{files: {{train.json: t.json}}}}\n")
    datasets = desk.load().datasets
    assert (datasets["mine"].tasks, datasets["theirs"].tasks) == ("alpaca", "alpaca")
    desk.write("tasks/mine/ask.yaml", 'instruction: "{{ instruction }}"\noutput: "{{ output }}"\n')
    assert desk.load().datasets["mine"].tasks == "mine"


def test_records_have_the_columns_that_their_dataset_names(desk) -> None:
    columns = "columns: {passage: 文章, question: 问题, answer: 答案}"
    desk.write("datasets/mine.yaml", f"title: T\nformat: records\nsource: {{files: {{train.csv: a.csv}}}}\n{columns}\n")
    desk.write("tasks/mine/ask.yaml", 'instruction: "{{ question }}"\ninput: "{{ passage }}"\noutput: "{{ answer }}"\n')
    mine = desk.load().datasets["mine"]
    assert (mine.template_columns, mine.passage_column) == (("answer", "passage", "question"), "passage")
    desk.edit("tasks/mine/ask.yaml", "{{ question }}", "{{ 问题 }}")
    (problem,) = desk.problems()
    assert "no column 问题" in problem.remedy


@pytest.mark.parametrize(
    ("source", "field", "remedy"),
    [
        ("{hub: {id: squad, revision: main, splits: {train: train}}}", "source.hub.id", "<owner>/<name>"),
        ("{hub: {id: a/b, revision: main, splits: {train: train}}}", "source.hub.revision", "commit hash"),
        ("{hub: {id: a/b, revision: main, splits: {}}}", "source.hub.splits", "give at least one"),
        ("{identity: {en: {name: A, developers: B, abilities: [c]}}}", "source", "go together"),
        ("{identity: {fr: {name: A, developers: B, abilities: [c]}}}", "source.identity.fr", ""),
        ("{identity: {en: {name: A, abilities: []}}}", "source.identity.en.developers", "missing"),
    ],
)
def test_a_wrong_source_is_told_with_its_field(desk, source: str, field: str, remedy: str) -> None:
    desk.write("datasets/mine.yaml", f"title: T\nformat: squad\nsource: {source}\n")
    desk.write("tasks/squad/ask.yaml", 'instruction: "{{ question }}"\noutput: "{{ answer }}"\n')
    found = [problem for problem in desk.problems() if problem.field == field]
    assert found, desk.problems()
    assert remedy in found[0].remedy


def test_a_dataset_that_is_for_evaluation_alone_cannot_be_trained_on(desk) -> None:
    desk.edit("datasets/stories.yaml", "format: c", "train_splits: []\nformat: c")
    (problem,) = desk.problems()
    assert (problem.file, problem.field) == ("catalog/studies/first.yaml", "train_on.stories")
    assert "none of its splits is for training" in problem.remedy


def test_a_held_out_template_makes_an_evaluation_set_of_its_own(desk) -> None:
    desk.edit("tasks/stories/other.yaml", "use: [train]", "use: [held_out]")
    desk.edit("studies/first.yaml", "[stories/valid]", "[stories/valid, stories/valid.other]")
    (run,) = [run for run in desk.load().runs.values() if run.tune is None]
    assert set(run.evaluate_on) == {"stories/valid", "stories/valid.other"}


@pytest.mark.parametrize(
    ("columns", "field", "remedy"),
    [
        ("{group: g}", "columns.group", "a column of this name itself"),
        ("{my-text: t}", "columns.my-text", "templates could not name it"),
        ("{问题: 问题, Text: t}", "tasks", "no templates in catalog/tasks/mine"),
    ],
)
def test_names_of_records_are_names_that_templates_can_use(desk, columns: str, field: str, remedy: str) -> None:
    desk.write(
        "datasets/mine.yaml", f"title: T\nformat: records\nsource: {{files: {{train.csv: a}}}}\ncolumns: {columns}\n"
    )
    found = [problem for problem in desk.problems() if problem.field == field]
    assert found, desk.problems()
    assert remedy in found[0].remedy


@pytest.mark.parametrize("value", ["!!bool x", "!!timestamp x", "!!int [1]", "!!float {}", "!!null [x]"])
def test_a_value_that_its_tag_cannot_hold_is_a_problem(desk, value: str) -> None:
    desk.edit("datasets/quiz.yaml", "title: Quiz", f"title: {value}")
    assert any(problem.file == "catalog/datasets/quiz.yaml" for problem in desk.problems())


def test_a_study_whose_shares_and_temperature_disagree_is_told_with_its_file(desk) -> None:
    desk.edit(
        "studies/first.yaml", "{stories: all, quiz: 100}", "{stories: 50%, quiz: 50%}\nmixture: {temperature: 2.0}"
    )
    (problem,) = {problem for problem in desk.problems() if "the shares in train_on decide" in problem.remedy}
    assert (problem.file, problem.field) == ("catalog/studies/first.yaml", "runs.tuned.mixture.temperature")


def test_records_may_take_the_shipped_templates_of_their_kind(desk) -> None:
    for path in (SHIPPED / "tasks" / "reading").glob("*.yaml"):
        desk.write(f"tasks/reading/{path.name}", path.read_text(encoding="utf-8"))
    assert desk.load()
    said = "title: T\nformat: records\ntasks: reading\nsource: {files: {train.csv: a.csv}}\n"
    desk.write("datasets/mine.yaml", said + "columns: {passage: 文章, question: 问题, answer: 答案}\n")
    mine = desk.load().datasets["mine"]
    assert (mine.tasks, mine.kind) == ("reading", "squad")
    desk.write("datasets/mine.yaml", said + "columns: {question: 问题, answer: 答案}\n")
    assert all("the dataset has no column passage" in problem.remedy for problem in desk.problems())
