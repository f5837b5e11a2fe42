"""One browser and one server for all tests here, over a study small enough for a minute."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "demo")]

from project_copy import ProjectCopy
from served import Ui, browser, opened, serving

from rc_pipeline.lake.code import PROJECT


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where `make screenshots` wants the pictures."""
    folder = os.environ.get("RC_PICTURES")
    return Path(folder).resolve() if folder else None


@pytest.fixture(scope="session")
def chromium(pictures: Path | None) -> str:
    found = browser()
    if found is None:
        missing = "no Chromium on the path; install one, with Debian: apt-get install chromium"
        if pictures or os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
def project(chromium: str, pictures: Path | None, tmp_path_factory: pytest.TempPathFactory) -> ProjectCopy:
    made = ProjectCopy.make(tmp_path_factory.mktemp("ui"))
    shutil.copy(made.folder / "resources" / "dagster.yaml", made.folder / "dagster_home")
    if pictures:
        shutil.copytree(PROJECT / "catalog", made.folder / "catalog", dirs_exist_ok=True)
    else:
        made.replace(made.folder / "catalog/studies/demo.yaml", "- sample_trivia/wikipedia-dev\n", "")
    return made


@pytest.fixture(scope="session")
def ui(project: ProjectCopy, chromium: str, pictures: Path | None) -> Iterator[Ui]:
    with serving(project) as address, opened(address, chromium, pictures) as found:
        yield found
