from __future__ import annotations

from pathlib import Path

import pytest

from rc_pipeline.reporting.parts import COMMENTS, Part, assemble, assemble_kept, kept, split
from rc_pipeline.reporting.scoreboard import ReportError

PARTS = [Part("head\n"), Part("It is so.\n", "introduction"), Part("| 94.5 |\n"), Part("", "discussion"), Part("end\n")]


def written(suffix: str = ".tex") -> tuple[str, Path]:
    return assemble(PARTS, suffix, "demo"), Path(f"report{suffix}")


def test_a_file_that_is_no_report_is_refused() -> None:
    with pytest.raises(ReportError, match=r"x\.tex: line 1 does not say that rc-pipeline wrote this"):
        split("\\documentclass{article}\n", Path("x.tex"))
    with pytest.raises(ReportError, match="line 1"):
        split("", Path("x.tex"))


@pytest.mark.parametrize(
    ("gone", "said"),
    [("% end of introduction\n", "does not pair"), ("% end of discussion\n", "has no end")],
)
def test_a_mark_that_was_deleted_is_named(gone: str, said: str) -> None:
    text, file = written()
    with pytest.raises(ReportError, match=said):
        split(text.replace(gone, ""), file)


@pytest.mark.parametrize("suffix", list(COMMENTS))
def test_what_is_written_reads_back_with_its_lines(suffix: str) -> None:
    text, file = written(suffix)
    parts, intact = split(text, file)
    assert intact
    assert [(part.text, part.author, part.touched) for part in parts] == [(p.text, p.author, False) for p in PARTS]
    lines = text.splitlines()
    assert lines[parts[2].line - 1] == "| 94.5 |"


def test_an_edit_outside_of_the_marks_is_noticed() -> None:
    text, file = written()
    assert not split(text.replace("94.5", "94.6"), file)[1]


def test_what_an_author_wrote_is_kept_and_what_nobody_touched_is_written_anew() -> None:
    text, file = written()
    old, intact = split(text.replace("% end of discussion", "My own view.\n% end of discussion"), file)
    assert intact
    fresh = [Part("head\n"), Part("It is otherwise.\n", "introduction"), *PARTS[2:]]
    parts, homeless = kept(fresh, old)
    assert [part.text for part in parts if part.author] == ["It is otherwise.\n", "My own view.\n"]
    assert homeless == []
    again, intact = split(assemble_kept(parts, fresh, ".tex", "demo"), file)
    assert intact
    assert [part.touched for part in again if part.author] == [False, True], "a kept text stays the author's"


def test_a_text_whose_part_is_gone_is_not_dropped_silently() -> None:
    text, file = written()
    old, _ = split(text.replace("It is so.", "It is mine."), file)
    assert kept(PARTS[2:], old)[1] == ["introduction"]
