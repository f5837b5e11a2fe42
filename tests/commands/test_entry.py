from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rc_pipeline.cli", "sql", "SELECT repeat('x', 150) FROM range(50000)"]
    environment = os.environ | {"RC_LAKE": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
