"""Every command of README.md and docs/ is given: here, by the page's own test, by one that ways.py names, or by CI."""

from __future__ import annotations

import ast
import csv
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import dagster as dg
import pytest
import yaml
from pages import Command, Page, options_of
from terminal import Terminal, each_way
from ways import CI, NOT_RUN, RUN_BY, SHOWN_BY, require_known, way_of

from rc_pipeline.catalog import load_catalog
from rc_pipeline.cli import main
from rc_pipeline.definitions import build_definitions
from rc_pipeline.lake.code import PROJECT
from tests.demo.small_study import SmallStudy
from tests.endpoints.endpoint_server import Handler, serving

PAGES = ["README.md", *sorted(path.name for path in (PROJECT / "docs").glob("*.md"))]
SET = "sample_trivia/wikipedia-dev"
# What a page says, and what is asked for in its place: the demo for studies and runs that take a GPU.
STANDS_FOR = {
    "full_pipeline": "demo", "STUDY=full_pipeline": "STUDY=demo", "STUDY=my_data": "STUDY=demo",
    "minicpm_lora": "demo_tuned", "bayling_tuned": "demo_tuned",
    "KEY=merged/minicpm_lora": "KEY=base_models/rc_tiny", "KEY=…": "KEY=base_models/rc_tiny",
    "RC_LAKE=/scratch/me/lake": "RC_LAKE=$PWD/data_lake",
    "STUDY": "demo", "KEY": f"scores/demo_tuned/{SET}", "KEY…": f"scores/demo_base/{SET}", '"…"': '"FROM scores"',
    "RUN": "demo_tuned", "RUN_A": "demo_tuned", "RUN_B": "demo_base", "EVAL_SET": SET, "FOLDER": "folder",
    "FILE.csv": "mei.csv", "FILE2.csv": "jo.csv", "…": "", "NAME": "named", "DATASET": "named",
    "https://host/v1": "$RC_ENDPOINT", "RC_API_KEY=…": "RC_API_KEY=a-key",
}  # fmt: skip
YAML = re.compile(r"`(catalog/[^`]+)`[^\n]*:\n( *)```yaml\n(.*?)^\2```", re.MULTILINE | re.DOTALL)
FOLDERS = {"dataset": "datasets", "model": "models", "study": "studies"}
# Processes of seconds and more: one that has ended well on one page has on all.
LONG = ("make", "dagster")
DEMO = {"make demo", "make run STUDY=demo", "dagster job execute -m rc_pipeline.definitions -j demo"}
GIVEN: set[str] = set()


