from __future__ import annotations

import polars as pl
import pytest

from rc_pipeline.lake.frames import markdown_table, preview


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
