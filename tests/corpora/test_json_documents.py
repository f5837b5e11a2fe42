from __future__ import annotations

import io
import json
from typing import Any

import pytest

from rc_pipeline.corpora.json_stream import JsonDocument
from rc_pipeline.corpora.readers import CorpusError


def document(data: bytes | str) -> JsonDocument:
    return JsonDocument("examples", io.BytesIO(data if isinstance(data, bytes) else data.encode()), "raw.json")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "found 'nothing' at the start"),
        (b"[]", "a JSON object with the key examples is expected, found '\\['"),
        (b"<!DOCTYPE html>", "HTML"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b'{"examples": {}}', "examples is expected to be a list, found '{'"),
        (b'{"examples": [1, ', "ends in the middle"),
        (b'{"examples": [1]} {}', "more after the end"),
        (b'{"examples" [1]}', "where : should be"),
        (b"{name: 1}", "not valid JSON"),
    ],
)
def test_what_is_no_whole_document_is_an_error_with_its_file(data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said) as raised:
        list(document(data).elements())
    assert "raw.json" in str(raised.value)


def test_a_document_without_the_list_tells_what_it_has() -> None:
    read = document('{"name": "n", "description": 1}')
    assert list(read.elements()) == []
    assert not read.has_list
    assert "has no key examples; it has description, name" in str(read.lacks_list())


@pytest.mark.parametrize("data", ["{}", '{"examples": []}'])
def test_an_empty_document_has_no_elements(data: str) -> None:
    read = document(data)
    assert (list(read.elements()), read.facts, read.has_list) == ([], {}, "examples" in data)


def test_facts_before_the_list_are_known_while_it_is_read_and_the_others_after_it() -> None:
    said: dict[str, Any] = {"name": "数数", "examples": [{"input": "一"}, {"input": "二"}], "late": [1, {"a": None}]}
    read = document(json.dumps(said, ensure_ascii=False, indent=1))
    elements = read.elements()
    assert next(elements) == (4, {"input": "一"})
    assert read.facts == {"name": "数数"}
    assert [element for _, element in elements] == [{"input": "二"}]
    assert read.facts == {"name": "数数", "late": [1, {"a": None}]}


def test_a_second_list_of_the_same_name_is_a_fact_and_not_read_on() -> None:
    read = document('{"examples": [1], "examples": [2]}')
    assert [element for _, element in read.elements()] == [1]
    assert read.facts == {"examples": [2]}


def test_a_document_with_a_million_facts_is_told_of_in_few_words() -> None:
    read = document(json.dumps(dict.fromkeys(map(str, range(100_000)), 1)))
    assert list(read.elements()) == []
    assert len(str(read.lacks_list())) < 1000
