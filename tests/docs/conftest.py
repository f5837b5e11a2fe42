from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tests.demo.small_study import SmallStudy, copy_catalog


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """The demo on few rows, built once for all of pytest's processes; whoever changes something takes a copy."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo_of_the_docs"
    folder.mkdir(exist_ok=True)
    study = SmallStudy(folder / "catalog", folder / "lake")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            shutil.rmtree(study.catalog, ignore_errors=True)
            copy_catalog(study.catalog)
            study.run()
            (folder / "built").touch()
    return study
