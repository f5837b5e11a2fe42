from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import BadRow, CorpusError, Row
from rc_pipeline.corpora.super_ni import is_task, read_task

GOOD: dict[str, Any] = {"id": "task001-a", "input": "Say hi.", "output": ["Hi.", "Hello."]}


def task(*instances: Any, **changes: Any) -> dict[str, Any]:
    facts = {"Contributors": ["none"], "Definition": ["Do it.", "Do it well."]}
    examples = {"Positive Examples": [{"input": "a", "output": "b"}], "Negative Examples": []}
    return {**facts, **examples, "Instances": list(instances), "Instance License": ["?"], **changes}


def read(folder: Path, data: Any) -> list[Row | BadRow]:
    path = folder / "raw.json"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False, indent=1).encode())
    with opened("train/tasks/task001_hi.json", path) as file:
        return list(read_task(file))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>", "HTML"),
        (b"", "the key Instances is expected"),
        (json.dumps(task(GOOD)).encode()[:-60], "ends in the middle"),
        ({"Definition": ["Do it."]}, "no key Instances; it has Definition"),
        (task(Instances={}), "Instances is expected to be a list"),
        ({"Instances": [GOOD], "Definition": ["Do it."]}, "line 3: the instances begin and there was no Definition"),
    ],
)
def test_what_is_no_whole_task_is_an_error(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("instance", "reason", "field"),
    [
        ("text", "not_an_object", "the row"),
        ({"id": "b", "input": "x"}, "missing_field", "output"),
        ({"id": "b", "output": ["x"]}, "missing_field", "input"),
        ({"input": "x", "output": ["x"]}, "missing_field", "id"),
        (GOOD | {"id": 7}, "not_text", "id"),
        (GOOD | {"id": "b", "output": ["x", 1]}, "not_text", "output"),
        (GOOD | {"id": "b", "output": None}, "not_text", "output"),
        (GOOD, "duplicate_id", "id"),
    ],
)
def test_a_bad_instance_is_set_aside_with_its_field(tmp_path: Path, instance: Any, reason: str, field: str) -> None:
    first, bad, last = read(tmp_path, task(GOOD, instance, GOOD | {"id": "task001-c"}))
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.file) == (reason, field, "train/tasks/task001_hi.json")
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert first.line < bad.line < last.line


def test_bytes_that_are_not_utf8_cost_their_instance(tmp_path: Path) -> None:
    data = json.dumps(task(GOOD, GOOD | {"id": "b", "output": ["X"]})).encode().replace(b'"X"', b'"\xff"')
    first, bad = read(tmp_path, data)
    assert isinstance(first, Row)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field) == ("bad_utf8", "output")


@pytest.mark.parametrize(("definition", "reason"), [(5, "not_text"), (["\ud800"], "bad_utf8")])
def test_an_instance_has_no_say_in_the_definition(tmp_path: Path, definition: Any, reason: str) -> None:
    data = json.dumps(task({**GOOD, "definition": "fine"}, Definition=definition)).encode()
    (bad,) = read(tmp_path, data)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field) == (reason, "definition")


def test_a_definition_that_is_no_text_spoils_every_instance(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, task(GOOD, Definition=[1]))
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.field, bad.value) == ("not_text", "definition", "[1]")


@pytest.mark.parametrize("definition", ["翻译句子。", ["翻译句子。"]])
def test_an_instance_carries_definition_task_and_every_output(tmp_path: Path, definition: Any) -> None:
    instance = {"id": "甲", "input": "你好", "output": ["hello", " ", "hi", "hello"]}
    (row,) = read(tmp_path, task(instance, Definition=definition))
    assert isinstance(row, Row)
    assert row.key == "甲"
    assert row.fields == {
        "id": "甲",
        "task": "task001_hi",
        "definition": "翻译句子。",
        "input": "你好",
        "output": "hello",
        "outputs": ["hello", "hi"],
    }


def test_parts_of_a_definition_are_joined_and_one_output_may_be_text(tmp_path: Path) -> None:
    (row,) = read(tmp_path, task(GOOD | {"output": "Hi."}))
    assert isinstance(row, Row)
    assert (row.fields["definition"], row.fields["outputs"]) == ("Do it.\nDo it well.", ["Hi."])


def test_only_json_files_of_a_folder_are_tasks() -> None:
    assert all(is_task(name) for name in ("train", "train/task001.json", "train/task001.json.gz"))
    assert not is_task("train/README.md")
