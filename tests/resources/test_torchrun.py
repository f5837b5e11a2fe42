"""Several processes of one task: they end together, in the way that tells why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT
from resources.compute import Compute, WorkerFailed, WorkerHung, _supervise
from tests.models.tiny_models import instructions, training_spec, write_model
from tests.resources.test_compute import alive, wait_for

# Each process leaves its number; then the spec says what the second one does while the first one waits.
TASK = """
import os, pathlib, signal, sys, time
from rc_pipeline.worker import beat, die_with_parent, processes, rank
die_with_parent()
beat("started")
assert processes() == 2
spec = pathlib.Path(sys.argv[1])
(spec.parent / f"rank{rank()}").write_text(str(os.getpid()))
while len(list(spec.parent.glob("rank*"))) < 2:
    time.sleep(0.05)
exec(spec.read_text() if rank() == 1 else "time.sleep(60)")
"""


def command(folder: Path, second: str) -> list[str]:
    (folder / "task.py").write_text(TASK)
    (folder / "spec").write_text(second)
    return [sys.executable, "-m", "rc_pipeline.torchrun", "2", "task", str(folder / "spec")]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{folder}:{PROJECT}"}


def pids(folder: Path) -> list[int]:
    return [int((folder / f"rank{number}").read_text() or 0) for number in range(2)]


def none_left(folder: Path) -> bool:
    return not any(alive(pid) for pid in pids(folder))


@pytest.mark.parametrize(
    ("second", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
    ],
)
def test_all_end_as_the_one_that_failed(tmp_path, second, code):
    ended = _supervise(command(tmp_path, second), environment(tmp_path), heartbeat=tmp_path / "beat", patience=60)

    assert ended == code
    assert none_left(tmp_path)


def test_all_are_ended_when_none_gives_a_sign_of_life(tmp_path):
    with pytest.raises(WorkerHung, match="the last it said was: started"):
        _supervise(command(tmp_path, "time.sleep(60)"), environment(tmp_path), heartbeat=tmp_path / "beat", patience=15)

    wait_for(lambda: none_left(tmp_path), seconds=5)


@pytest.mark.parametrize("cause", [signal.SIGTERM, signal.SIGKILL])
def test_all_die_with_their_launcher(tmp_path, cause):
    process = subprocess.Popen(command(tmp_path, "time.sleep(60)"), env=environment(tmp_path), start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("rank*"))) == 2 and all(pids(tmp_path)), seconds=60)

    started = time.monotonic()
    process.send_signal(cause)

    assert process.wait(10) == -cause
    wait_for(lambda: none_left(tmp_path), seconds=5)
    assert time.monotonic() - started < 10


def test_all_die_with_the_run_that_started_them(tmp_path):
    parent = (
        "import os, subprocess, sys; os.environ['RC_PARENT'] = str(os.getpid());"
        f"subprocess.run({command(tmp_path, 'time.sleep(60)')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], env=environment(tmp_path))
    wait_for(lambda: len(list(tmp_path.glob("rank*"))) == 2 and all(pids(tmp_path)), seconds=60)

    process.kill()
    process.wait()

    wait_for(lambda: none_left(tmp_path), seconds=5)


def train_under_dagster(compute, spec):
    """Train as an asset does; return the outcome and what the log of the run shows."""
    import dagster as dg

    outcomes = []

    @dg.asset(required_resource_keys={"compute"})
    def adapter(context):
        outcomes.append(context.resources.compute.run(context, "training", spec))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([adapter], resources={"compute": compute}, instance=instance)
        return outcomes[0], [entry.user_message for entry in instance.all_logs(result.run_id)]


def test_a_run_trains_in_several_processes_and_hears_of_one(tmp_path):
    spec = training_spec(write_model(tmp_path / "llama"), tmp_path, instructions(9))

    outcome, said = train_under_dagster(Compute(processes=2, sharded=True), spec)

    assert len(outcome.checks) == 4
    assert all(check.passed for check in outcome.checks)
    assert sum("9 examples, 3 steps, ready" in line for line in said) == 1
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_what_only_one_process_says_of_a_failure_reaches_the_run(tmp_path):
    spec = training_spec(write_model(tmp_path / "llama"), tmp_path, instructions(9), targets=["c_attn"])

    with pytest.raises(WorkerFailed, match=r"c_attn.*v_proj"):
        train_under_dagster(Compute(processes=2), spec)
