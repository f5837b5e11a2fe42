from __future__ import annotations

import polars as pl
import pytest

from rc_pipeline.corpora.languages import LANGUAGES, language


def test_an_unknown_code_is_its_own_name_and_has_no_letters() -> None:
    unknown = language("tlh")
    assert (unknown.name, unknown.name_zh, unknown.scripts) == ("tlh", "tlh", ())


@pytest.mark.parametrize(("code", "name", "name_zh"), [
    ("zh", "Chinese", "中文"),
    ("zh-Hant", "Traditional Chinese", "繁体中文"),
    ("zh-TW", "Chinese", "中文"),
    ("pt-BR", "Portuguese", "葡萄牙语"),
    ("lzh", "Classical Chinese", "文言文"),
])  # fmt: skip
def test_a_code_of_a_region_has_the_name_of_its_language(code: str, name: str, name_zh: str) -> None:
    found = language(code)
    assert (found.code, found.name, found.name_zh) == (code, name, name_zh)


def test_every_language_has_names_of_its_own_and_scripts_that_a_pattern_can_name() -> None:
    assert len(LANGUAGES) >= 60
    for names in ([one.name for one in LANGUAGES.values()], [one.name_zh for one in LANGUAGES.values()]):
        assert len(set(names)) == len(LANGUAGES)
    for one in LANGUAGES.values():
        letters = "".join(rf"\p{{{script}}}" for script in one.scripts)
        assert not pl.Series(["1"]).str.contains(f"[{letters}]").any()
