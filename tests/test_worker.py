"""What a training or prediction says of how far it is."""

from __future__ import annotations

import pytest

from rc_pipeline import worker
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.worker import Progress, read_outcome, write_outcome


@pytest.fixture
def clock(monkeypatch):
    """Give a clock that stands still until it is set."""
    now = [0.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    return now


def test_getting_ready_and_what_was_done_before_do_not_count_for_the_time_left(clock):
    said: list[str] = []
    progress = Progress("training", said.append)
    for clock[0], done in ((100.0, 83), (105.0, 93), (154.0, 200)):
        progress(done, 200)
    assert said == ["training  83/200  100 s", "training  93/200  105 s, 54 s left", "training  200/200  154 s"]


def test_lines_are_as_rare_as_they_should_be_but_for_the_last(clock):
    said: list[str] = []
    progress = Progress("prediction", said.append)
    for clock[0], done in ((10.0, 1), (11.0, 2), (14.9, 3), (15.0, 4), (15.1, 5)):
        progress(done, 5)
    assert [line.split()[1] for line in said] == ["1/5", "4/5", "5/5"]


def test_figures_are_told_with_their_units(clock):
    said: list[str] = []
    Progress("training", said.append)(1, 1, loss=0.18404, tokens_per_second=13011.7, gigabytes=0.66)
    assert said == ["training  1/1  loss 0.184  13,012 tokens/s  0.7 GB  0 s"]


def test_what_a_worker_tells_keeps_its_order(tmp_path):
    told: dict[str, JSON] = {"loss_curve": {"image": "_loss.png"}, "steps": 3, "examples": 5}
    write_outcome(tmp_path, Outcome(metadata=told))
    assert list(read_outcome(tmp_path).metadata) == list(told)
