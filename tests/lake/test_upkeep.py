"""Keeping the store whole, small and useful: verify, discard, gc, accept, and a warehouse that forgives."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.lake import code
from rc_pipeline.lake.build import InputChanged, Work
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.graph import Graph
from rc_pipeline.lake.hashing import content_hash
from rc_pipeline.lake.planner import Cached, MissingInput
from rc_pipeline.lake.upkeep import accept, collect, discard, rubbish, verify


def head_folder(world, key: str) -> Path:
    return (world.root / "heads" / key).resolve()


def pretend_code(monkeypatch, version: str) -> None:
    """Let every stage's code look edited, in the planner and in the builds alike."""
    real = code.code_hashes

    def edited(modules):
        return {name: f"{digest} {version}" for name, digest in real(modules).items()}

    monkeypatch.setattr("rc_pipeline.lake.build.code_hashes", edited)
    monkeypatch.setattr("rc_pipeline.lake.planner.code_hashes", edited)


def test_a_lake_from_which_something_was_discarded_is_whole(world):
    world.run()
    discard(world.lake(), [head_folder(world, "doubled/a")])
    assert not (world.root / "heads" / "doubled/a").is_symlink()
    assert verify(world.lake()).problems == []
    assert "doubled/a" in world.run()


def test_altered_bytes_of_the_same_length_are_found_and_discarded(world):
    world.run()
    file = head_folder(world, "doubled/a") / "_seconds.txt"
    file.chmod(0o644)
    file.write_text("7")
    found = verify(world.lake())
    assert any("not those that were stored" in problem for problem in found.problems)
    discard(world.lake(), found.damaged)
    assert world.run() == ["doubled/a"]
    assert verify(world.lake()).problems == []


def test_an_artifact_without_its_manifest_is_found(world):
    world.run()
    (head_folder(world, "doubled/a") / "_manifest.json").unlink()
    assert any("_manifest.json: missing" in problem for problem in verify(world.lake()).problems)
    assert world.run() == ["doubled/a"]


def test_a_stray_file_in_an_artifact_costs_nobody_a_training(world):
    world.run()
    (head_folder(world, "doubled/a") / ".DS_Store").touch()
    assert verify(world.lake()).damaged == []


def test_gc_keeps_what_stands_and_deletes_what_no_study_needs(world):
    world.run()
    world.factor = 4
    world.run()
    world.factor = 2
    world.run()
    deleted = {item.path.parent.parent.name for item in collect(world.lake())}
    assert deleted == {"doubled", "total"}
    assert world.run() == []
    assert rubbish(world.lake()) == []


def test_gc_forgets_keys_that_left_the_catalog(world):
    world.run()
    lake = world.lake()
    lake.graph = Graph([node for key, node in lake.graph.nodes.items() if not key.startswith("total/")])
    collect(lake)
    assert not (world.root / "store" / "total").exists() or not list((world.root / "store" / "total").rglob("*.txt"))
    assert not (world.root / "heads" / "total" / "a").is_symlink()


def test_gc_deletes_nothing_while_an_input_is_missing(world):
    world.run()
    world.source.rename(world.source.with_suffix(".away"))
    with pytest.raises(MissingInput):
        collect(world.lake())


def test_accept_carries_the_artifact_in_use_and_not_a_newer_trial(world, monkeypatch):
    world.run()
    pretend_code(monkeypatch, "trial")
    world.during = lambda key, work: (work.out / "trial.txt").write_text("trial")
    world.run()
    monkeypatch.undo()
    assert world.run() == []
    pretend_code(monkeypatch, "refactored")
    verdicts = accept(world.lake(), ["numbers/*", "doubled/*", "total/*"])
    assert verdicts.pop("total/b") == "stands already"
    assert all("does not alter results" in verdict for verdict in verdicts.values())
    assert not (head_folder(world, "total/a") / "trial.txt").exists()
    assert world.run() == []


