from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.catalog.formats import FACTS
from rc_pipeline.instructions.errors import InstructionsError
from rc_pipeline.instructions.rendering import TaskRenderer

CHOOSE = {
    "instruction": "Choose the right answer.\n",
    "input": (
        "Passage: {{ context }}\nQuestion: {{ question }}{% for c in [answer0, answer1] %}\n- {{ c }}{% endfor %}\n"
    ),
    "choices": ["{{ answer0 }}", "{{ answer1 }}"],
    "label": "{{ label }}",
    "output": "{{ choices[label] }}",
}
ROW = {
    "row_id": "d/train/0",
    "id": "id0",
    "context": "Mara went to the harbour .",
    "question": "Why ?",
    "answer0": "For fish .",
    "answer1": "None of the above choices .",
    "answer2": "c",
    "answer3": "d",
    "label": 1,
}
COLUMNS = FACTS["cosmos_qa"].columns


def renderer(**fields: Any) -> TaskRenderer:
    return TaskRenderer("choose", {**CHOOSE, **fields}, "context")


def span_of(input_template: str, context: str, **row: Any) -> tuple[str, tuple[int, int] | None]:
    rendered = renderer(input=input_template).render({**ROW, "context": context, **row})
    return rendered.input, rendered.passage


def test_a_column_that_the_rows_lack_names_the_file_and_the_columns_there_are() -> None:
    problems = renderer(input="{{ contxt }} {{ passage }}", choices=["{{ choices }}"]).problems(COLUMNS)
    listed = ", ".join(COLUMNS)
    assert problems == [
        f"choose.yaml: input: contxt: the rows have no such column; they have {listed}",
        f"choose.yaml: input: passage: the rows have no such column; they have {listed}",
        f"choose.yaml: choices[0]: choices: the rows have no such column; they have {listed}",
    ]
    assert renderer().problems(COLUMNS) == []
    assert renderer(input="{% for n in [1, 2] %}{{ n }}{% endfor %}").problems(COLUMNS) == []


def test_choices_without_a_label_and_broken_jinja_are_problems() -> None:
    assert "label: ''" in renderer(label="").problems(COLUMNS)[0]
    assert "choose.yaml: input: '{{ context'" in renderer(input="{{ context").problems(COLUMNS)[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": "{{ label + 1 }}"}, r"label: .*row d/train/0: '2' is no index of the choices; make it 0 to 1"),
        ({"label": "b"}, "'b' is no index"),
        ({"label": "-1"}, "'-1' is no index"),
        ({"input": "{{ context.missing }}"}, "UndefinedError"),
        ({"input": "{{ 1 // 0 }}"}, "ZeroDivisionError"),
        ({"input": "{{ context.__class__.__mro__ }}"}, "SecurityError"),
        ({"input": "{{ ''.__class__.__base__.__subclasses__() }}"}, "SecurityError"),
        ({"instruction": "{% set x = [].append(context) %}"}, "SecurityError"),
        ({"input": "{% include 'other' %}"}, "takes in another template"),
    ],
)
def test_a_template_that_fails_on_a_row_names_template_field_and_row(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InstructionsError, match=message) as caught:
        renderer(**fields).render(ROW)
    assert str(caught.value).startswith(f"choose.yaml: {next(iter(fields))}: ")


def test_showing_a_null_column_is_an_error_and_not_the_word_none() -> None:
    with pytest.raises(InstructionsError, match=r"input: .*NullColumn: it shows a column that is null in this row"):
        renderer(input="{{ label }}").render({**ROW, "label": None})


def test_a_row_becomes_the_golden_instruction() -> None:
    rendered = renderer().render(ROW)
    assert rendered.instruction == "Choose the right answer."
    assert rendered.input == (
        "Passage: Mara went to the harbour .\nQuestion: Why ?\n- For fish .\n- None of the above choices ."
    )
    assert rendered.passage == (9, 35)
    assert (rendered.output, rendered.gold_label) == ("None of the above choices .", 1)
    assert rendered.choices == ["For fish .", "None of the above choices ."]


def test_an_unknown_label_leaves_output_and_label_unknown() -> None:
    for output in ("{{ choices[label] }}", "{{ [answer0, answer1][label] }}", "Answer {{ label }}"):
        rendered = renderer(output=output).render({**ROW, "label": None})
        assert (rendered.output, rendered.gold_label) == (None, None)
        assert rendered.choices == ["For fish .", "None of the above choices ."]


def test_unknown_aliases_leave_the_output_unknown() -> None:
    free = TaskRenderer("ask", {"instruction": "Ask.", "output": "{{ aliases[0] }}"}, "passage")
    row = {"row_id": "t/test/0", "passage": "p", "answer": None, "aliases": []}
    assert free.render(row).output is None
    assert free.render({**row, "aliases": ["0"]}).output == "0"


@pytest.mark.parametrize("zero", ["0", "False", "None"])
def test_outputs_that_look_like_nothing_survive(zero: str) -> None:
    rendered = renderer(choices=[zero, "1"], label="0").render(ROW)
    assert (rendered.output, rendered.gold_label, rendered.choices) == (zero, 0, [zero, "1"])


