"""What models and strangers say stands in a report in Markdown as text."""

from __future__ import annotations

import pytest

from rc_pipeline.reporting.as_markdown import table_text
from rc_pipeline.reporting.document import Table, said


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("![x](https://example.org/x.png)", r"![x\](https://example.org/x.png)"),
        ("[x][1] [1]: https://example.org", r"[x\][1] [1\]: https://example.org"),
        ("**bold** `code` a|b", r"\*\*bold\*\* \`code\` a\|b"),
        (r"a\*b\*", r"a\\\*b\\\*"),
        ("<img src=x>", "&lt;img src=x>"),
        ("+0.1 [0.0, 0.2]", "+0.1 [0.0, 0.2]"),
    ],
)
def test_an_answer_fetches_no_picture_and_is_no_link(answer: str, shown: str) -> None:
    table = Table("examples", said("Answers."), ["after"], [((answer,),)])
    assert table_text(table) == f"| after |\n| --- |\n| {shown} |"
