from __future__ import annotations

from pathlib import Path

import pytest

from rc_pipeline.corpora.csv_records import require_columns
from rc_pipeline.corpora.inventory import opened
from rc_pipeline.corpora.readers import SHOWN_NAMES, BadRow, CorpusError, Row
from rc_pipeline.corpora.records import read_records

DOCUMENT = "很久以前，有一座山。\n" * 40_000


def read(folder: Path, text: str, name: str = "train.csv") -> list[Row | BadRow]:
    path = folder / name
    path.write_bytes(text.encode())
    with opened(name, path) as file:
        return list(read_records(file))


def test_quotes_that_are_broken_on_every_line_do_not_have_the_file_read_over_and_over(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"line \d+: quotes are broken here and in so many lines"):
        read(tmp_path, 'q,a\n"x\n' + 'x","y\n' * 100_000)


@pytest.mark.parametrize("name", ["train.csv", "train.tsv", "train.jsonl"])
def test_lines_that_end_in_cr_alone_are_an_error_with_a_remedy(tmp_path: Path, name: str) -> None:
    text = '{"q": 1}\r{"q": 2}\r' if name == "train.jsonl" else "q,a\r1,2\r"
    with pytest.raises(CorpusError, match="its lines end in CR alone. Save the file with LF or CRLF"):
        read(tmp_path, text, name)


def test_a_carriage_return_in_the_middle_of_a_line_is_called_by_its_name(tmp_path: Path) -> None:
    first, bad = read(tmp_path, "q\ta\n1\t2\n山\r水\t2\n", "train.tsv")
    assert isinstance(first, Row)
    assert isinstance(bad, BadRow)
    assert (bad.reason, bad.line) == ("stray_carriage_return", 3)
    assert "Replace the carriage return" in bad.describe()


def test_a_field_may_hold_a_whole_document(tmp_path: Path) -> None:
    (row,) = read(tmp_path, f'q,a\n谁,"{DOCUMENT}"\n')
    assert isinstance(row, Row)
    assert row.fields["a"] == DOCUMENT


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    rows = read(tmp_path, 'q,a\n1,"x\n' + "1,2\n" * 5_000)
    assert [row.reason for row in rows if isinstance(row, BadRow)] == ["broken_quotes"]
    assert sum(isinstance(row, Row) for row in rows) == 5_000


def test_a_header_of_any_length_leaves_a_message_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        require_columns([f"c{n}" for n in range(100_000)], ("q",), str(tmp_path))
    assert len(str(caught.value)) < 2 * SHOWN_NAMES