@pytest.fixture
def terminal(demo: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A project whose judge finds the first answer better, and every answer good."""

    def judge(handler: Handler) -> None:
        grading = '"grade"' in str(handler.site.asked[-1])
        handler.complete('{"grade": 4}' if grading else '{"verdict": "A"}')

    with serving() as site:
        site.answers = [judge]
        monkeypatch.setenv("RC_ENDPOINT", site.url)
        monkeypatch.setenv("RC_API_KEY", "a-key")
        yield Terminal.open(demo, tmp_path / "project", monkeypatch)


def asked(text: str) -> list[str]:
    """Return what is given for a command of a page: each way to write it, with what stands for names and places."""
    if "\n" not in text:
        text = re.sub(r" +# .*", "", text)
    if text == "rc-pipeline plan full_pipeline":
        return [text]
    ways = [text] if set("'\"\n") & set(text) else each_way(text)
    return [re.sub(r"(?<!\S)\S+(?!\S)", lambda word: STANDS_FOR.get(word[0], word[0]), way) for way in ways]


def rated(terminal: Terminal, _: str) -> None:
    """Two people fill in the sheet that was written."""
    with (terminal.folder / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("mei", "jo"):
        with (terminal.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(row | {"better": "A"} for row in rows)


def cleared(terminal: Terminal, text: str) -> None:
    """What the command writes is not there yet."""
    _, _, kind, *_, name = text.split()
    for path in (name, f"catalog/{FOLDERS.get(kind)}/{name}.yaml"):
        (terminal.folder / path).unlink(missing_ok=True)


def written(terminal: Terminal, _: str) -> None:
    """The files of README's own data lie where it says."""
    text = Page("README.md").text
    header = re.search(r"header `(id,[^`]+)`", text)
    assert header
    for name, indent, body in YAML.findall(text):
        terminal.write(name, textwrap.dedent(body))
        assert indent
    for split in ("train", "valid"):
        rows = (f"{n},Ann is in room {n} .,Where is Ann ?,in {n},in bed,at sea,at work,0" for n in range(10))
        terminal.write(f"data_lake/inbox/my_quiz/{split}.csv", "\n".join([header[1], *rows]) + "\n")


BEFORE = {
    "rc-pipeline judge read": rated,
    "rc-pipeline judge sheet": cleared,
    "rc-pipeline new": cleared,
    "rc-pipeline plan my_study": written,
}


def give(terminal: Terminal, command: Command) -> None:
    """Give a command of a page; what runs for long is run once for all pages."""
    for text in asked(command.text):
        if text in GIVEN:
            continue
        for beginning, prepare in BEFORE.items():
            if text.startswith(beginning):
                prepare(terminal, text)
        if text.startswith("rc-pipeline report pdf") and not any(map(shutil.which, ("latexmk", "tectonic"))):
            assert "apt-get install" in terminal.give(text, code=1)
        else:
            terminal.give(text)
        if text.startswith(LONG):
            GIVEN.update(DEMO if text in DEMO else {text})


# README.md alone trains, asks and reports, in processes of their own, as its reader does.
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_can_be_given(terminal: Terminal, name: str) -> None:
    page = Page(name)
    for command in page.every_command():
        if way_of(page, command) == "here":
            give(terminal, command)


def test_a_key_that_is_not_there_builds_nothing(terminal: Terminal) -> None:
    assert "did you mean scores/demo_tuned" in terminal.give(
        "make build KEY=scores/demo_tund/sample_cosmos/valid", code=2
    )


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_given_here_is_parsed(name: str) -> None:
    page = Page(name)
    for command in page.every_command():
        require_known(page, command)


@pytest.mark.parametrize("beginning", RUN_BY)
def test_a_test_that_runs_a_command_exists_and_speaks_of_it(beginning: str) -> None:
    name, words = RUN_BY[beginning]
    file, _, function = name.partition("::")
    source = (PROJECT / file).read_text(encoding="utf-8")
    assert function in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert [word for word in words if word not in source] == []
    if beginning.startswith("make "):
        made = " ".join(recipe(beginning.split()[1])).split()
        assert {word for word in words if word != "dagster"} <= set(made)


def test_ci_runs_what_the_pages_leave_to_it() -> None:
    assert "exec make test" in (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    tested = recipe("test")
    for command in CI:
        assert recipe(command.split()[1]) <= tested, command


def recipe(target: str) -> set[str]:
    """Return what make would call of the environment for a target, in a fresh clone."""
    command = ["make", "-n", "-W", "pyproject.toml", f"PYTHON={sys.executable}", target]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60).stdout
    return {line for line in told.splitlines() if line.startswith(".venv/bin/")}


def test_every_page_with_a_test_of_its_own_gives_its_commands() -> None:
    for page, file in SHOWN_BY.items():
        source = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f'Page("{page}")' in source
        assert "PAGE.commands()" in source


def test_every_reason_and_every_other_test_is_needed() -> None:
    texts = [" ".join(command.words) for name in PAGES for command in Page(name).every_command()]
    unused = [each for each in (*RUN_BY, *NOT_RUN, *CI) if not any(text.startswith(each) for text in texts)]
    assert unused == []


@pytest.mark.parametrize(
    "text",
    [
        "Give `rc-pipeline plan demo --jsno`.",
        "Give `rc-pipeline judge pears demo_tuned demo_base sample_trivia/wikipedia-dev`.",
        "```\nrc-pipeline xray --modell rc_tiny\n```",
        "```\n$ rc-pipeline rehearse my_data --row 8\n```",
        "```bash\npython benchmarks/training.py --row 48\n```",
        "```\npip install -e '.[judges]'\n```",
        "```\ntransformers serve a_model --prot 8001\n```",
        "```\nwget https://example.org/data.zip\n```",
        "`make demos`",
    ],
)
def test_a_command_that_is_wrong_or_that_nothing_runs_is_noticed(terminal: Terminal, text: str) -> None:
    page = Page("ui.md", text)
    [command] = page.every_command()
    with pytest.raises((AssertionError, click.ClickException, SystemExit)):
        require_known(page, command)
        give(terminal, command)


def test_the_settings_of_a_run_on_a_gpu_node_are_taken(demo: SmallStudy) -> None:
    [body] = re.findall(r"^```yaml\n(resources:.*?)^```$", Page("gpu-node.md").text, re.MULTILINE | re.DOTALL)
    job = build_definitions(demo.catalog, demo.lake).resolve_job_def("demo")
    said = yaml.safe_load(body)
    dg.validate_run_config(job, said)
    said["resources"]["compute"]["config"]["procesess"] = 2
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, said)


def test_every_option_that_stands_alone_is_one_of_the_command_line() -> None:
    known = options_of(main)
    for name in PAGES:
        alone = re.findall(r"`(--[a-z][\w-]*)[^`\n]*`", Page(name).text)
        assert set(alone) - known == set(), name


def test_the_studies_that_the_demo_stands_for_are_there() -> None:
    catalog = load_catalog(PROJECT / "catalog")
    assert "full_pipeline" in catalog.studies
    assert {"minicpm_lora", "bayling_tuned"} <= set(catalog.runs)
