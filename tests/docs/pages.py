"""A page of the docs as its reader meets it: files to write, commands to give, and what they print."""

from __future__ import annotations

import re
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from assets.factory import Stage
from rc_pipeline.catalog.formats import FACTS
from rc_pipeline.cli import main
from rc_pipeline.commands import entry
from rc_pipeline.lake.build import Lake, Work
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage

FILE = re.compile(r"^`((?:catalog|data_lake/inbox)/[^`]+)`[^\n]*\n+```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
SHELLS = ("", "bash", "console", "sh", "shell")
PROGRAMS = {
    "apt", "apt-get", "conda", "curl", "dagster", "dagster-webserver", "docker", "duckdb", "git", "hf", "latexmk",
    "make", "mypy", "nvidia-smi", "ollama", "pip", "pipx", "pytest", "python", "python3", "rc-pipeline", "rsync",
    "ruff", "sbatch", "srun", "sqlite3", "ssh", "sudo", "tectonic", "tensorboard", "torchrun", "transformers", "uv",
    "vllm", "wget",
}  # fmt: skip
SETTING_UP = {".", "cd", "cp", "export", "mkdir"}
DOTS = "…"


@dataclass(frozen=True)
class Command:
    """What the reader types, and what the page shows in answer."""

    text: str
    shown: str = ""

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)

    def require(self, printed: str) -> None:
        """Compare with what the page shows; dots stand for anything."""
        wanted = ".*".join(re.escape(part) for part in self.shown.strip("\n").split(DOTS))
        assert re.fullmatch(wanted, printed.strip("\n"), re.DOTALL), f"$ {self.text}\n{printed}"

    def require_but_for_figures(self, printed: str) -> None:
        """Compare with what the page shows, wherever figures and widths differ."""
        Command(self.text, _without_figures(self.shown)).require(_without_figures(printed))


def _without_figures(text: str) -> str:
    lines = (re.sub(r"\d[\d.,:]*", "0", re.sub(r" +", " ", line)).rstrip() for line in text.splitlines())
    return "\n".join(lines)


