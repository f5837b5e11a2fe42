"""The rows that one qa file of TriviaQA gives: questions, accepted answers, cited pages."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rc_pipeline.corpora.archives import Member
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.corpora.trivia_qa import BadPage, Question, read_questions
from rc_pipeline.tables.quarantine import Quarantine
from rc_pipeline.tables.schemas import TRIVIA_ANSWERS, TRIVIA_PAGES, TRIVIA_QUESTIONS, polars_schema


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split; a page names its domain until its document is looked up."""

    questions: pl.DataFrame
    answers: pl.DataFrame
    pages: pl.DataFrame


def split_rows(dataset: str, split: str, member: Member, quarantine: Quarantine) -> SplitRows:
    """Read a qa file; questions and pages that cannot be used go to the quarantine."""
    found = _usable(dataset, split, member, quarantine)
    schema = polars_schema(TRIVIA_QUESTIONS)
    rows = [
        (f"{dataset}/{split}/{row.id}", split, row.id, row.question, row.answer, row.answer_type, row.file, row.line)
        for row in found
    ]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame = quarantine.sift(frame, TRIVIA_QUESTIONS, f"{dataset}_questions", split)
    kept = dict(zip(frame["id"], frame["row_id"], strict=True))
    found = [row for row in found if row.id in kept]
    answers = [(kept[row.id], alias.text, alias.normalised, alias.human) for row in found for alias in row.aliases]
    pages = [
        (kept[row.id], page.position, page.kind, page.filename, page.title, page.domain)
        for row in found
        for page in row.pages
    ]
    quarantine.count_good(f"{dataset}_pages", split, len(pages))
    page_schema = {name: kind for name, kind in polars_schema(TRIVIA_PAGES).items() if name != "evidence_id"}
    return SplitRows(
        questions=frame,
        answers=TRIVIA_ANSWERS.validate(
            pl.DataFrame(answers, schema=polars_schema(TRIVIA_ANSWERS), orient="row"), lazy=True
        ),
        pages=pl.DataFrame(pages, schema=page_schema | {"domain": pl.String}, orient="row"),
    )


def _usable(dataset: str, split: str, member: Member, quarantine: Quarantine) -> list[Question]:
    found: dict[str, Question] = {}
    table = f"{dataset}_questions"
    for row in read_questions(member.data, member.name, split, str(member.archive)):
        if isinstance(row, BadPage):
            quarantine.add(f"{dataset}_pages", split, row.bad)
        elif isinstance(row, BadRow):
            quarantine.add(table, split, row)
        elif row.id in found:
            entry = {"QuestionId": row.id, "Question": row.question, "Answer": row.answer}
            quarantine.add(
                table, split, BadRow("duplicate_question_id", row.file, row.line, "QuestionId", row.id, entry)
            )
        else:
            found[row.id] = row
    return list(found.values())
