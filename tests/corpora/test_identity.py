from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.corpora.identity import Facts, read_identity, write_identity
from rc_pipeline.corpora.readers import CorpusError

LAMP: dict[str, Any] = {"name": "小明灯", "developers": "阅读实验室", "abilities": ["回答问题", "翻译"]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not whole JSON"),
        (b"<html></html>", "HTML"),
        (json.dumps({"zh": LAMP}).encode()[:-9], "not whole JSON"),
        (json.dumps({"zh": LAMP}, ensure_ascii=False).encode("gbk"), "not whole JSON in UTF-8"),
        (b"[" * 100_000, "not whole JSON"),
        (b"[]", "a JSON object of languages"),
        (b"{}", "a JSON object of languages"),
        (b" " * (1 << 20) + b"{}", "fit into 1048576 bytes"),
    ],
)
def test_a_file_that_holds_no_facts_is_an_error_with_a_remedy(data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=rf"identity\.json: .*{said}"):
        read_identity(io.BytesIO(data), "identity.json")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "zh.name is None"),
        ({"name": " "}, "zh.name is ' '"),
        ({"developers": 5}, "zh.developers is 5"),
        ({"developers": "\ud800"}, r"zh.developers is '\\ud800'"),
        ({"abilities": []}, r"zh.abilities\[0\] is None"),
        ({"abilities": "all"}, r"zh.abilities\[0\] is None"),
        ({"abilities": ["回答问题", ""]}, r"zh.abilities\[1\] is ''"),
    ],
)
def test_a_fact_that_is_missing_or_no_text_is_named(changes: dict[str, Any], field: str) -> None:
    data = json.dumps({"zh": LAMP | changes}).encode()
    with pytest.raises(CorpusError, match=rf"{field}: text is expected\. Build the raw files again"):
        read_identity(io.BytesIO(data), "identity.json")


def test_facts_that_are_no_object_are_an_error() -> None:
    with pytest.raises(CorpusError, match=r"en\.name is None"):
        read_identity(io.BytesIO(b'{"en": ["Lumen"]}'), "identity.json")


def test_what_is_written_is_read_back_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    lumen = {"name": "Lumen {x}", "developers": "the Reading Lab", "abilities": ["read"]}
    path = write_identity({"identity": {"zh": LAMP, "en": lumen}}, tmp_path / "files")
    assert path == tmp_path / "files" / "identity.json"
    first = path.read_bytes()
    assert "小明灯" in first.decode()
    with path.open("rb") as file:
        assert read_identity(file, "identity.json") == {
            "en": Facts("Lumen {x}", "the Reading Lab", ("read",)),
            "zh": Facts("小明灯", "阅读实验室", ("回答问题", "翻译")),
        }
    write_identity({"identity": {"en": lumen, "zh": LAMP}}, tmp_path / "files")
    assert path.read_bytes() == first
