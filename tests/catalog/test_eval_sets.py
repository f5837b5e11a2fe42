from __future__ import annotations

import pytest

CHOOSE = """\
instruction: Choose.
without_passage: Guess.
input: |-
  {{ context }}

  {{ question }}
choices: ["{{ answer0 }}", "{{ answer1 }}"]
label: "{{ label }}"
output: "{{ choices[label] }}"
"""
STUDY = "studies/first.yaml"


@pytest.fixture
def reading(desk):
    """A catalog whose templates set the passage off from the rest."""
    desk.write("tasks/stories/choose.yaml", CHOOSE)
    desk.write(
        "tasks/quiz/answer.yaml", 'instruction: "{{ question }}"\ninput: "{{ passage }}"\noutput: "{{ answer }}"\n'
    )
    return desk


def asked(desk) -> list[str]:
    return list(desk.load().studies["first"].evaluate_on)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("stories/valid.no_pasage", "no held-out template no_pasage, and no probe is called so; did you mean no_"),
        ("quiz/web-dev.shuffled_options", "quiz cannot be asked so: its evaluating template has no choices"),
        ("stories/valid.by_document", "only the publisher's own splits of the format trivia_qa have documents"),
        ("stories/train.question_only", "train is trained on"),
        ("stories/valid.*", "catalog/tasks/stories has no held-out template; add one with use: [held_out]"),
        ("stories/valid.question_only.no_passage", "no held-out template question_only.no_passage"),
    ],
)  # fmt: skip
def test_a_set_that_cannot_be_asked_is_told_with_the_reason(reading, name: str, remedy: str) -> None:
    reading.edit(STUDY, "[stories/valid]", f"['{name}']")
    (problem,) = reading.problems()
    assert problem.file == f"catalog/{STUDY}"
    assert problem.field.startswith("evaluate_on")
    assert remedy in problem.remedy


def test_a_probe_that_the_template_is_not_written_for_says_how_to_write_it(desk) -> None:
    desk.edit(STUDY, "[stories/valid]", "[stories/valid.no_passage, stories/valid.question_only]")
    (problem,) = desk.problems()
    assert problem.field == "evaluate_on.stories/valid.question_only"
    assert "set the passage off by blank lines" in problem.remedy


@pytest.mark.parametrize("name", ["question_only", "no_passage", "shuffled_options", "other_passage", "by_document"])
def test_a_template_cannot_be_called_as_a_way_to_ask_is(reading, name: str) -> None:
    reading.write(f"tasks/stories/{name}.yaml", CHOOSE + "use: [held_out]\n")
    (problem,) = reading.problems()
    assert problem.file == f"catalog/tasks/stories/{name}.yaml"
    assert f"{name} is a way to ask any template" in problem.remedy


def test_a_set_that_is_named_by_itself_and_by_a_star_is_there_twice(reading) -> None:
    reading.write("tasks/stories/exam.yaml", CHOOSE + "use: [held_out]\n")
    reading.edit(STUDY, "[stories/valid]", "['stories/valid.*', stories/valid.exam]")
    (problem,) = reading.problems()
    assert "stories/valid.exam is here twice" in problem.remedy


def test_a_star_names_every_held_out_template_and_no_probe(reading) -> None:
    for name in ("exam", "zh", "again"):
        reading.write(f"tasks/stories/{name}.yaml", CHOOSE + "use: [held_out]\n")
    reading.edit(STUDY, "[stories/valid]", "{stories/valid: all, 'stories/valid.*': 20, stories/valid.no_passage: 5}")
    assert dict(reading.load().studies["first"].evaluate_on) == {
        "stories/valid": "all", "stories/valid.again": 20, "stories/valid.exam": 20, "stories/valid.zh": 20,
        "stories/valid.no_passage": 5,
    }  # fmt: skip


def test_probes_and_documents_are_evaluation_sets_of_their_own(reading) -> None:
    probes = ["question_only", "no_passage", "shuffled_options", "other_passage"]
    names = [f"stories/valid.{probe}" for probe in probes] + ["quiz/web-dev.by_document", "quiz/web-dev.other_passage"]
    reading.edit(STUDY, "[stories/valid]", f"[{', '.join(names)}]")
    assert asked(reading) == names
    (run,) = [run for run in reading.load().runs.values() if run.tune is None]
    assert sorted(run.evaluate_on) == sorted(names)
