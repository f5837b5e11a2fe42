"""Sheets for people: blind, harmless, and read back with every fault named."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from made import item

from rc_pipeline.judging.items import Contents
from rc_pipeline.judging.people import rows_of
from rc_pipeline.judging.ratings import read_ratings
from rc_pipeline.judging.records import as_frame, is_fresh
from rc_pipeline.judging.sheets import harmless, make_sheet, read_key, write_sheet
from rc_pipeline.judging.tallies import graded, pairwise

PAIR = Contents("d/valid", "i", {"base": "p", "tuned": "q"})
ALONE = Contents("d/valid", "i", {"base": "p"})


def cells(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def make(folder: Path, items, contents=PAIR, *, bom: bool = False):
    sheet = make_sheet(contents, items, 0)
    write_sheet(sheet, items, folder / "sheet.csv", folder / "lake", bom=bom)
    return sheet


def fill(folder: Path, rater: str, values: list[str], delimiter: str = ",") -> Path:
    """Save the sheet as a rater would, with a value in each line."""
    rows = cells(folder / "sheet.csv")
    column = "better" if "better" in rows[0] else "grade"
    path = folder / f"{rater}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(row | {column: value} for row, value in zip(rows, values, strict=True))
    return path


def read(folder: Path, *paths: Path):
    return read_ratings(paths, lambda name: read_key(folder / "lake", name))


def pairs(count: int):
    return [item(f"d/valid/{n}", f"Ada {n}", f"Ben {n}") for n in range(count)]


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "＝1", "＋1", "＠x", "－1"]
)
def test_a_cell_is_never_a_formula(text):
    assert harmless(text).startswith("'")


def test_a_cell_hides_nothing_and_fits():
    assert harmless("a\u202eb\x1b") == "a‹U+202E›b␛"
    assert harmless("第一行\n第二行") == "第一行\n第二行"
    assert len(harmless("x" * 10**6)) < 32_767


def test_a_sheet_names_no_run_and_draws_which_answer_is_a(tmp_path):
    sheet = make(tmp_path, pairs(40))
    text = (tmp_path / "sheet.csv").read_text()
    assert "base" not in text
    assert "tuned" not in text
    first = [row["answer_a"].startswith("Ada") for row in cells(tmp_path / "sheet.csv")]
    assert 8 < sum(first) < 32
    assert [not shown.swapped for shown in sheet.lines.values()] == first
    assert make_sheet(PAIR, pairs(40), 0) == sheet == read_key(tmp_path / "lake", sheet.name)


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    make(tmp_path, pairs(1))
    with pytest.raises(ValueError, match="perhaps with ratings in it"):
        make(tmp_path, pairs(1))


def test_excel_gets_its_mark_and_line_ends_and_delimiters_of_any_spreadsheet_are_read(tmp_path):
    make(tmp_path, [item("k", "多行\n答案，带逗号", '"quoted"')], bom=True)
    assert (tmp_path / "sheet.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    for rater, delimiter in (("comma", ","), ("semicolon", ";"), ("tab", "\t")):
        ratings = read(tmp_path, fill(tmp_path, rater, [" TIE "], delimiter))
        assert list(ratings.labels[rater].values()) == ["tie"]


def test_verdicts_are_unblinded(tmp_path):
    sheet = make(tmp_path, pairs(30))
    # Always for the first run, whichever place it stands in.
    said = ["B" if shown.swapped else "a" for shown in sheet.lines.values()]
    ratings = read(tmp_path, fill(tmp_path, "mei", said))
    items = {one.key: one for one in pairs(30)}
    tally = pairwise(as_frame(rows_of(ratings, PAIR, items)))
    assert tally.outcomes["win"] == 30
    assert tally.inconsistent is None


def test_every_fault_is_named_with_its_line(tmp_path):
    sheet = make(tmp_path, [item(f"k{n}", f"two\nlines {n}", contents) for n, contents in enumerate("xyzw")], PAIR)
    path = fill(tmp_path, "r", ["A", "C", "", "b"])
    rows = cells(path)
    text = path.read_text()
    path.write_text(text.replace(f"{sheet.name}-0004", f"{sheet.name}-0001"))
    assert len(rows) == 4
    with pytest.raises(ValueError, match="line") as refused:
        read(tmp_path, path)
    said = str(refused.value).splitlines()
    # Each row is two lines long.
    assert said[0] == f"{path}, line 4: better = 'C'; write A, B or tie, or leave it blank"
    assert said[1].startswith(f"{path}, line 8: id = {sheet.name}-0001 stands on line 2 as well")
    assert len(said) == 2


@pytest.mark.parametrize("value", ["0", "6", "2.5", "five", "²", "-1", "03"])
def test_a_grade_out_of_range_is_refused(tmp_path, value):
    make(tmp_path, [item("k", "x")], ALONE)
    with pytest.raises(ValueError, match=r"line 2: grade = .*a whole number from 1 to 5"):
        read(tmp_path, fill(tmp_path, "r", [value]))


def test_blank_and_deleted_lines_are_missing_and_no_fault(tmp_path):
    sheet = make(tmp_path, [item(f"k{n}", "x") for n in range(4)], ALONE)
    path = fill(tmp_path, "r", ["5", "", "1", "2"])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    ratings = read(tmp_path, path)
    assert sorted(ratings.labels["r"].values()) == [1, 5]
    assert ratings.blank["r"] == [f"{sheet.name}-0002", f"{sheet.name}-0004"]


def test_files_that_are_no_ratings_of_one_sheet_are_refused(tmp_path):
    make(tmp_path, pairs(2))
    one = fill(tmp_path, "one", ["A", "B"])
    (tmp_path / "b").mkdir()
    twin = tmp_path / "b" / "one.csv"
    twin.write_bytes(one.read_bytes())
    with pytest.raises(ValueError, match="give them different names"):
        read(tmp_path, one, twin)
    (tmp_path / "other").mkdir()
    make(tmp_path / "other", pairs(3))
    with pytest.raises(ValueError, match="rows of several sheets"):
        read(tmp_path, one, fill(tmp_path / "other", "two", ["A", "A", "A"]))
    twin.write_text("id,grade\nx,1\n")
    with pytest.raises(ValueError, match="no row of any sheet"):
        read(tmp_path, twin)
    twin.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=re.escape(f"{twin}, line 1: the header has no id")):
        read(tmp_path, twin)
    twin.write_bytes("id,better\n甲,A\n".encode("gb18030"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read(tmp_path, twin)
    twin.write_text("id,better\ns0123456789-0001,A\n")
    with pytest.raises(ValueError, match="this lake holds no key of it"):
        read(tmp_path, twin)


def test_ratings_of_answers_that_changed_since_keep_the_content_that_they_were_made_for(tmp_path):
    items = [item(f"k{n}", "x") for n in range(3)]
    make(tmp_path, items, ALONE)
    ratings = read(tmp_path, fill(tmp_path, "r", ["5", "4", "1"]))
    today = Contents("d/valid", "i", {"base": "new"})
    now = {one.key: one for one in [items[0], items[1], item("k2", "better")]}
    frame = as_frame(rows_of(ratings, today, now))
    assert frame.filter(is_fresh(today))["key"].sort().to_list() == ["k0", "k1"]
    assert frame.filter(is_fresh(ALONE))["key"].to_list() == ["k2"]
    assert graded(frame.filter(is_fresh(today))).mean.value == 4.5
    gone = as_frame(rows_of(ratings, None, {}))
    assert gone["predictions_a"].unique().to_list() == ["p"]