def table(printed: str) -> tuple[list[str], list[str], bool]:
    """Return names and types of the columns that a query printed, and whether a row follows."""
    lines = [line for line in printed.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return cells[0], cells[1], len(cells) > 2


class Page:
    """The blocks of one page, in their order."""

    def __init__(self, name: str, text: str | None = None) -> None:
        self.name = name
        path = PROJECT / name if name == "README.md" else PROJECT / "docs" / name
        self.text = path.read_text(encoding="utf-8") if text is None else text
        self.files = {found[1]: found[2] for found in FILE.finditer(self.text)}

    def commands(self) -> list[Command]:
        """Return the commands of all console blocks, with what they print."""
        return [one for block in CONSOLE.findall(self.text) for one in _console(block)]

    def every_command(self) -> list[Command]:
        """Return all that a reader may type: of console blocks, of scripts, and of what is set as code in prose."""
        blocks = [textwrap.dedent(body) for _, kind, body in FENCED.findall(self.text) if kind.strip() in SHELLS]
        fenced = [one for block in blocks for one in (_console(block) if _prompted(block) else _script(block))]
        codes = INLINE.findall(FENCED.sub("", self.text))
        return fenced + [Command(text) for code in codes for text in _in_prose(code.replace("\\|", "|"))]


def _prompted(block: str) -> bool:
    return re.search(r"^\$ ", block, re.MULTILINE) is not None


def _console(block: str) -> Iterator[Command]:
    """Cut a console block at its prompts."""
    starts = [match.start() for match in re.finditer(r"^\$ ", block, re.MULTILINE)] + [len(block)]
    for start, end in pairwise(starts):
        first, rest = _first_command(block[start + 2 : end].splitlines())
        yield Command(first, "\n".join(rest))


def _first_command(lines: list[str]) -> tuple[str, list[str]]:
    """Part the first command, which may go over several lines, up to its last quote, from what follows it."""
    length = next(n for n in range(1, len(lines) + 1) if _is_whole("\n".join(lines[:n])))
    return "\n".join(lines[:length]), lines[length:]


def _is_whole(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def _script(block: str) -> Iterator[Command]:
    """Part a block without prompts, if it is one of commands; one that sets up what follows in it is a whole."""
    lines = block.strip("\n").splitlines()
    if not PROGRAMS & {line.partition(" ")[0] for line in lines}:
        return
    if SETTING_UP & {line.partition(" ")[0] for line in lines}:
        yield Command("\n".join(lines))
        return
    while lines:
        first, lines = _first_command(lines)
        if Command(first).words:
            yield Command(first)


def _in_prose(code: str) -> Iterator[str]:
    """Return code in prose as a command, if it is one and no bare name; `plan --json` is one of rc-pipeline's."""
    program, _, rest = code.partition(" ")
    if program in {"FROM", "SELECT"}:
        yield f"rc-pipeline sql {shlex.quote(code)}"
        return
    if code == "make" or (rest and program in PROGRAMS | SETTING_UP):
        yield code
        return
    known = main.commands.get(program)
    if known is None or not rest:
        return
    follows = rest.split()[0]
    if follows.startswith(("-", "[")) or follows.isupper() or follows in getattr(known, "commands", {}):
        yield f"rc-pipeline {code}"


def options_of(command: click.Command) -> set[str]:
    """Return every option of a command and of those below it."""
    own = {name for parameter in command.params for name in parameter.opts}
    return own.union(*(options_of(each) for each in getattr(command, "commands", {}).values()))


class Reader:
    """Somebody who does what a page says, in a project of their own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.lake_folder = folder / "data_lake"
        _copy_shipped(folder / "catalog")
        patch.setenv("RC_LAKE", str(self.lake_folder))
        patch.setenv("COLUMNS", "120")
        patch.chdir(folder)
        patch.setattr(entry, "load_lineage", partial(load_lineage, folder / "catalog"))

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def lake(self) -> Lake:
        return Lake(self.lake_folder, load_lineage(self.folder / "catalog", self.lake_folder).graph)

    def build(self, key: str) -> None:
        """Build a key and what it stands on, as its assets do; no light stage needs Dagster or a worker."""
        stages, lake = _stages(), self.lake()
        for each in lake.graph.upstream([key]):
            stage = stages[lake.graph[each].stage]
            lake.obtain(each, partial(_built, stage))

    def give(self, command: Command) -> str:
        """Return what a command prints."""
        words = command.words
        if words[:3] == ["dagster", "asset", "materialize"]:
            selected = re.fullmatch(r'\+key:"(.+)"', words[words.index("--select") + 1])
            assert selected, words
            self.build(selected[1])
            return ""
        assert words[0] == "rc-pipeline", words
        return CliRunner().invoke(main, words[1:]).output


def _copy_shipped(catalog: Path) -> None:
    """Copy the shipped catalog, without what the owner of this checkout has added to it."""
    samples = ("sample_cosmos", "sample_trivia")
    kept = {
        "datasets": (*samples, "cosmos_qa", "trivia_qa", "identity"),
        "tasks": (*samples, *FACTS),
        "models": ("rc_tiny",),
    }
    for kind in ("datasets", "tasks", "prompts", "models"):
        (catalog / kind).mkdir(parents=True)
        for path in (PROJECT / "catalog" / kind).iterdir():
            if path.stem in kept.get(kind, (path.stem,)):
                (shutil.copytree if path.is_dir() else shutil.copy)(path, catalog / kind / path.name)
    (catalog / "studies").mkdir()


def _built(stage: Stage, work: Work) -> object:
    def heavy(*_: object) -> object:
        raise AssertionError("this stage works in a process of its own")

    return stage.build(work, heavy)  # type: ignore[arg-type]


def _stages() -> dict[str, Stage]:
    from rc_pipeline.definitions import STAGES

    return STAGES
