"""TriviaQA's evaluation rules, restated one answer at a time; shares no code with the scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "‘’´"


def tokens(text: str) -> list[str]:
    """Return the words of an answer by the rules as they are written down, one step at a time."""
    text = text.replace("_", " ").lower()
    for mark in PUNCTUATION:
        text = text.replace(mark, " ")
    pieces, word = [], ""
    for character in text:
        if character.isalnum() or character == "_":
            word += character
        else:
            pieces += [word, character]
            word = ""
    kept = [" " if piece in {"a", "an", "the"} else piece for piece in [*pieces, word]]
    return "".join(kept).split()


def f1(prediction: list[str], gold: list[str]) -> float:
    left, shared = list(gold), 0
    for token in prediction:
        if token in left:
            left.remove(token)
            shared += 1
    if not shared:
        return 0.0
    precision, recall = shared / len(prediction), shared / len(gold)
    return (2 * precision * recall) / (precision + recall)


def best(prediction: str | None, golds: Sequence[str]) -> tuple[bool, float]:
    """Return (exact, F1); what makes the official script crash, no answer and no alias, is no match."""
    if prediction is None or not golds:
        return False, 0.0
    said = tokens(prediction)
    return any(said == tokens(gold) for gold in golds), max(f1(said, tokens(gold)) for gold in golds)


def evaluate(answers: Mapping[str, Mapping[str, Any]], predictions: Mapping[str, str]) -> dict[str, float]:
    """Return what the official script prints for answers and predictions by key."""
    exact, overlap, common = 0, 0.0, 0
    for key, answer in answers.items():
        if key in predictions:
            common += 1
            golds = [*answer["NormalizedAliases"], *(" ".join(tokens(said)) for said in answer.get("HumanAnswers", []))]
            one_exact, one_f1 = best(predictions[key], golds)
            exact += one_exact
            overlap += one_f1
    return {
        "exact_match": 100.0 * exact / len(answers), "f1": 100.0 * overlap / len(answers), "common": common,
        "denominator": len(answers), "pred_len": len(predictions), "gold_len": len(answers),
    }  # fmt: skip
