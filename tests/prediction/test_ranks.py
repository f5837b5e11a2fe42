"""Several processes that answer together, as `torchrun` starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rc_pipeline.prediction.row_cache import RowCache
from tests.prediction.test_run import mixed, predictions, run, spec_of

ONE = """
import json, sys, torch
torch.set_num_threads(1)
from rc_pipeline.prediction.run import predict
from rc_pipeline.worker import Progress
outcome = predict(json.load(open(sys.argv[1])), Progress("prediction", lambda _: None))
print(json.dumps(outcome.metadata.get("rows")))
"""


def start(spec: dict[str, Any], folder: Path, rank: int, processes: int) -> subprocess.Popen[str]:
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    environment = os.environ | {"RANK": str(rank), "WORLD_SIZE": str(processes), "LOCAL_RANK": str(rank)}
    command = [sys.executable, "-c", ONE, str(path)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> Any:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(said.splitlines()[-1])


def test_two_processes_say_what_one_says_and_the_first_writes_it(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path / "two", mixed())
    both = [start(spec, tmp_path, rank, 2) for rank in (1, 0)]

    assert [told(process) for process in both] == [None, 24]

    alone = spec_of(llama, tmp_path / "one", mixed())
    run(alone)
    assert_frame_equal(predictions(spec), predictions(alone), abs_tol=1.5e-5, rel_tol=0)
    shards = list(RowCache(Path(spec["cache"]), weights="w", salt="s").folder.iterdir())
    assert len(shards) == 2


def test_the_first_waits_for_a_process_that_comes_late_and_finds_less_to_ask(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path / "two", mixed())
    first = start(spec, tmp_path, 0, 2)
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(timeout=15)

    late = start(spec, tmp_path, 1, 2)

    assert [told(late), told(first)] == [None, 24]
    assert predictions(spec).select(pl.col("problem").null_count()).item() == 24


def test_nothing_is_asked_twice_when_one_of_them_was_killed(llama: Path, tmp_path: Path) -> None:
    spec = spec_of(llama, tmp_path / "two", mixed())
    assert told(start(spec, tmp_path, 1, 2)) is None
    shard = next(RowCache(Path(spec["cache"]), weights="w", salt="s").folder.iterdir())
    known = len(shard.read_bytes().splitlines())

    outcome = run(spec)

    assert (outcome.metadata["cached_rows"], outcome.metadata["computed_rows"]) == (known, 24 - known)
    assert 0 < known < 24
