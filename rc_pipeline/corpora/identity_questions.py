"""Questions about a model itself and their answers, made from a few facts and the patterns of a language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rc_pipeline.corpora.identity import Facts, read_identity
from rc_pipeline.corpora.inventory import RawFile
from rc_pipeline.corpora.readers import CorpusError, Row
from rc_pipeline.lake.canonical import stable_hash

PATTERNS = {language: Path(__file__).with_name(f"identity_patterns_{language}.yaml") for language in ("en", "zh")}


@dataclass(frozen=True)
class Question:
    """A question and the answer that was drawn for it."""

    question: str
    answer: str
    topic: str


def read_rows(file: RawFile) -> Iterator[Row]:
    """Yield a row a question; its key is the question's own, so that another pattern renames no row."""
    for language, facts in sorted(read_identity(file.data, str(file)).items()):
        if language not in PATTERNS:
            known = " or ".join(PATTERNS)
            raise CorpusError(f"{file}: there are no questions in language {language!a}. Use {known}.")
        for asked in questions(language, facts):
            fields = {"question": asked.question, "answer": asked.answer, "topic": asked.topic, "language": language}
            yield Row(fields, file.name, 1, f"{language}-{stable_hash(0, asked.question):016x}")


def questions(language: str, facts: Facts) -> Iterator[Question]:
    """Yield the questions of a language, each once."""
    patterns = _patterns(language)
    told = {
        "name": facts.name,
        "developers": facts.developers,
        "abilities": _joined(facts.abilities, patterns["between"], patterns["before_last"]),
    }
    lists = {
        "ability": list(facts.abilities),
        "model": _others(patterns["models"], facts.name),
        "company": _others(patterns["companies"], facts.developers),
    }
    asked: set[str] = set()
    for topic, said in patterns["topics"].items():
        for pattern in said["questions"]:
            for more in _each(pattern, lists):
                question = pattern.format(**told, **more)
                if question not in asked:
                    asked.add(question)
                    # A score for each answer, and not a place in the list: another answer moves few questions.
                    answer = min(said["answers"], key=lambda one: stable_hash(0, question, one))
                    yield Question(question, answer.format(**told, **more), topic)


@cache
def _patterns(language: str) -> Any:
    import yaml

    return yaml.safe_load(PATTERNS[language].read_text(encoding="utf-8"))


def _each(pattern: str, lists: dict[str, list[str]]) -> list[dict[str, str]]:
    """Return what a pattern is to be filled with besides the facts, once for each entry of the list it names."""
    for name, entries in lists.items():
        if f"{{{name}}}" in pattern:
            return [{name: entry} for entry in entries]
    return [{}]


def _others(names: list[str], own: str) -> list[str]:
    """Leave out what the model is called itself: it is not to deny its own name."""
    return [name for name in names if name.casefold() not in own.casefold() and own.casefold() not in name.casefold()]


def _joined(abilities: tuple[str, ...], between: str, before_last: str) -> str:
    *first, last = abilities
    return f"{between.join(first)}{before_last}{last}" if first else last
