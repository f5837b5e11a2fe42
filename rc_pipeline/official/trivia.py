"""TriviaQA's evaluation: a file of questions and a file of predictions by official key, as its script scores them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.corpora.json_stream import JsonDocument
from rc_pipeline.scoring.intervals import bounds, resampled_sums
from rc_pipeline.scoring.matching import match
from rc_pipeline.scoring.measures import Mean
from rc_pipeline.scoring.trivia import RULES

if TYPE_CHECKING:
    import polars as pl

# How the lists that a key of the Web domain may come from are called.
PAGES = ("EntityPages", "SearchResults")
BETWEEN = "--"
MEASURES = (Mean("exact_match"), Mean("f1"))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Questions:
    """The keys that count, in the order of the file, and the accepted answers of each question."""

    # Key: place of its question in `accepted`.
    keys: dict[str, int] = field(default_factory=dict)
    accepted: list[list[str]] = field(default_factory=list)
    # Questions that no prediction can be right on.
    without_aliases: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Predictions:
    """What was said by key, the keys that stand in the file more than once, and those that hold no text."""

    said: dict[str, str | None]
    duplicated: list[str]
    not_text: list[str]


def read_questions(path: Path) -> Questions:
    """Read a qa file: questions by QuestionId (Wikipedia) or by page (Web); of a verified one, the verified part."""
    found = Questions()
    for datum, web, verified in _data(path):
        if verified and not datum.get("QuestionPartOfVerifiedEval"):
            continue
        aliases = _aliases(datum, path)
        keys = _page_keys(datum, path, verified=verified) if web else [datum["QuestionId"]]
        if not aliases and keys:
            found.without_aliases.append(datum["QuestionId"])
        found.keys |= dict.fromkeys(keys, len(found.accepted))
        found.accepted.append(aliases)
    if not found.keys:
        raise ValueError(f"{path}: no question counts; the file holds none, or none of them is verified")
    return found


def _data(path: Path) -> list[tuple[dict[str, Any], bool, bool]]:
    """Return each question, and whether the file is of the Web domain and verified: it says so at its end."""
    with path.open("rb") as file:
        document = JsonDocument("Data", file, str(path))
        data = [_slim(datum, path, line) for line, datum in document.elements()]
    if not document.has_list:
        raise document.lacks_list()
    domain = document.facts.get("Domain")
    if not isinstance(domain, str):
        raise ValueError(f"{path}: the top level has no text under Domain, so the keys are not known; restore the file")
    unanswered = [datum["QuestionId"] for datum in data if not isinstance(datum["Answer"], dict)]
    if unanswered:
        what = "a test file has no answers to score against; `rc-pipeline submission` writes what is submitted"
        remedy = what if len(unanswered) == len(data) else f"restore the file (the first is {unanswered[0]})"
        raise ValueError(f"{path}: {len(unanswered)} of {len(data)} questions have no Answer; {remedy}")
    web, verified = domain != "Wikipedia", bool(document.facts.get("VerifiedEval"))
    return [(datum, web, verified) for datum in data]


def _slim(datum: Any, path: Path, line: int) -> dict[str, Any]:
    """Return what counts of a question: the rest of a file is many times as much."""
    if not isinstance(datum, dict) or not isinstance(datum.get("QuestionId"), str):
        raise ValueError(f"{path}, line {line}: a question without a QuestionId; restore the file")
    kept: dict[str, Any] = {name: datum.get(name) for name in ("QuestionId", "QuestionPartOfVerifiedEval", "Answer")}
    for name in PAGES:
        pages = datum.get(name) or []
        if not (isinstance(pages, list) and all(isinstance(page, dict) for page in pages)):
            raise ValueError(
                f"{path}, line {line}: {name} of {datum['QuestionId']} is no list of pages; restore the file"
            )
        kept[name] = [(page.get("Filename"), page.get("DocPartOfVerifiedEval")) for page in pages]
    return kept


def _page_keys(datum: Mapping[str, Any], path: Path, *, verified: bool) -> list[str]:
    keys = []
    for name in PAGES:
        for filename, counts in datum[name]:
            if not isinstance(filename, str):
                raise ValueError(f"{path}: {datum['QuestionId']}: a page of {name} has no Filename; restore the file")
            if counts or not verified:
                keys.append(f"{datum['QuestionId']}{BETWEEN}{filename}")
    return keys


def _aliases(datum: Mapping[str, Any], path: Path) -> list[str]:
    lists = [datum["Answer"].get(name) or [] for name in ("NormalizedAliases", "HumanAnswers")]
    if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
        raise ValueError(f"{path}: {datum['QuestionId']}: Answer: aliases are no list of texts; restore the file")
    return [_storable(text) for texts in lists for text in texts]


class _Pairs(list[tuple[str, Any]]):
    """The entries of a JSON object, repeated keys included."""


def read_predictions(path: Path) -> Predictions:
    """Read a JSON object of official key: answer; of a key that stands there twice the last one counts."""
    try:
        pairs = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not whole JSON in UTF-8 ({error}); write the predictions again") from error
    if not isinstance(pairs, _Pairs):
        raise ValueError(f"{path}: one JSON object of official key: answer is expected")
    said = {key: _storable(text) if isinstance(text, str) else None for key, text in pairs}
    return Predictions(
        said,
        duplicated=[key for key, times in Counter(key for key, _ in pairs).items() if times > 1],
        not_text=[key for key, text in said.items() if text is None],
    )


def _storable(text: str) -> str:
    """Return text that UTF-8 can hold: half of a character is none."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def evaluate(questions: Questions, predictions: Predictions, *, seed: int = 0) -> dict[str, Any]:
    """Return what the official script prints, 95 % intervals, and what is wrong with the two files.

    What makes that script crash, a prediction of null or a question without aliases, is no match here.
    """
    import numpy as np

    said = predictions.said
    judged = verdicts(questions, said)
    parts = np.concatenate([mean.parts(judged) for mean in MEASURES], axis=1)
    # One question is asked on many pages: its keys are drawn together.
    sums = np.split(resampled_sums(parts, judged["of"].to_numpy(), seed=seed), len(MEASURES), axis=1)
    missing = [key for key in questions.keys if key not in said]
    return {
        **{mean.name: mean.value(judged) for mean in MEASURES},
        "common": len(questions.keys) - len(missing),
        "denominator": len(questions.keys),
        "pred_len": len(said),
        "gold_len": len(questions.keys),
        "intervals": {mean.name: list(bounds(mean.values(own))) for mean, own in zip(MEASURES, sums, strict=True)},
        "missing": missing,
        "extra": [key for key in said if key not in questions.keys],
        "duplicated": predictions.duplicated,
        "not_text": [key for key in predictions.not_text if key in questions.keys],
        "without_aliases": questions.without_aliases,
    }


def verdicts(questions: Questions, said: Mapping[str, str | None]) -> pl.DataFrame:
    """Return exact match and F1 of each key, and in `of` the place of its question."""
    import numpy as np
    import polars as pl

    of = np.fromiter(questions.keys.values(), dtype=np.int64, count=len(questions.keys))
    told = pl.DataFrame({"of": of, "text": pl.Series([said.get(key) for key in questions.keys], dtype=pl.String)})
    numbers = np.repeat(np.arange(len(questions.accepted)), [len(own) for own in questions.accepted])
    texts = pl.Series(list(chain.from_iterable(questions.accepted)), dtype=pl.String)
    exact, f1 = match(told, pl.DataFrame({"of": numbers, "text": texts}), RULES)
    return pl.DataFrame({"of": of, "exact_match": exact.cast(pl.Float64), "f1": f1})