def test_accept_refuses_when_more_than_code_changed(world, monkeypatch):
    world.run()
    pretend_code(monkeypatch, "edited")
    world.factor = 4
    accept(world.lake(), ["numbers/a"])
    assert "more than code changed" in accept(world.lake(), ["doubled/a"])["doubled/a"]


def test_a_damaged_artifact_of_equal_inputs_is_replaced_and_not_adopted(world):
    world.run()
    (head_folder(world, "total/b") / "total.txt").unlink()
    world.run()
    assert (head_folder(world, "total/b") / "total.txt").read_text() == "12"


def test_a_damaged_head_of_one_key_stops_no_other(world):
    world.run()
    (head_folder(world, "numbers/a") / "numbers.parquet").unlink()
    lake = world.lake()
    lake.warehouse.publish()
    with lake.warehouse.connect() as connection:
        assert connection.execute("SELECT count(*) FROM lineage").fetchall() == [(3,)]
    assert world.run() == ["numbers/a"]


def test_a_change_that_is_undone_during_the_build_is_noticed_all_the_same(world):
    def swap(key: str, work: Work) -> None:
        if key == "numbers/a":
            kept = world.source.read_text()
            world.source.write_text("400 400")
            shutil.copy(world.source, work.out / "copy.txt")
            world.source.write_text(kept)

    world.during = swap
    with pytest.raises(InputChanged, match="written to"):
        world.run()
    assert not list((world.root / "scratch").glob("*"))


def test_checkpoints_and_rows_of_a_refused_build_are_thrown_away_and_of_a_good_one_kept(world):
    def leave_rows(key: str, work: Work) -> None:
        rows = work.scratch / "cache" / "rows" / f"{key.replace('/', '_')}.jsonl"
        rows.parent.mkdir(parents=True)
        rows.write_text("rows")
        if key == "numbers/a" and world.passes:
            world.source.write_text("5 6")

    world.during = leave_rows
    with pytest.raises(InputChanged):
        world.run()
    assert not (world.root / "cache" / "rows").exists()
    world.during = lambda key, work: None
    world.run()
    world.factor = 8
    world.during = leave_rows
    world.run()
    assert (world.root / "cache" / "rows" / "doubled_a.jsonl").read_text() == "rows"


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["yes", "no", "cat"]), pl.List(pl.Categorical)])
def test_the_content_hash_sees_the_values_of_dictionaries(tmp_path, kind):
    values = [["yes"], ["no"]] if isinstance(kind, pl.List) else ["yes", "no"]
    others = [["yes"], ["cat"]] if isinstance(kind, pl.List) else ["yes", "cat"]
    for name, column in (("a", values), ("b", others), ("c", values)):
        write_parquet(pl.DataFrame({"x": pl.Series(column, dtype=kind)}), tmp_path / f"{name}.parquet")
    hashes = [content_hash(tmp_path / f"{name}.parquet") for name in "abc"]
    assert hashes[0] == hashes[2] != hashes[1]


def test_the_content_hash_ignores_compression_and_row_groups(tmp_path):
    frame = pl.DataFrame({"x": [None, 1, 2], "y": ["a", None, "长"], "z": [[1], [], None]})
    frame.write_parquet(tmp_path / "a.parquet", compression="zstd")
    frame.write_parquet(tmp_path / "b.parquet", compression="snappy", row_group_size=1)
    assert content_hash(tmp_path / "a.parquet") == content_hash(tmp_path / "b.parquet")


def test_planning_a_lake_of_many_artifacts_reads_each_manifest_a_few_times_only(world, monkeypatch):
    from rc_pipeline.lake import store

    world.run()
    reads = []
    real = store.read_artifact
    monkeypatch.setattr(store, "read_artifact", lambda folder: (reads.append(folder), real(folder))[1])
    planner = world.lake().planner()
    assert all(isinstance(state, Cached) for state in planner.plan(world.lake().graph.nodes).states.values())
    assert len(reads) == 4
