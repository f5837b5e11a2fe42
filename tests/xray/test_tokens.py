"""X-rays of rows: every id accounted for, cuts where they are, nothing hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_pipeline.prompting.encoding import encode
from rc_pipeline.xray.page import Section, html_page
from rc_pipeline.xray.preview import preview_markdown
from rc_pipeline.xray.terminal import in_words, terminal_lines
from rc_pipeline.xray.tokens import Limits, _tokens, xray
from rc_pipeline.xray.visible import columns, visible

PASSAGE = "The boats were late , and she bought bread instead . " * 20
HOSTILE = "<script>alert(1)</script> </s> \x1b[31m \u202e \x00 \" onload='x' & 你好🙂"


def row(**more):
    question = f"\n\nQuestion: What did she buy? {HOSTILE}"
    return {
        "instruction_id": "r:t", "row_id": "r", "template": "t", "instruction": "Answer the question .",
        "input": PASSAGE + question, "passage_start": 0, "passage_end": len(PASSAGE), "output": "面包", "choices": [],
    } | more  # fmt: skip


@pytest.mark.parametrize("loss_on", ["answer", "everything"])
@pytest.mark.parametrize("max_tokens", [1000, 150])
def test_every_id_of_training_is_shown_once_and_in_order(tokenizer, form, max_tokens, loss_on):
    found = xray(row(), tokenizer, form, Limits(max_tokens, loss_on))
    encoded = encode(row(), tokenizer, form, max_tokens=max_tokens, loss_on=loss_on)
    assert [each for token in found.tokens for each in token.ids] == list(encoded.ids)
    labels = [each if token.trained else -100 for token in found.tokens for each in token.ids]
    assert labels == list(encoded.labels)
    assert found.counts["trained"] == sum(label != -100 for label in labels)
    assert "".join(token.text for token in found.tokens if token.trained).endswith("面包</s>")


def test_a_character_of_several_ids_is_one_token_and_a_special_token_is_marked(tokenizer, form):
    found = xray(row(), tokenizer, form, Limits(1000))
    bread = next(token for token in found.tokens if token.text == "面")
    assert len(bread.ids) == 3
    assert [token.text for token in found.tokens if token.special] == ["</s>"]


@given(st.lists(st.integers(0, 1023), min_size=1, max_size=40), st.integers(0, 40))
def test_ids_that_make_no_text_are_shown_all_the_same(tokenizer, ids, masked):
    found = list(_tokens(ids, masked, masked, tokenizer))
    assert [each for token in found for each in token.ids] == ids
    assert [token.trained for token in found for _ in token.ids] == [n >= masked for n in range(len(ids))]


def test_what_was_cut_stands_where_it_was_cut(tokenizer, form):
    found = xray(row(), tokenizer, form, Limits(200))
    (cut,) = found.cuts
    assert cut.tokens == found.counts["passage tokens cut"] > 0
    shown = [token.text for token in found.tokens]
    whole = "".join([*shown[: cut.at], cut.text, *shown[cut.at :]])
    assert "".join(whole.split()) == "".join(_whole(form).split())


def _whole(form):
    from rc_pipeline.prompting.encoding import render

    return render(row(), form) + "面包</s>"


def test_examples_and_turns_that_went_are_shown_as_well(tokenizer):
    from rc_pipeline.prompting.template import Prompt

    turns = Prompt("turns", "U {instruction} {input} A ", "U {instruction} A ", "A", turn="{prompt}{answer}\n")
    history = [[f"ask number {n}", "say"] for n in range(9)]
    found = xray(row(history=history), tokenizer, turns, Limits(140))
    assert found.counts["turns dropped"] > 0
    lost = sum(cut.tokens for cut in found.cuts)
    whole = encode(row(history=history), tokenizer, turns, max_tokens=9999)
    assert lost == len(whole.ids) - found.counts["tokens"]


def test_a_row_that_cannot_fit_says_why(tokenizer, form):
    found = xray(row(instruction="word " * 300), tokenizer, form, Limits(64))
    assert "max_tokens is 64" in in_words(found)
    assert list(terminal_lines(found, width=80, colours=True)) == []
    assert "Left out: " in html_page([Section("m", "p", "d/s", [found])])


def test_nothing_of_a_row_reaches_the_terminal_or_the_page_as_a_command(tokenizer, form):
    found = xray(row(template="<b>", row_id="\x1b]0;x\x07"), tokenizer, form, Limits(1000))
    for line in terminal_lines(found, width=80, colours=False):
        assert line.isprintable()
    page = html_page([Section("<m>", "p", "d/s", [found])])
    for bad in ("<script", "<b>", "<m>", "\x1b", "\x00", "\u202e"):
        assert bad not in page.replace("<b>✂", "")
    assert "&lt;" in page


def test_lines_fit_the_terminal_and_say_in_their_margin_what_they_are(tokenizer, form):
    lines = list(terminal_lines(xray(row(), tokenizer, form, Limits(200)), width=60, colours=False))
    assert {line[:7].strip() for line in lines} == {"masked", "trained", "cut"}
    assert all(columns(line) <= 60 for line in lines if not line.strip().startswith("cut"))


def test_the_prompt_alone_keeps_room_for_the_answer(tokenizer, form):
    free = xray(row(), tokenizer, form, Limits(200, with_answer=False, new_tokens=32))
    chosen = xray(row(choices=["a", "the boats " * 20]), tokenizer, form, Limits(200, with_answer=False, new_tokens=32))
    assert free.counts["tokens"] <= 168
    assert chosen.counts["tokens"] < free.counts["tokens"]
    assert free.counts["trained"] == 0
    assert not any(token.trained for token in free.tokens)


def test_ordinary_writing_is_left_as_it_is():
    assert visible("नमस्ते café 👩‍🚀 你好, a-b_c") == "नमस्ते café 👩‍🚀 你好, a-b_c"
    assert visible("a\nb\tc\r\x9b\u2028") == "a⏎\nb⇥\tc␍‹U+009B›‹U+2028›"


def test_a_preview_marks_the_passage_and_cannot_break_out_of_its_block():
    shown = preview_markdown(
        [row(system="Be kind.", history=[["hello\n# heading", "hi"]]), row(output=None, template="x", input="")]
    )
    assert shown.count("**") == 4
    assert "«The boats" in shown
    assert "characters …" in shown
    assert "answer  (not known)" in shown
    for line in shown.splitlines():
        assert not line or line.startswith(("    ", "**"))
