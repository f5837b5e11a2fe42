from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.corpora import json_stream
from rc_pipeline.corpora.json_stream import elements_under, list_elements
from rc_pipeline.corpora.readers import CorpusError

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


def under_data(text: str | bytes) -> list[tuple[int, Any]]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(elements_under("Data", io.BytesIO(data), "qa/x.json"))


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_document_that_ends_in_the_middle_is_an_error_wherever_it_was_cut(cut: int) -> None:
    whole = '{"Version": 1.0, "Data": [{"a": "é\\u00e9"}, {"b": [1, 2]}, 17], "Z": {}}'
    with pytest.raises(CorpusError, match=r"qa/x\.json"):
        under_data(whole.encode()[:cut])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found 'nothing' at the start"),
        ("[]", "a JSON object with the key Data is expected"),
        ('{"data": [], "Split": "x"}', "no key Data; it has Split, data"),
        ("{}", "it has none"),
        ('{"Data": {"1": 2}}', "expected to be a list, found '{'"),
        ('{"Data": [1 2]}', "where , or \\] should be"),
        ('{"Data": [{"a": nope}]}', "not valid JSON"),
        ('{"Data": [1]}\n{"Data": [2]}', "line 2: there is more after the end"),
        ("<!DOCTYPE html><html>", "HTML"),
        ("version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ('{"Data": [' + "[" * 100_000, "not usable JSON"),
    ],
)
def test_a_document_of_another_shape_is_an_error_that_says_what_was_found(text: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        under_data(text)


def test_an_invalid_document_is_reported_with_its_line() -> None:
    with pytest.raises(CorpusError, match=r"line 4\b"):
        under_data('{"Data": [\n{"a": 1},\n{"b": 2,\n "c" 3}\n]}')


def test_a_value_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARACTERS", 1000)
    monkeypatch.setattr(json_stream, "CHUNK_BYTES", 100)
    endless = io.BytesIO(b'{"Data": ["' + b"x" * 100_000)
    with pytest.raises(CorpusError, match="not valid JSON"):
        list(elements_under("Data", endless, "qa/x.json"))
    assert endless.tell() < 5000


def test_bytes_that_are_not_utf8_cost_one_string_and_not_the_file() -> None:
    found = under_data(b'\xef\xbb\xbf{"Data": ["good", "caf\xe9", "good"]}')
    assert [value for _, value in found] == ["good", "caf\udce9", "good"]


def test_elements_come_with_the_line_that_they_start_on() -> None:
    assert under_data('{\n"Data": [1,\n\n 2,\n{"a":\n3}, 4]}') == [(2, 1), (4, 2), (5, {"a": 3}), (6, 4)]


@given(values=st.lists(VALUES, max_size=6), chunk=st.integers(1, 40), indent=st.none() | st.integers(0, 2))
def test_any_document_is_read_as_the_json_module_reads_it_whatever_the_chunks(
    values: list[Any], chunk: int, indent: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK_BYTES", chunk)
        whole = {"A": values, "Data": values, "Z": "end"}
        for ascii_only in (True, False):
            text = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
            assert [value for _, value in under_data(text)] == json.loads(text)["Data"]
        listed = json.dumps(values, indent=indent).encode()
        assert [value for _, value in list_elements(io.BytesIO(listed), "x")] == values
