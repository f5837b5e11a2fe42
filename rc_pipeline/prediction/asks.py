"""What is asked of a model about one question, each thing under the name that its result has in the row cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.canonical import sha256_json

if TYPE_CHECKING:
    from rc_pipeline.prediction.questions import Question

GOLD, WRITTEN = "gold", "written"


@dataclass(frozen=True)
class Ask:
    """Behind a prompt, how likely some texts are; or, where there are none, an answer, up to a mark."""

    key: str
    prompt: list[int]
    texts: list[list[int]]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn, by which model."""

    weights: str
    cache_salt: str
    end_id: int
    max_new_tokens: int
    beams: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    samples: int = 1
    seed: int = 0
    choose_by: Sequence[str] = ("likelihood",)
    perplexity: bool = False

    @classmethod
    def of_spec(cls, spec: Mapping[str, Any], end_id: int) -> Decoding:
        """Read what a prediction spec says; what it does not say is as usual."""
        known = {name: spec["answer"][name] for name in cls.__dataclass_fields__ if name in spec["answer"]}
        return cls(spec["weights"], spec["cache_salt"], end_id, **known, seed=spec.get("seed", 0))


def asks_of(question: Question, how: Decoding) -> dict[str, list[Ask]]:
    """Return what is asked about a question, by way; samples of an answer are several asks."""
    if question.problem:
        return {}
    named = {"weights": how.weights, "salt": how.cache_salt, "prompt": question.prompt_ids}

    def weighed(texts: list[list[int]]) -> list[Ask]:
        return [Ask(sha256_json(named | {"options": texts}), question.prompt_ids, texts)] if texts else []

    ways = how.choose_by if question.options else (WRITTEN,)
    found = {"likelihood": weighed(question.options), "letter": weighed(question.labels)}
    if WRITTEN in ways:
        found[WRITTEN] = _written(question, how, named)
    asks = {way: found[way] for way in ways if found[way]}
    return asks | ({GOLD: weighed([question.gold])} if how.perplexity and question.gold else {})


def _written(question: Question, how: Decoding, named: Mapping[str, Any]) -> list[Ask]:
    named = {**named, "max_new_tokens": how.max_new_tokens, "end_id": how.end_id}
    named |= {"marks": question.marks} if question.marks else {}
    named |= {"beams": how.beams} if how.beams > 1 else {}
    if not how.temperature:
        return [Ask(sha256_json(named), question.prompt_ids, [], question.marks)]
    named |= {"temperature": how.temperature, "top_p": how.top_p, "seed": how.seed}
    return [
        Ask(sha256_json(named | {"sample": sample}), question.prompt_ids, [], question.marks)
        for sample in range(how.samples)
    ]
