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
                frame = self._question_rows(batch)
                kept = set(frame["id"])
                batch = [row for row in batch if row.id in kept]  # noqa: PLW2901 - the rest is in the quarantine
                add_questions(frame)
                add_answers(TRIVIA_ANSWERS.validate(self._answer_rows(batch), lazy=True))
                add_cited(self._page_rows(batch))

    def _question_rows(self, batch: list[Question]) -> pl.DataFrame:
        rows = [
            (
                self._row_id(row), self.split, row.id, row.question, row.answer, row.answer_type, row.source,
                row.verified, row.file, row.line,
            )
            for row in batch
        ]  # fmt: skip
        frame = as_frame(list(zip(*rows, strict=True)), QUESTION_TYPES)
        frame = self._quarantine.sift(frame, TRIVIA_QUESTIONS, f"{self.dataset}_questions", self.split)
        self.first = pl.concat([self.first, frame.head(SHOWN_ROWS - self.first.height)])
        self.questions += frame.height
        return frame

    def _answer_rows(self, batch: list[Question]) -> pl.DataFrame:
        ids: list[str] = []
        texts: list[str] = []
        normalised: list[bool] = []
        human: list[bool] = []
        for row in batch:
            plain, folded, said = row.aliases, row.normalised_aliases, row.human_answers
            texts += plain + folded + said
            normalised += [False] * len(plain) + [True] * len(folded) + [False] * len(said)
            human += [False] * (len(plain) + len(folded)) + [True] * len(said)
            ids += [self._row_id(row)] * (len(plain) + len(folded) + len(said))
        return as_frame([ids, texts, normalised, human], ANSWER_TYPES)

    def _page_rows(self, batch: list[Question]) -> pl.DataFrame:
        ids = [row_id for row in batch for row_id in [self._row_id(row)] * len(row.pages)]
        self._quarantine.count_good(f"{self.dataset}_pages", self.split, len(ids))
        pages = [page for row in batch for page in row.pages]
        columns = list(zip(*pages, strict=True)) or [()] * len(Page._fields)
        return as_frame([ids, *columns], CITED_TYPES)

    def _row_id(self, row: Question) -> str:
        return f"{self.dataset}/{self.split}/{row.id}"

    def _batches(self, member: Member) -> Iterator[list[Question]]:
        batch: list[Question] = []
        for row in self._usable(member):
            batch.append(row)
            if len(batch) == BATCH_QUESTIONS:
                yield batch
                batch = []
        if batch:
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
