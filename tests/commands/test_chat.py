"""`rc-pipeline chat`, as it is typed and as it is piped."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rc_pipeline.commands.chat import printed

COMMAND = [sys.executable, "-m", "rc_pipeline.cli", "chat"]
IN_A_TERMINAL = [
    sys.executable, "-c", "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))",
]  # fmt: skip


@pytest.fixture
def talk(built_lake: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Pipe lines into a chat and return what it printed."""
    from rc_pipeline.cli import main

    def call(*arguments: str, lines: str = "") -> Result:
        monkeypatch.setenv("RC_LAKE", str(built_lake))
        return CliRunner().invoke(main, ["chat", *arguments, "--max-new-tokens", "12"], input=lines)

    return call


def test_an_unknown_run_is_refused_with_the_nearest_name(cli):
    assert "demo_tune: no study has such a run; did you mean demo_tuned?" in cli("chat", "demo_tune", code=1).output


def test_a_run_that_is_not_trained_yet_is_refused_with_the_command_that_trains_it(cli):
    said = cli("chat", "demo_tuned", code=1).output
    assert "adapters/demo_tuned does not stand (never built)" in said
    assert "make build KEY=adapters/demo_tuned" in said


def test_a_model_that_is_not_built_is_refused_with_the_command_that_builds_it(cli, tmp_path):
    said = cli("chat", "demo_base", lake=tmp_path, code=1).output
    assert "make build KEY=base_models/rc_tiny" in said


def test_the_unknown_costs_no_heavy_import(tmp_path):
    script = "import sys\nfrom rc_pipeline.commands.chat import chat\nassert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_the_base_of_a_tuned_run_is_talked_to_before_it_is_tuned(talk):
    done = talk("demo_tuned", "--base", lines="Who lives in Rome?\n")
    assert done.exit_code == 0, done.output
    assert "demo_tuned: rc_tiny, prompt brief; its prompt has no place for earlier turns" in done.stderr


def test_every_line_of_a_pipe_is_a_question_and_every_answer_a_line(talk):
    lines = (
        "Anna lives in Rome. Where?\n\n谁住在罗马？\n/system Be brief.\n/what\n" + "long " * 3000 + "\n/quit\nnever\n"
    )
    done = talk("demo_base", lines=lines)
    assert done.exit_code == 0, done.output
    answers = done.stdout.splitlines()
    assert [n for n, answer in enumerate(answers) if not answer] == [1, 3, 4, 5]
    assert len(answers) == 6
    assert "no place for a system text ('Be brief.')" in done.stderr
    assert "/what: /system TEXT tells it" in done.stderr
    assert "this question is too long" in done.stderr


def test_control_characters_of_an_answer_are_shown_and_not_obeyed():
    said = "\x1b[2J红\tone\r\n\u2028\\ end"
    assert printed(said, piped=False) == "\\x1b[2J红\tone\\r\n\\u2028\\ end"
    assert printed(said, piped=True) == "\\x1b[2J红\tone\\r\\n\\u2028\\\\ end"


def test_a_system_text_that_has_no_place_ends_the_command(talk):
    done = talk("demo_base", "--system", "Be brief.", lines="Who?\n")
    assert done.exit_code == 1
    assert "no place for a system text" in done.output


def test_ctrl_c_stops_an_answer_and_not_the_chat_and_the_end_of_input_ends_it(built_lake):
    command = [*IN_A_TERMINAL, *COMMAND, "demo_base", "--max-new-tokens", "250"]
    environment = os.environ | {"RC_LAKE": str(built_lake), "TERM": "dumb", "OMP_NUM_THREADS": "1"}
    with _started(command, environment) as process:
        assert process.stdin is not None
        said = [_until(process, "> ")]
        for keys, answer in (
            (b"Tell me of Rome.\n", "Tell me of Rome.\r\n"),
            (b"\x03", "/quit or Ctrl-D ends the chat"),
            (b"", "> "),
            (b"\x03", "/quit or Ctrl-D ends the chat"),
            (b"", "> "),
            (b"Who lives in Rome?\n", "Who lives in Rome?\r\n"),
            (b"", "> "),
        ):
            process.stdin.write(keys)
            process.stdin.flush()
            said.append(_until(process, answer, again=keys if keys == b"\x03" else b""))
        process.stdin.write(b"\x04")
        process.stdin.flush()
        assert process.wait(60) == 0, said


@contextmanager
def _started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def _until(process: subprocess.Popen[bytes], wanted: str, again: bytes = b"") -> str:
    """Read up to what is wanted; `again` is typed every other second until it comes.

    Python's prompt hears a Ctrl-C only at the next key where it comes before the prompt has begun to wait.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    said = b""
    while wanted.encode() not in said:
        if again and not select.select([process.stdout], [], [], 2)[0]:
            process.stdin.write(again)
            continue
        byte = process.stdout.read(1)
        assert byte, said
        said += byte
    return said.decode("utf-8", "replace")
