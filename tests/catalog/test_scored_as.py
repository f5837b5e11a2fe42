from __future__ import annotations


def test_records_are_evaluated_on_once_they_say_how_they_are_scored(desk) -> None:
    said = "title: T\nformat: records\nsource: {files: {valid.csv: a.csv}}\ncolumns: {question: q, answer: a}\n"
    desk.write("datasets/mine.yaml", said)
    desk.write("tasks/mine/ask.yaml", 'instruction: "{{ question }}"\noutput: "{{ answer }}"\n')
    desk.edit("studies/first.yaml", "[stories/valid]", "[mine/valid]")
    (problem,) = desk.problems()
    assert "add scored_as to it: choices, trivia_qa, squad" in problem.remedy
    desk.write("datasets/mine.yaml", said + "scored_as: translation\n")
    assert "only the format parallel" in next(p.remedy for p in desk.problems() if p.field == "scored_as")
    desk.write("datasets/mine.yaml", said + "scored_as: rouge\n")
    assert desk.load().datasets["mine"].kind == "rouge"


def test_a_split_without_answers_may_be_asked_for_a_submission(desk) -> None:
    desk.edit("studies/first.yaml", "[stories/valid]", "[stories/test]")
    assert desk.load().runs["base"].evaluate_on == {"stories/test": None}
