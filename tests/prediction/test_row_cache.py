from __future__ import annotations

from pathlib import Path

from rc_pipeline.prediction.row_cache import Result, RowCache

GENERATED = Result([-2.5], "雨 is \x07rain", 4, finished=False, seconds=0.25)
CHOSEN = Result([-1.25, -0.00001])


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    cache = RowCache(tmp_path, weights="w", salt="s")
    cache.write({"a": GENERATED})
    cache.write({"b": CHOSEN})

    assert RowCache(tmp_path, weights="w", salt="s").read() == {"a": GENERATED, "b": CHOSEN}


def test_other_weights_and_other_code_see_nothing(tmp_path: Path) -> None:
    RowCache(tmp_path, weights="w", salt="s").write({"a": GENERATED})

    assert RowCache(tmp_path, weights="v", salt="s").read() == {}
    assert RowCache(tmp_path, weights="w", salt="t").read() == {}


def test_a_shard_that_a_killed_writer_left_is_not_seen(tmp_path: Path) -> None:
    cache = RowCache(tmp_path, weights="w", salt="s")
    cache.write({"a": GENERATED})
    whole = next(cache.folder.iterdir())
    (cache.folder / f".{whole.name}.1234").write_bytes(whole.read_bytes().replace(b'"a"', b'"b"'))

    assert cache.read() == {"a": GENERATED}


def test_a_damaged_shard_costs_only_its_damaged_rows(tmp_path: Path) -> None:
    cache = RowCache(tmp_path, weights="w", salt="s")
    cache.write({"a": GENERATED, "b": CHOSEN})
    shard = next(cache.folder.iterdir())
    shard.write_bytes(shard.read_bytes()[:-20] + b'\n{"key": 3}\n[]\n\xff\n')

    assert cache.read() == {"a": GENERATED}


def test_writing_the_same_results_twice_is_one_shard(tmp_path: Path) -> None:
    cache = RowCache(tmp_path, weights="w", salt="s")
    cache.write({"a": GENERATED, "b": CHOSEN})
    cache.write({"b": CHOSEN, "a": GENERATED})

    assert len(list(cache.folder.iterdir())) == 1
