from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

from rc_pipeline.lake.frames import markdown_table, preview, write_parquet


@pytest.mark.parametrize("pages", [1, 3, 5])
def test_a_disk_that_is_full_at_any_byte_of_a_file_is_said_to_be_full(pages: int, tmp_path: Path) -> None:
    # So many columns that the part behind the rows is most of the file.
    frame = pl.DataFrame({f"a_column_with_a_name_{i}": [1] for i in range(60)})
    size = f"size={pages * os.sysconf('SC_PAGE_SIZE')}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(tmp_path)], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        with pytest.raises((OSError, pl.exceptions.ComputeError), match=os.strerror(errno.ENOSPC)):
            write_parquet(frame, tmp_path / "frame.parquet")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](https://example.org/x.png)", r"\!\[x\](https://example.org/x.png)"),
        ("<img src=x> &lt;", "&lt;img src=x> \\&lt;"),
        ("a | b\r\n\\| c", r"a \| b ⏎ \\\| c"),
        ("`` **bold** _it_ ~~", r"\`\` \*\*bold\*\* \_it\_ \~\~"),
        ("谁？", "谁？"),
    ],
)
def test_a_preview_shows_text_as_it_stands_and_fetches_nothing(text: str, shown: str) -> None:
    assert preview(pl.DataFrame({"text": [text]})) == {"markdown": f"| text |\n| --- |\n| {shown} |"}


def test_cells_that_are_markdown_already_keep_their_backslashes() -> None:
    assert markdown_table(["a"], [[r"\*b\* c|d"]], escaped=True) == "| a |\n| --- |\n| \\*b\\* c\\|d |"


def test_a_table_of_our_own_may_have_markup_and_stays_a_table() -> None:
    assert markdown_table(["run"], [["`a|b`"], ["**1**\n2"]]) == "| run |\n| --- |\n| `a\\|b` |\n| **1** ⏎ 2 |"
