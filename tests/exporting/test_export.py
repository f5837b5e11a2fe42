"""Exports, read back by the libraries and readers that they are for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rows import SCHEMA, TEXT, instruction

from rc_pipeline.corpora import alpaca, openai, sharegpt
from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import BadRow, Row
from rc_pipeline.exporting.export import Wanted, export_instructions
from rc_pipeline.exporting.folder import PROVENANCE
from rc_pipeline.lake.hashing import sha256_file

ROWS = [instruction("train", n) for n in range(30)]
PLAIN = [instruction("train", n, system=None, history=[]) for n in range(4)]


def read_back(reader: Any, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    with opened(path.name, path) as file:
        found = list(reader.read_rows(file))
    return [row.fields for row in found if isinstance(row, Row)], [
        row.reason for row in found if isinstance(row, BadRow)
    ]


def request(row: dict[str, Any]) -> str:
    return row["instruction"] + (f"\n\n{row['input']}" if row["input"] else "")


def test_a_folder_that_is_there_is_refused_and_stays_as_it_is(source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(ValueError, match="out"):
            export_instructions(source(train=PLAIN), Wanted("alpaca"), out, force=force)
    assert [path.name for path in tmp_path.glob("**/*") if path.is_file() and path.parent.name != "artifact"] == [
        "thesis.txt"
    ]


def test_force_replaces_an_earlier_export_and_nothing_of_it_stays(source, tmp_path):
    given, out = source(train=PLAIN), tmp_path / "out"
    export_instructions(given, Wanted("alpaca"), out)
    with pytest.raises(ValueError, match="--force"):
        export_instructions(given, Wanted("openai"), out)
    export_instructions(given, Wanted("openai"), out, force=True)
    assert sorted(path.name for path in out.iterdir()) == [PROVENANCE, "dataset_info.json", "train.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact", "out"]


def test_an_export_that_fails_leaves_the_earlier_one_and_no_litter(source, tmp_path):
    out = tmp_path / "out"
    export_instructions(source(train=PLAIN), Wanted("alpaca"), out)
    before = (out / "train.json").read_bytes()
    broken = source(train=PLAIN)
    broken.files["train"].write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"train\.parquet: .*build instructions/talks again"):
        export_instructions(broken, Wanted("alpaca"), out, force=True)
    assert (out / "train.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact", "out"]


def test_unknown_splits_and_templates_are_refused_by_name(source, tmp_path):
    given = source(train=PLAIN, valid=PLAIN)
    with pytest.raises(ValueError, match=r"talks/test: no such split; instructions/talks has train, valid"):
        export_instructions(given, Wanted("alpaca", splits=["test"]), tmp_path / "out")
    with pytest.raises(ValueError, match="no row of template third"):
        export_instructions(given, Wanted("alpaca", template="third' OR '1'='1"), tmp_path / "out")
    with pytest.raises(ValueError, match="no row of template third"):
        export_instructions(given, Wanted("parquet", template="third"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_without_an_answer_are_left_out_and_counted(source, tmp_path):
    given = source(train=PLAIN, test=[instruction("test", n, output=None) for n in range(3)])
    written = export_instructions(given, Wanted("sharegpt"), tmp_path / "out")
    assert [(one.split, one.rows, one.left_out) for one in written] == [("train", 4, {}), ("test", 0, {"no_answer": 3})]
    assert not (tmp_path / "out" / "test.json").exists()
    with pytest.raises(ValueError, match="none of 3 rows has an answer"):
        export_instructions(given, Wanted("alpaca", splits=["test"]), tmp_path / "test")
    assert export_instructions(given, Wanted("parquet", splits=["test"]), tmp_path / "test")[0].rows == 3


def test_alpaca_reads_back_to_the_same_rows(source, tmp_path):
    export_instructions(source(train=ROWS), Wanted("alpaca"), tmp_path / "out")
    rows, bad = read_back(alpaca, tmp_path / "out" / "train.json")
    kept = ("instruction", "input", "output", "system", "history")
    assert rows == [{name: row[name] for name in kept} for row in ROWS]
    assert not bad


def test_alpaca_says_nothing_of_system_and_history_where_no_row_does(source, tmp_path):
    for n, drop in enumerate([(), ("system", "history")]):
        export_instructions(source(drop, train=PLAIN), Wanted("alpaca"), tmp_path / str(n))
        first = json.loads((tmp_path / str(n) / "train.json").read_text(encoding="utf-8"))[0]
        assert list(first) == ["instruction", "input", "output"]


def test_sharegpt_reads_back_to_the_same_conversations(source, tmp_path):
    export_instructions(source(train=ROWS), Wanted("sharegpt"), tmp_path / "out")
    rows, bad = read_back(sharegpt, tmp_path / "out" / "train.json")
    # Its readers learn from every answer, so that earlier ones come back as rows of their own.
    last = [
        row
        for row, after in zip(rows, [*rows[1:], None], strict=True)
        if not (after and after["history"][:-1] == row["history"] and after["history"])
    ]
    assert [(row["instruction"], row["output"], row["system"], row["history"]) for row in last] == [
        (request(row), row["output"], row["system"], row["history"]) for row in ROWS
    ]
    assert not bad


def test_openai_reads_back_to_the_same_rows_and_earlier_answers_are_not_learnt(source, tmp_path):
    export_instructions(source(train=ROWS), Wanted("openai"), tmp_path / "out")
    rows, bad = read_back(openai, tmp_path / "out" / "train.jsonl")
    assert [(row["instruction"], row["output"], row["system"], row["history"]) for row in rows] == [
        (request(row), row["output"], row["system"], row["history"]) for row in ROWS
    ]
    assert bad == ["weight_is_0"] * sum(len(row["history"]) for row in ROWS)


@pytest.mark.parametrize("form", ["alpaca", "sharegpt", "openai"])
def test_every_json_is_opened_by_datasets(source, tmp_path, form):
    import datasets

    export_instructions(source(train=ROWS), Wanted(form), tmp_path / "out")
    file = next(path for path in (tmp_path / "out").glob("train.*"))
    opened = datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert opened.num_rows == len(ROWS)


def test_parquet_is_the_artifact_as_it_is(source, tmp_path):
    export_instructions(source(train=ROWS), Wanted("parquet"), tmp_path / "out")
    assert pl.read_parquet(tmp_path / "out" / "train.parquet").equals(pl.DataFrame(ROWS, schema_overrides=SCHEMA))


def test_a_datasets_folder_opens_with_every_column_and_split(source, tmp_path):
    import datasets

    given = source(train=ROWS, **{"wikipedia-dev.held_out": [instruction("dev", n, output=None) for n in range(3)]})
    export_instructions(given, Wanted("datasets"), tmp_path / "out")
    loaded = datasets.load_from_disk(str(tmp_path / "out"))
    assert {name: split.num_rows for name, split in loaded.items()} == {"train": 30, "wikipedia_dev_held_out": 3}
    assert loaded["train"].to_list() == ROWS
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        PROVENANCE, "dataset_dict.json", "train", "wikipedia_dev_held_out",
    ]  # fmt: skip
    files = json.loads((tmp_path / "out" / PROVENANCE).read_text())["files"]
    assert all(sha256_file(tmp_path / "out" / name) == digest for name, digest in files.items())
    assert "train/data-00000-of-00001.arrow" in files


def test_llama_factory_is_told_which_columns_and_tags_are_what(source, tmp_path):
    given = source(train=ROWS, valid=PLAIN)
    info = {}
    for form in ("llama_factory", "sharegpt", "openai"):
        export_instructions(given, Wanted(form), tmp_path / form)
        info[form] = json.loads((tmp_path / form / "dataset_info.json").read_text())
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    assert info["llama_factory"]["talks_valid"] == {
        "file_name": "valid.json", "formatting": "alpaca", "columns": columns
    }  # fmt: skip
    assert info["llama_factory"]["talks_train"]["columns"] == columns | {"system": "system", "history": "history"}
    for form, turn in (("sharegpt", "from"), ("openai", "role")):
        told = info[form]["talks_train"]
        # JSON lines end at "\n" alone; str.splitlines knows more ends.
        text = (tmp_path / form / told["file_name"]).read_text(encoding="utf-8")
        first = json.loads(text)[0] if form == "sharegpt" else json.loads(text.split("\n")[0])
        said = first[told["columns"]["messages"]]
        assert told["tags"]["role_tag"] == turn
        assert said[-1] == {turn: told["tags"]["assistant_tag"], told["tags"]["content_tag"]: ROWS[0]["output"]}
        assert said[-2][turn] == told["tags"]["user_tag"]


def test_a_limit_takes_the_rows_that_training_would(source, tmp_path):
    from rc_pipeline.training.examples import select_rows

    given = source(train=ROWS)
    export_instructions(given, Wanted("parquet", rows=7), tmp_path / "out")
    chosen, _ = select_rows([{"dataset": "talks", "files": [str(given.files["train"])], "rows": 7}])
    exported = pl.read_parquet(tmp_path / "out" / "train.parquet")["instruction_id"].to_list()
    assert set(exported) == set(chosen["instruction_id"])
    assert exported == [row["instruction_id"] for row in ROWS if row["instruction_id"] in set(exported)]
    assert export_instructions(given, Wanted("parquet", rows=700), tmp_path / "all")[0].rows == 30


def test_the_page_beside_tells_what_was_written_and_two_exports_are_equal_bytes(source, tmp_path):
    given = source(train=ROWS, valid=PLAIN)
    for name in ("one", "two"):
        export_instructions(given, Wanted("alpaca", splits=["train"], rows=9, template="first"), tmp_path / name)
    page = json.loads((tmp_path / "one" / PROVENANCE).read_text())
    assert page["only"] == {"splits": ["train"], "rows_of_each_split": 9, "template": "first"}
    assert (page["artifact"], page["fingerprint"], page["content"]) == (given.key, given.fingerprint, given.content)
    assert page["splits"] == {"train": {"rows": 9, "templates": {"first": 9}, "left_out": {}}}
    assert page["rows"] == 9
    assert page["files"]["train.json"] == sha256_file(tmp_path / "one" / "train.json")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("form", ["sharegpt", "parquet", "datasets"])
def test_memory_does_not_grow_with_the_rows(tmp_path, form):
    thousand = [instruction("train", n, input=TEXT * 40) for n in range(1000)]
    few = pl.DataFrame(thousand, schema_overrides=SCHEMA)
    peaks = {}
    for thousands in (8, 64):
        file = tmp_path / f"{thousands}.parquet"
        pl.concat([few] * thousands).write_parquet(file)
        command = [sys.executable, "-c", MEASURE, form, str(file), str(tmp_path / str(thousands))]
        peaks[thousands] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # The larger set has 100 MB more of text.
    assert peaks[64] - peaks[8] < 40


# Pages of files that are mapped into memory do not count: the system takes them back whenever it likes.
MEASURE = """
import sys, threading, time
from pathlib import Path
from rc_pipeline.exporting.export import Source, Wanted, export_instructions

peak = 0
def watch():
    global peak
    while True:
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.002)

threading.Thread(target=watch, daemon=True).start()
form, file, out = sys.argv[1:]
export_instructions(Source("talks", {"train": Path(file)}, "k", "f", "c"), Wanted(form, rows=10**9), Path(out))
print(peak // 1024)
"""
