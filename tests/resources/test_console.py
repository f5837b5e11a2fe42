"""What a run says in a terminal."""

from __future__ import annotations

import logging

from resources.console import OneLineEach


def test_a_file_that_speaks_to_the_terminal_is_shown_and_not_obeyed() -> None:
    record = logging.LogRecord(
        "run", logging.INFO, "", 0, "row \x1b[2J\x9b31m\u202e\ud800\nsecond line\tend", None, None
    )
    said = OneLineEach().format(record)
    assert said.endswith("  row ␛[2J‹U+009B›31m‹U+202E›‹U+D800›\nsecond line\tend")
    assert said.encode("utf-8")
