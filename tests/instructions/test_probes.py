from __future__ import annotations

from typing import Any

import pytest

from rc_pipeline.instructions.probes import (
    NEW_LABEL,
    NO_PASSAGE,
    OTHER_PASSAGE,
    QUESTION_ONLY,
    SHUFFLED_OPTIONS,
    UnfitProbe,
    option_columns,
    probe_template,
    without_passage,
)

COLUMNS = ("context", "question", "answer0", "answer1", "label")


def template(text: str, **fields: Any) -> dict[str, Any]:
    return {"instruction": "Answer.", "input": text, "output": "{{ answer0 }}"} | fields


@pytest.mark.parametrize("probe", [QUESTION_ONLY, NO_PASSAGE, OTHER_PASSAGE])
def test_a_passage_that_is_not_there_cannot_be_taken_away(probe: str) -> None:
    with pytest.raises(UnfitProbe, match="show no passage"):
        probe_template(probe, template("{{ question }}"), "context", COLUMNS)
    with pytest.raises(UnfitProbe, match="show no passage"):
        probe_template(probe, template("{{ question }}"), "", COLUMNS)
    with pytest.raises(UnfitProbe, match="nothing else"):
        probe_template(probe, template("{{ context }}"), "context", COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "Q: {{ question }} P: {{ context }}",
        "{% for part in [context] %}\n\n{{ part }}\n\n{{ context }}\n\n{% endfor %}",
        "{{ context\n\n}}{{ question }}",
    ],
)
def test_a_passage_that_cannot_be_told_from_the_rest_is_not_guessed_at(text: str) -> None:
    with pytest.raises(UnfitProbe, match="input of its evaluating template.*set the passage off by blank lines"):
        without_passage(template(text), "context")


def test_an_instruction_that_is_all_passage_needs_words_for_without_one() -> None:
    with pytest.raises(UnfitProbe, match="write one into the template's without_passage"):
        without_passage(template("{{ question }}", instruction="Read: {{ context }}"), "context")
    with pytest.raises(UnfitProbe, match="no instruction is left"):
        without_passage(template("{{ question }}", without_passage="About {{ context }}"), "context")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Passage: {{ context }}\n\nQ: {{ question }}\nA. {{ answer0 }}", "Q: {{ question }}\nA. {{ answer0 }}"),
        ("{{ question }}\n\n# 短文\n{{ context | trim }}\n完。\n\n{{ answer0 }}", "{{ question }}\n\n{{ answer0 }}"),
        ("Question: {{ question }}\nPassage: {{ context }}\nAnswer:", "Question: {{ question }}\nAnswer:"),
        ("{{ context }}", ""),
        ("{{ question }}", "{{ question }}"),
        ("{% if context %}Passage: {{ context }}\n\n{% endif %}{{ question }}", None),
    ],
)  # fmt: skip
def test_without_a_passage_its_paragraph_goes_or_else_its_line(text: str, left: str | None) -> None:
    assert without_passage(template(text), "context")["input"] == (text if left is None else left)


def test_an_instruction_may_have_other_words_for_no_passage() -> None:
    said = template("{{ context }}\n\n{{ question }}", instruction="Read.", without_passage="Guess.")
    assert probe_template(QUESTION_ONLY, said, "context", COLUMNS)["instruction"] == "Guess."
    assert probe_template(NO_PASSAGE, said, "context", COLUMNS) == said
    assert probe_template(OTHER_PASSAGE, said, "context", COLUMNS) == said


def test_options_that_no_column_holds_cannot_be_shuffled() -> None:
    with pytest.raises(UnfitProbe, match="has no choices"):
        probe_template(SHUFFLED_OPTIONS, template("{{ question }}"), "context", COLUMNS)
    with pytest.raises(UnfitProbe, match="cannot be told which ones hold the options"):
        option_columns(template("{{ one }}", choices=["A", "B"]), ("one", "two"))
    with pytest.raises(UnfitProbe, match="cannot be told"):
        option_columns(template("", choices=["{{ one }}", "not {{ one }}"]), ("one",))
    numbered = template("", choices=["{{ one }}", "{{ two }}"], label="{{ gold }}", output="{{ choices[gold] }}")
    with pytest.raises(UnfitProbe, match="its output shows gold.*; name label"):
        probe_template(SHUFFLED_OPTIONS, numbered, "", ("one", "two", "gold"))


@pytest.mark.parametrize(
    ("choices", "columns"),
    [
        (["A. {{ answer0 }}", "B. {{ answer1 }}"], ("answer0", "answer1")),
        (["{{ yes }}", "{{ no }}"], ("yes", "no")),
        (["A", "B"], ("answer0", "answer1")),
        ("{{ options }}", ("options",)),
    ],
)
def test_the_columns_of_the_options_are_found(choices: Any, columns: tuple[str, ...]) -> None:
    said = template("{{ question }}", choices=choices, label="{{ label }}")
    assert option_columns(said, (*COLUMNS, *columns)) == columns
    assert probe_template(SHUFFLED_OPTIONS, said, "", (*COLUMNS, *columns))["label"] == f"{{{{ {NEW_LABEL} }}}}"
