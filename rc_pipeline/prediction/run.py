"""Predict an evaluation set as a spec says: `predict(spec, progress)`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.outcome import JSON, Outcome
from rc_pipeline.prediction.answers import latency, predictions
from rc_pipeline.prediction.asks import WRITTEN, Decoding, asks_of
from rc_pipeline.prediction.ranks import gathered, own_share
from rc_pipeline.prediction.summary import outcome
from rc_pipeline.worker import rank

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prediction.asks import Ask
    from rc_pipeline.prediction.questions import Question
    from rc_pipeline.prediction.row_cache import Result, RowCache
    from rc_pipeline.prompting.dialogue import Form
    from rc_pipeline.worker import Progress


class PromptMismatch(ValueError):
    """An adapter asked with another prompt than it was trained with."""


def predict(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Write the predictions of a spec into spec["out"], computing only rows that no cache knows."""
    from rc_pipeline.models.loading import load_tokenizer
    from rc_pipeline.prediction.row_cache import RowCache
    from rc_pipeline.prompting.tokens import TextEncoder

    started = time.monotonic()
    tokenizer = load_tokenizer(Path(spec["base"]["folder"]))
    form = _form(spec["prompt"], spec, tokenizer)
    _refuse_other_prompt(spec, form, tokenizer)
    how = Decoding.of_spec(spec, TextEncoder(tokenizer, form).end_id)
    questions = _questions(spec, tokenizer, form, how)
    asked = {question.instruction_id: asks_of(question, how) for question in questions if not question.problem}
    asks = {ask.key: ask for ways in asked.values() for own in ways.values() for ask in own}
    pending = Path(spec["pending"]) if "pending" in spec else None
    cache = RowCache(Path(spec["cache"]), weights=spec["weights"], salt=spec["cache_salt"], pending=pending)
    known = {key: result for key, result in cache.read().items() if key in asks}
    missing = {key: ask for key, ask in asks.items() if key not in known}
    cached = sum(all(ask.key in known for own in ways.values() for ask in own) for ways in asked.values())
    progress.note(f"{len(questions)} questions, {cached} of them known, {len(missing)} answers to ask for")
    ready = time.monotonic()
    known |= _compute(spec, tokenizer, how, missing, cache, progress)
    if rank() > 0:
        return Outcome()
    told = {name: {way: [known[ask.key] for ask in own] for way, own in ways.items()} for name, ways in asked.items()}
    about = {"run": spec["run"], "eval_set": spec["eval_set"]}
    frame, took = predictions(about, questions, told, how.choose_by), latency(about, told)
    out = Path(spec["out"])
    write_parquet(frame, out / "predictions.parquet")
    # Provenance, as its name says: how long an answer took does not make it another answer.
    write_parquet(took, out / "_latency.parquet")
    timing = {
        "startup_seconds": ready - started,
        "computing_seconds": time.monotonic() - ready,
        "cached_rows": cached,
        "computed_rows": len(missing),
    }
    (out / "_timing.json").write_text(json.dumps(timing, sort_keys=True), encoding="utf-8")
    mean: float = took["seconds"].mean() or 0.0  # type: ignore[assignment]
    counts: dict[str, JSON] = {
        "cached_rows": cached,
        "computed_rows": len(missing),
        "seconds_a_question": round(mean, 4),
    }
    return outcome(frame, how.choose_by, counts)


def _compute(  # noqa: PLR0913, PLR0917
    spec: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerFast,
    how: Decoding,
    missing: Mapping[str, Ask],
    cache: RowCache,
    progress: Progress,
) -> dict[str, Result]:
    """Ask this process's share of what is missing, and as the first process wait for the others'."""
    if not missing:
        return {}
    mine = own_share(missing)
    if mine:
        from rc_pipeline.prediction.answering import Answerer

        own = Answerer(spec, tokenizer, how).answer(mine, cache, progress)
        if len(mine) == len(missing) or rank() > 0:
            return own
    return gathered(cache, missing, progress) if rank() == 0 else {}


def _form(prompt: Mapping[str, Any], spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> Form:
    from rc_pipeline.models.families import ENCODER_DECODERS
    from rc_pipeline.prompting.reading import read_prompt

    return read_prompt(prompt, tokenizer, ends_prompt=spec["base"]["family"] in ENCODER_DECODERS)


def _refuse_other_prompt(spec: Mapping[str, Any], form: Form, tokenizer: PreTrainedTokenizerFast) -> None:
    from rc_pipeline.models.loading import adapter_prompt

    if spec["adapter"] is None or spec.get("experiment"):
        return
    # Read again, so that what a template leaves out equals its default.
    trained, asked = _form(adapter_prompt(Path(spec["adapter"])), spec, tokenizer).to_dict(), form.to_dict()
    different = [
        f"{name} ({trained.get(name)!r} != {asked.get(name)!r})"
        for name in sorted({*trained, *asked} - {"name"})
        if trained.get(name) != asked.get(name)
    ]
    if different:
        raise PromptMismatch(
            f"{spec['adapter']}/prompt.json: the adapter of run {spec['run']} learnt with another prompt than it is "
            f"asked with; they differ in {', '.join(different)}. "
            f"Use prompt.template {trained.get('name')!r}, or train again; to ask so on purpose, name the template in "
            "answer.template."
        )


def _questions(
    spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, form: Form, how: Decoding
) -> list[Question]:
    from rc_pipeline.prediction.questions import read_questions, select_rows

    return read_questions(
        select_rows(spec["instructions"], spec["rows"]),
        tokenizer,
        form,
        max_tokens=min(spec["answer"]["max_tokens"] or spec["context_tokens"], spec["context_tokens"]),
        max_new_tokens=how.max_new_tokens,
        shots=spec.get("shots"),
        written=WRITTEN in how.choose_by,
        gold=how.perplexity,
    )
