"""What reaches the terminal."""

from __future__ import annotations

import subprocess
import sys

LAST_WORDS = """
import os
import dagster as dg
from resources.console import console_logger
logger = console_logger(dg.build_init_logger_context(logger_config={"log_level": "INFO"}))
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
logger.warning("[pipes] did not receive closed message from external process.")
logger.error("the last words")
"""


def test_what_is_said_reaches_the_terminal_though_a_step_turns_stderr_elsewhere() -> None:
    done = subprocess.run([sys.executable, "-c", LAST_WORDS], capture_output=True, text=True, timeout=120, check=True)
    assert [line.split("  ", 1)[1] for line in done.stderr.splitlines()] == ["the last words"]
