from __future__ import annotations

import json

from rc_pipeline.corpora.readers import KEPT_CHARACTERS, BadRow


def bad(row: object, value: str = "") -> BadRow:
    return BadRow("bad_utf8", "train.csv", 2, "问题", value, row)


def test_a_row_that_is_set_aside_can_be_read_in_its_own_script() -> None:
    assert bad({"问题": "谁？"}).row_json() == '{"问题": "谁？"}'


def test_half_a_character_is_kept_as_an_escape() -> None:
    text = bad({"问题": "谁\ud800？"}).row_json()
    assert text == '{"问题": "谁\\ud800？"}'
    assert json.loads(text) == {"问题": "谁\ud800？"}
    assert "'谁\\ud800？'" in bad({}, "谁\ud800？").describe()


def test_a_row_that_is_too_long_is_kept_in_part() -> None:
    kept = json.loads(bad({"问题": "谁" * KEPT_CHARACTERS}).row_json())
    assert kept["characters"] > KEPT_CHARACTERS == len(kept["first_characters"])
