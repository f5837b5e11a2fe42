from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rc_pipeline.training.checkpoints import Checkpoint, Checkpoints, WeightsAstray, sweep


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"weight.a": torch.full((3, 2), float(step))}, [1.5] * step)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_never_saved_over_good_ones(tmp_path: Path, number: float) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    checkpoints.save(checkpoint(5))

    with pytest.raises(WeightsAstray, match=r"step 10: weight.a .*learning_rate.*checkpoint-00000005"):
        checkpoints.save(Checkpoint(10, {"weight.a": torch.tensor([1.0, number])}, []))

    found, _ = checkpoints.latest()
    assert found is not None
    assert found.step == 5


def test_the_newest_whole_checkpoint_is_read_back_and_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    for step in (5, 10, 15):
        checkpoints.save(checkpoint(step))

    newest, passed_over = checkpoints.latest()

    assert newest is not None
    assert (newest.step, newest.losses, passed_over) == (15, [1.5] * 15, [])
    assert torch.equal(newest.tensors["weight.a"], torch.full((3, 2), 15.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"checkpoint-{step:08d}.{kind}" for step in (10, 15) for kind in ("json", "safetensors")
    ]


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    checkpoints.save(checkpoint(5))
    newest = checkpoints.save(checkpoint(10))
    whole = newest.read_bytes()

    for damaged in (b"", whole[:-3], whole[:-1] + bytes([whole[-1] ^ 1])):
        newest.write_bytes(damaged)
        found, passed_over = checkpoints.latest()
        assert found is not None
        assert found.step == 5
        assert passed_over == [f"{newest.name}: does not match its checksum"]


def test_torn_json_and_missing_tensors_are_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    checkpoints.save(checkpoint(5)).unlink()
    checkpoints.save(checkpoint(10)).with_suffix(".json").write_text('{"identity": "me"')

    found, passed_over = checkpoints.latest()

    assert found is None
    assert len(passed_over) == 2


def test_a_checkpoint_of_other_settings_is_never_gone_on_from(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "other").save(checkpoint(5))

    assert Checkpoints(tmp_path, "me").latest()[0] is None


def test_tensors_without_their_json_were_never_committed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "me")
    checkpoints.save(checkpoint(5)).with_suffix(".json").unlink()

    assert checkpoints.latest() == (None, [])


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint-00000005.safetensors.abc").write_bytes(b"half")
    Checkpoints(tmp_path, "me").save(checkpoint(10))

    sweep(tmp_path)

    assert len(list(tmp_path.iterdir())) == 2
