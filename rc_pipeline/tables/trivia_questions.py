"""The rows that one qa file of TriviaQA gives: questions, accepted answers, cited pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from rc_pipeline.corpora.archives import Member
from rc_pipeline.corpora.readers import BadRow
from rc_pipeline.corpora.trivia_qa import BadPage, Page, Question, read_questions
from rc_pipeline.tables.parquet_stream import as_frame, writing
from rc_pipeline.tables.quarantine import Quarantine
from rc_pipeline.tables.schemas import TRIVIA_ANSWERS, TRIVIA_PAGES, TRIVIA_QUESTIONS, polars_schema

BATCH_QUESTIONS = 4096
SHOWN_ROWS = 5
QUESTION_TYPES = polars_schema(TRIVIA_QUESTIONS)
ANSWER_TYPES = polars_schema(TRIVIA_ANSWERS)
# A page names its domain until its document is looked up.
CITED_TYPES = {"row_id": pl.String} | {name: polars_schema(TRIVIA_PAGES).get(name, pl.String) for name in Page._fields}


class _Columns:
    """Rows of the three tables as lists of values: no objects for the garbage collector to walk through."""

    def __init__(self) -> None:
        self.questions: list[list[object]] = [[] for _ in QUESTION_TYPES]
        self.answers: list[list[object]] = [[] for _ in ANSWER_TYPES]
        self.pages: list[list[object]] = [[] for _ in CITED_TYPES]

    def __len__(self) -> int:
        return len(self.questions[0])

    def add(self, row_id: str, split: str, row: Question) -> None:
        """Take a question, its answers and its pages."""
        values = (
            row_id, split, row.id, row.question, row.answer, row.answer_type, row.source, row.verified, row.file,
            row.line,
        )  # fmt: skip
        for column, value in zip(self.questions, values, strict=True):
            column.append(value)
        ids, aliases, normalised, human = self.answers
        for texts, is_normalised, is_human in (
            (row.aliases, False, False),
            (row.normalised_aliases, True, False),
            (row.human_answers, False, True),
        ):
            ids += [row_id] * len(texts)
            aliases += texts
            normalised += [is_normalised] * len(texts)
            human += [is_human] * len(texts)
        if row.pages:
            self.pages[0].extend([row_id] * len(row.pages))
            for column, told in zip(self.pages[1:], zip(*row.pages, strict=True), strict=True):
                column.extend(told)


class SplitWriter:
    """Writes the questions, answers and cited pages of one qa file, a batch of questions at a time."""

    def __init__(self, dataset: str, split: str, quarantine: Quarantine) -> None:
        self.dataset, self.split = dataset, split
        self.questions = 0
        self.first = pl.DataFrame(schema=QUESTION_TYPES)
        self._quarantine = quarantine
        self._ids: set[str] = set()

    def write(self, member: Member, *, questions: Path, answers: Path, cited: Path) -> None:
        """Read a qa file; questions and pages that cannot be used go to the quarantine."""
        with ExitStack() as stack:
            add_questions = stack.enter_context(writing(questions, QUESTION_TYPES))
            add_answers = stack.enter_context(writing(answers, ANSWER_TYPES))
            add_cited = stack.enter_context(writing(cited, CITED_TYPES))
            for batch in self._batches(member):
                given = as_frame(batch.questions, QUESTION_TYPES)
                frame = self._quarantine.sift(given, TRIVIA_QUESTIONS, f"{self.dataset}_questions", self.split)
                found, pages = as_frame(batch.answers, ANSWER_TYPES), as_frame(batch.pages, CITED_TYPES)
                if frame.height < given.height:
                    found, pages = (part.join(frame, on="row_id", how="semi") for part in (found, pages))
                self._quarantine.count_good(f"{self.dataset}_pages", self.split, pages.height)
                self.first = pl.concat([self.first, frame.head(SHOWN_ROWS - self.first.height)])
                self.questions += frame.height
                add_questions(frame)
                add_answers(TRIVIA_ANSWERS.validate(found, lazy=True))
                add_cited(pages)

    def _batches(self, member: Member) -> Iterator[_Columns]:
        batch = _Columns()
        for row in self._usable(member):
            batch.add(f"{self.dataset}/{self.split}/{row.id}", self.split, row)
            if len(batch) == BATCH_QUESTIONS:
                yield batch
                batch = _Columns()
        if len(batch):
            yield batch

    def _usable(self, member: Member) -> Iterator[Question]:
        table = f"{self.dataset}_questions"
        for row in read_questions(member.data, member.name, self.split, str(member.archive)):
            if isinstance(row, BadPage):
                self._quarantine.add(f"{self.dataset}_pages", self.split, row.bad)
            elif isinstance(row, BadRow):
                self._quarantine.add(table, self.split, row)
            elif row.id in self._ids:
                entry = {"QuestionId": row.id, "Question": row.question, "Answer": row.answer}
                bad = BadRow("duplicate_question_id", row.file, row.line, "QuestionId", row.id, entry)
                self._quarantine.add(table, self.split, bad)
            else:
                self._ids.add(row.id)
                yield row
