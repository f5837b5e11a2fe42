"""The cache contract on a lineage small enough to see through."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rc_pipeline.lake import code
from rc_pipeline.lake.build import InputChanged, Lake, NotReady, Work
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.durable import LakeUnwritable
from rc_pipeline.lake.manifest import MANIFEST
from rc_pipeline.lake.planner import Cached, MissingInput, ToBuild, Unknown
from rc_pipeline.lake.upkeep import verify


def test_a_missing_input_file_is_named_with_its_place_and_nothing_is_built(world):
    world.source.unlink()
    with pytest.raises(MissingInput, match=r"numbers\.txt .*for numbers/a"):
        world.run()
    assert world.built == []


def test_an_upstream_that_was_not_built_is_named(world):
    with pytest.raises(NotReady, match="doubled/a is built from numbers/a.*never built"):
        world.lake().obtain("doubled/a", world.build)


def test_a_failed_blocking_check_keeps_the_artifact_from_being_used(world):
    world.passes = False
    with pytest.raises(NotReady, match="failed its check positive"):
        world.run()
    assert world.built == ["numbers/a", "doubled/a"]


def test_an_input_that_changes_during_the_build_fails_it_and_poisons_nothing(world):
    def edit(key: str, work: Work) -> None:
        if key == "numbers/a":
            world.source.write_text("1 2 3 4 5 6\n")

    world.during = edit
    with pytest.raises(InputChanged, match=r"numbers\.txt while it was being built"):
        world.run()
    assert not list((world.root / "store").rglob(MANIFEST))
    world.during = lambda key, work: None
    world.source.write_text("1 2 3 4\n")
    world.run()
    assert world.total() == 12


def test_code_that_changes_after_the_process_loaded_it_fails_the_build(world, tmp_path, monkeypatch):
    lake = world.lake()
    real = code.code_hashes
    monkeypatch.setattr("rc_pipeline.lake.build.code_hashes", lambda modules: {"edited.py": "x", **real(modules)})
    with pytest.raises(InputChanged, match="was edited after this process had loaded it"):
        lake.obtain("numbers/a", world.build)


def test_a_build_that_raises_leaves_nothing_behind(world):
    def fail(key: str, work: Work) -> None:
        (work.out / "half.txt").write_text("half")
        raise RuntimeError("no")

    world.during = fail
    with pytest.raises(RuntimeError, match="no"):
        world.run()
    assert not list((world.root / "tmp").iterdir())
    assert not (world.root / "store").exists()


def test_a_full_disk_says_what_to_do_and_keeps_nothing_half_written(world):
    def fill(key: str, work: Work) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(work.out / "numbers.parquet"))

    world.during = fill
    with pytest.raises(LakeUnwritable, match=r"disk is full.*rc-pipeline gc.*RC_LAKE"):
        world.run()
    world.during = lambda key, work: None
    assert world.run() == ["numbers/a", "doubled/a", "total/a"]


@pytest.mark.parametrize("size", ["64k", "256k", "300k", "500k"])
def test_a_really_full_disk_says_what_to_do(world, tmp_path, size):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        world.root = small / "lake"
        world.source.write_text("\n".join(str(n * 7919 % 1000003) for n in range(200_000)))
        with pytest.raises(LakeUnwritable, match="disk is full"):
            world.run()
        assert verify(world.lake()).problems == []
        assert not list((world.root / "tmp").glob("*"))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_read_only_lake_says_what_to_do_but_serves_what_it_has(world, tmp_path):
    world.run()
    readonly = tmp_path / "readonly"
    readonly.mkdir()
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", str(world.root), str(readonly)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a read-only bind mount needs root")
    try:
        writable, world.root = world.root, readonly
        artifact = world.lake().planner().state("total/a")
        assert isinstance(artifact, Cached)
        world.factor = 6
        with pytest.raises(LakeUnwritable, match=r"cannot be written.*RC_LAKE"):
            world.run()
        world.root = writable
    finally:
        subprocess.run(["umount", "-l", str(readonly)], check=True)


def test_a_second_run_builds_nothing(world):
    # total/b has the inputs of total/a, so it is never built: the artifact of one stands for both.
    assert world.run() == ["numbers/a", "doubled/a", "total/a"]
    assert world.run() == []
    other = world.lake().store.head("total/b")
    assert other is not None
    assert "equal inputs were built as total/a" in other.manifest.carried[0]["why"]


def test_content_that_comes_out_the_same_stops_the_cascade(world):
    world.run()
    world.source.write_text("4 3 2 1\n")
    assert world.run() == ["numbers/a"]


def test_a_downstream_that_needs_only_one_file_is_left_alone_when_others_change(world):
    world.run()
    world.source.write_text("1 2 3 4 7\n")
    assert world.run() == ["numbers/a", "doubled/a"]


def test_a_revert_finds_the_old_artifacts(world):
    world.run()
    world.factor = 4
    assert world.run() == ["doubled/a", "total/a"]
    assert world.total() == 40
    world.factor = 2
    assert world.run() == []
    assert world.total() == 12


def test_a_damaged_artifact_is_built_again(world):
    world.run()
    folder = (world.root / "heads" / "doubled" / "a").resolve()
    (folder / "even.parquet").unlink()
    state = world.lake().planner().state("doubled/a")
    assert isinstance(state, ToBuild)
    assert state.reason == "damaged in the store"
    assert world.run() == ["doubled/a"]


def test_a_lake_that_moved_to_another_disk_still_stands(world, tmp_path):
    world.run()
    moved = tmp_path / "elsewhere"
    shutil.move(world.root, moved)
    world.root = moved
    assert world.run() == []
    with world.lake().warehouse.connect() as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (4,)


def test_heads_may_be_lost_without_building_anything(world):
    world.run()
    shutil.rmtree(world.root / "heads")
    assert world.run() == []
    assert world.total() == 12


def test_the_plan_tells_sure_builds_from_those_that_depend_on_content(world):
    world.run()
    world.factor = 4
    plan = world.lake().planner().plan(["total/a"])
    assert plan.states["doubled/a"] == ToBuild(
        "catalog/doubling.yaml: factor changed", plan.states["doubled/a"].inputs, plan.states["doubled/a"].fingerprint
    )
    assert plan.states["total/a"] == Unknown(("doubled/a",))
    assert plan.to_json()["cached"] == ["numbers/a"]


def test_the_plan_of_an_empty_lake_builds_everything_and_writes_nothing(world):
    plan = world.lake().planner().plan(["total/a"])
    assert [entry["key"] for entry in plan.to_json()["build"]] == ["numbers/a", "doubled/a", "total/a"]
    assert not world.root.exists()


def _start(world) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("small_world.py")
    command = [sys.executable, str(script), str(world.root), str(world.source)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env={"PYTHONPATH": str(PROJECT)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_two_runs_at_once_build_each_thing_once(world):
    runs = [_start(world) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert sorted(path.suffix for path in world.source.parent.glob("*.?")) == [".d", ".n", ".t"]


def test_runs_killed_at_any_moment_leave_a_lake_that_the_next_run_completes(world):
    """Runs are killed with SIGKILL at moments spread over a whole run, on lakes in every state of progress."""
    world.run()
    expected = _contents(world.lake())
    shutil.rmtree(world.root)
    for step in range(15):
        run = _start(world)
        time.sleep(0.05 * step)
        run.kill()
        run.wait(60)
        assert verify(world.lake()).problems == []
        if step % 5 == 4:
            shutil.rmtree(world.root, ignore_errors=True)
    world.run()
    assert _contents(world.lake()) == expected
    assert not list((world.root / "tmp").glob("*"))


def _contents(lake: Lake) -> dict[str, str]:
    return {key: artifact.manifest.content for key, artifact in lake.store.all_heads().items()}
