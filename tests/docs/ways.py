"""How each command of the pages is held: given in a copy of the project, by another test, by CI, or only parsed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable

import click
from pages import Command, Page

from rc_pipeline.cli import main
from rc_pipeline.lake.code import PROJECT

# Pages whose own test gives each command of their console blocks and holds what it prints against the page.
SHOWN_BY = {
    "datasets.md": "test_datasets_page.py",
    "error-analysis.md": "test_error_analysis_page.py",
    "probes.md": "test_probes_page.py",
    "scores.md": "test_scores_page.py",
    "templates.md": "test_templates_page.py",
}
# What takes minutes, or never ends by itself, has a test of its own, in which these words stand.
RUN_BY = {
    "make ui": (
        "tests/demo/test_entrances.py::test_the_ui_serves_the_graph_and_launches_a_materialization",
        ["dagster", "dev", "-w", "workspace.yaml"],
    ),
    "python benchmarks/gpu_training.py --tiny": (
        "tests/training/test_gpu_benchmark.py::test_both_layouts_train_with_the_projects_own_trainer",
        ["--tiny"],
    ),
    "rc-pipeline rehearse": (
        "tests/commands/test_rehearse.py::test_a_study_without_faults_ends_well_and_leaves_the_lake_as_it_was",
        ["rehearse"],
    ),
    "rc-pipeline templates propose": (
        "tests/commands/test_templates.py::test_kept_templates_lie_in_the_catalog_for_training_alone_and_the_key_lies_nowhere",
        ["templates", "propose"],
    ),
}
# What a project has or a shell can do without a network.
GIVEN_HERE = (".", "cd", "cp", "dagster", "export", "make", "mkdir", "python", "rc-pipeline")
# CI is `make test` in a clean clone: whatever that makes, CI runs.
CI = ("make setup", "make lint", "make types", "make test")


def extras(command: Command) -> None:
    """Pip gets what pyproject.toml and constraints.txt have."""
    offered = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"^\.\[(\w+)\]$", command.words[-1])
    assert set(asked) <= set(offered), command.text
    assert command.words[2:-1] in ([], ["-e"], ["-c", "constraints.txt", "-e"]), command.text


def body_of_a_request(command: Command) -> None:
    assert command.words[1].endswith("/v1/chat/completions")
    body = json.loads(command.words[command.words.index("-d") + 1])
    assert {message["role"] for message in body["messages"]} == {"user"}


def options_of_a_benchmark(command: Command) -> None:
    script = PROJECT / command.words[1].replace("<name>", "measuring")
    named = set(re.findall(r'"(--[\w-]+)"', script.read_text(encoding="utf-8")))
    assert {word for word in command.words[2:] if word.startswith("-")} <= named, command.text


def transformers_knows(command: Command) -> None:
    from transformers.cli.transformers import app

    parsed(app, command.words)


def nothing_to_parse(command: Command) -> None:
    """What stands here are another program's name and a flag or two, no whole command."""


# What no test here can run, why, and what is held of it instead.
NOT_RUN: dict[str, tuple[str, Callable[[Command], None]]] = {
    "apt-get install": ("installs packages as root, from a network", nothing_to_parse),
    "cp -a": ("names the flag that keeps links", nothing_to_parse),
    "dagster job execute … -c run.yaml": ("its file is held against the job", nothing_to_parse),
    "curl": ("asks the server that `transformers serve` has started", body_of_a_request),
    "duckdb -readonly": ("DuckDB's own shell, which the project does not install", nothing_to_parse),
    "hf download": ("names the hub's own tool", nothing_to_parse),
    "pip install": ("installs packages, from a network", extras),
    "python benchmarks/": ("measures for minutes beside other programs, or on a GPU", options_of_a_benchmark),
    "rsync -a": ("names the flag that keeps links", nothing_to_parse),
    "tensorboard --logdir": ("TensorBoard, which the project does not install", nothing_to_parse),
    "transformers chat": ("talks to that server", transformers_knows),
    "transformers serve": ("serves until it is stopped", transformers_knows),
}


def parsed(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Parse words as the command line does, down to the options of the last command, and run nothing."""
    context = command.make_context(words[0], words[1:], parent, resilient_parsing=False)
    if isinstance(command, click.Group):
        name, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert below is not None
        parsed(below, [str(name), *rest], context)


def is_a_name(command: Command) -> bool:
    """Tell a command that is spoken of, without the arguments it cannot do without, from one to be given."""
    words = command.words
    if words[0] != "rc-pipeline" or not all(word.isalpha() for word in words[1:]):
        return False
    known: click.Command = main
    for word in words[1:]:
        if not isinstance(known, click.Group):
            return False
        assert word in known.commands, f"`{command.text}`: rc-pipeline has no such command"
        known = known.commands[word]
    return isinstance(known, click.Group) or any(parameter.required for parameter in known.params)


def way_of(page: Page, command: Command) -> str:
    """Return how a command of a page is held: `shown`, `name`, `elsewhere`, `CI`, `not run`, or `here`."""
    text = " ".join(command.words)
    if page.name in SHOWN_BY and command in page.commands():
        return "shown"
    if is_a_name(command):
        return "name"
    for way, texts in (("elsewhere", RUN_BY), ("CI", CI), ("not run", NOT_RUN)):
        if any(text.startswith(each) for each in texts):
            return way
    return "here"


def require_known(page: Page, command: Command) -> None:
    """Hold that something runs a command, and that the program which it calls takes its arguments."""
    way, text = way_of(page, command), " ".join(command.words)
    if way == "not run":
        next(check for beginning, (_, check) in NOT_RUN.items() if text.startswith(beginning))(command)
    elif way == "elsewhere" and command.words[0] == "rc-pipeline":
        parsed(main, command.words)
    assert way != "here" or command.words[0] in GIVEN_HERE, (
        f"`{command.text}`: no test runs it, and ways.py has no reason"
    )