def test_braces_and_markup_of_a_row_stay_as_they_are() -> None:
    rendered = renderer().render({**ROW, "context": "{{ question }} <b>&amp;</b> {% if %}", "answer0": "{{ 7 * 7 }}"})
    assert rendered.input.startswith("Passage: {{ question }} <b>&amp;</b> {% if %}\n")
    assert rendered.choices[0] == "{{ 7 * 7 }}"


@pytest.mark.parametrize(
    ("template", "context", "shown"),
    [
        ("{{ context }}", "one two", "one two"),
        ("a {{ context | upper }} b", "one two", "ONE TWO"),
        ("a {{ context | trim }} b", "  one two\n", "one two"),
        ("{{ question }} {{ context | replace('one', 'another') }} b", "one two", "another two"),
        ("a {{ context[:5] }} b", "one two three", "one t"),
        ("a {{ context | truncate(7, true, '') }} b", "one two three", "one two"),
        ("a {{ context | wordwrap(4) }} b", "one two", "one\ntwo"),
        ("{% if context | length == 7 %}{{ context }}{% endif %}", "one two", "one two"),
        ("{{ context | length }} {{ context }}", "one two", "one two"),
        ("a {{ context.split() | join('_') }} b", "one two", "one_two"),
        ("{{ context[:3] }} | {{ context }}", "one two", "one two"),
        ("{{ context | replace('one two', 'x') }} {{ context | upper }}", "one two", "ONE TWO"),
        ("a {{ context | upper }} b", "one \ue000 \ue001 two", "ONE \ue000 \ue001 TWO"),
    ],
)
def test_the_passage_is_found_whatever_the_template_does_to_it(template: str, context: str, shown: str) -> None:
    text, span = span_of(template, context)
    assert span is not None
    assert text[slice(*span)] == shown


def test_of_two_places_the_first_is_the_passage() -> None:
    text, span = span_of("a {{ context }} b {{ context }}", "one")
    assert (text, span) == ("a one b one", (2, 5))


def test_the_same_words_elsewhere_are_not_the_passage() -> None:
    text, span = span_of("{{ question }} {{ context }}", "harbour", question="Which harbour ?")
    assert span == (16, 23)
    assert text[slice(*span)] == "harbour"


@pytest.mark.parametrize(("template", "context"), [("{{ question }}", "one"), ("a {{ context }} b", "")])
def test_an_absent_passage_has_no_span(template: str, context: str) -> None:
    assert span_of(template, context)[1] is None


PRIVATE = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ue000\ue001\ue002{}%| \n"), max_size=40)


@settings(deadline=None, derandomize=True)
@given(context=PRIVATE.filter(bool), question=PRIVATE, answer=PRIVATE)
def test_any_passage_between_any_texts_is_found_exactly(context: str, question: str, answer: str) -> None:
    text, span = span_of("{{ question }}\n{{ context }}\n{{ answer0 }}.", context, question=question, answer0=answer)
    assert text == f"{question}\n{context}\n{answer}."
    assert span == (len(question) + 1, len(question) + 1 + len(context))


def test_thousands_of_rows_render_in_a_second() -> None:
    long = renderer()
    row = {**ROW, "context": "Mara went to the harbour in the morning . " * 40}
    start = time.process_time()
    for _ in range(2000):
        long.render(row)
    assert 2000 / (time.process_time() - start) > 2000


def test_choices_may_be_a_column_of_any_length() -> None:
    template = {"instruction": "{{ q }}", "choices": "{{ options }}", "label": "{{ label }}", "output": "{{ answer }}"}
    ask = TaskRenderer("ask", template, "")
    assert ask.problems(("q", "options", "label", "answer")) == []
    assert ask.problems(("q", "label", "answer")) == ["ask.yaml: choices: options: the rows have no such column"]
    row = {"row_id": "d/0", "q": "Which?", "answer": "是"}
    chosen = ask.render(row | {"options": ["否", "是", "?"], "label": 1})
    assert (chosen.choices, chosen.gold_label, chosen.output) == (["否", "是", "?"], 1, "是")
    free = ask.render(row | {"options": [], "label": None})
    assert (free.choices, free.gold_label, free.output) == ([], None, "是")
    with pytest.raises(InstructionsError, match="'3' is no index of the choices; make it 0 to 1"):
        ask.render(row | {"options": ["a", "b"], "label": 3})


def test_a_null_answer_may_be_taught_where_answers_are_known() -> None:
    said = {"instruction": "{{ q }}", "output": "{{ answer or 'unanswerable' }}"}
    row = {"row_id": "d/0", "q": "Which?", "answer": None}
    assert TaskRenderer("ask", said, "").render(row).output == "unanswerable"
    assert TaskRenderer("ask", said, "").render(row, answered=False).output is None
    assert TaskRenderer("ask", said | {"output": "{{ answer }}"}, "").render(row).output is None
