"""A page of the docs as its reader meets it: files to write, commands to give, and what they print."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

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
DOTS = "…"


@dataclass(frozen=True)
class Command:
    """What the reader types, and what the page shows in answer."""

    text: str
    shown: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    def require(self, printed: str) -> None:
        """Compare with what the page shows; dots stand for anything."""
        wanted = ".*".join(re.escape(part) for part in self.shown.strip("\n").split(DOTS))
        assert re.fullmatch(wanted, printed.strip("\n"), re.DOTALL), f"$ {self.text}\n{printed}"


class Page:
    """The blocks of one page, in their order."""

    def __init__(self, name: str) -> None:
        self.text = (PROJECT / "docs" / name).read_text(encoding="utf-8")
        self.files = {found[1]: found[2] for found in FILE.finditer(self.text)}

    def commands(self) -> list[Command]:
        """Return the commands of all console blocks; one may go over several lines, up to its last quote."""
        found = []
        for block in CONSOLE.findall(self.text):
            starts = [match.start() for match in re.finditer(r"^\$ ", block, re.MULTILINE)] + [len(block)]
            for start, end in pairwise(starts):
                lines = block[start + 2 : end].splitlines()
                length = next(n for n in range(1, len(lines) + 1) if "\n".join(lines[:n]).count('"') % 2 == 0)
                found.append(Command("\n".join(lines[:length]), "\n".join(lines[length:])))
        return found


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
