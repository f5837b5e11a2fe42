"""Predict an evaluation set as a spec says: `predict(spec, progress)`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.lake.frames import preview, write_parquet
from rc_pipeline.lake.outcome import JSON, Check, Outcome
from rc_pipeline.prediction.answers import predictions

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.prediction.questions import Question
    from rc_pipeline.prediction.row_cache import Result, RowCache
    from rc_pipeline.prompting.dialogue import Form
    from rc_pipeline.worker import Progress

SCORE_DIGITS = 5
SECONDS_BETWEEN_SHARDS = 10.0


class PromptMismatch(ValueError):
    """An adapter asked with another prompt than it was trained with."""


def predict(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Write the predictions of a spec into spec["out"], computing only rows that no cache knows."""
    from rc_pipeline.models.loading import load_tokenizer
    from rc_pipeline.prediction.row_cache import RowCache
    from rc_pipeline.prompting.reading import read_prompt
    from rc_pipeline.prompting.tokens import TextEncoder

    started = time.monotonic()
    tokenizer = load_tokenizer(Path(spec["base"]["folder"]))
    form = read_prompt(spec["prompt"], tokenizer)
    _refuse_other_prompt(spec, form, tokenizer)
    questions = _questions(spec, tokenizer, form)
    end_id = TextEncoder(tokenizer, form).end_id
    identity = _identity(spec, end_id)
    keys = {question.instruction_id: question.keys(identity) for question in questions if not question.problem}
    pending = Path(spec["pending"]) if "pending" in spec else None
    cache = RowCache(Path(spec["cache"]), weights=spec["weights"], salt=spec["cache_salt"], pending=pending)
    known = cache.read()
    missing = {
        key: question for question in questions for key in keys.get(question.instruction_id, []) if key not in known
    }
    cached = sum(all(key in known for key in own) for own in keys.values())
    progress.note(f"{len(questions)} questions, {cached} of them known, {len(missing)} answers to ask for")
    ready = time.monotonic()
    if missing:
        known |= _compute(spec, missing, tokenizer, end_id, cache, progress)
    about = {"run": spec["run"], "eval_set": spec["eval_set"]}
    frame = predictions(about, questions, {name: [known[key] for key in own] for name, own in keys.items()})
    out = Path(spec["out"])
    write_parquet(frame, out / "predictions.parquet")
    timing = {
        "startup_seconds": ready - started,
        "computing_seconds": time.monotonic() - ready,
        "cached_rows": cached,
        "computed_rows": len(missing),
    }
    (out / "_timing.json").write_text(json.dumps(timing, sort_keys=True), encoding="utf-8")
    return _outcome(frame, cached=cached, computed=len(missing))


def _refuse_other_prompt(spec: Mapping[str, Any], form: Form, tokenizer: PreTrainedTokenizerFast) -> None:
    from rc_pipeline.models.loading import adapter_prompt
    from rc_pipeline.prompting.reading import read_prompt

    if spec["adapter"] is None or spec.get("experiment"):
        return
    # Read again, so that what a template leaves out equals its default.
    trained, asked = read_prompt(adapter_prompt(Path(spec["adapter"])), tokenizer).to_dict(), form.to_dict()
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


def _questions(spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, form: Form) -> list[Question]:
    from rc_pipeline.prediction.questions import read_questions, select_rows

    return read_questions(
        select_rows(spec["instructions"], spec["rows"]),
        tokenizer,
        form,
        max_tokens=min(spec["answer"]["max_tokens"] or spec["context_tokens"], spec["context_tokens"]),
        max_new_tokens=spec["answer"]["max_new_tokens"],
        shots=spec.get("shots"),
    )


def _identity(spec: Mapping[str, Any], end_id: int) -> dict[str, Any]:
    drawn = {
        name: spec["answer"].get(name, usual) for name, usual in (("temperature", 0), ("top_p", 1), ("samples", 1))
    }
    return {
        "weights": spec["weights"],
        "cache_salt": spec["cache_salt"],
        "max_new_tokens": spec["answer"]["max_new_tokens"],
        "end_id": end_id,
        "seed": spec.get("seed", 0),
        **drawn,
    }


def _compute(  # noqa: PLR0913, PLR0917
    spec: Mapping[str, Any],
    missing: Mapping[str, Question],
    tokenizer: PreTrainedTokenizerFast,
    end_id: int,
    cache: RowCache,
    progress: Progress,
) -> dict[str, Result]:
    """Ask the missing questions in batches of one kind and nearly one length, storing answers now and then."""
    from rc_pipeline.models.loading import load_model, use_threads
    from rc_pipeline.prediction.prefill import batches_by_length

    use_threads(spec.get("threads"))
    base, adapter = spec["base"], spec["adapter"]
    model = load_model(Path(base["folder"]), family=base["family"], adapter=None if adapter is None else Path(adapter))
    results: dict[str, Result] = {}
    unstored: dict[str, Result] = {}
    last_stored = time.monotonic()
    # Sorted keys make the batches a function of what is missing, whatever the order it was found in.
    for with_choices in (True, False):
        keys = sorted(key for key, question in missing.items() if bool(question.options) == with_choices)
        lengths = [len(missing[key].prompt_ids) for key in keys]
        for batch in batches_by_length(lengths, spec["answer"]["batch_size"]):
            asked = {keys[i]: missing[keys[i]] for i in batch}
            answers = _ask(model, tokenizer, end_id, asked, spec["answer"])
            unstored |= dict(zip(asked, answers, strict=True))
            if time.monotonic() - last_stored > SECONDS_BETWEEN_SHARDS:
                cache.write(unstored)
                results, unstored, last_stored = results | unstored, {}, time.monotonic()
            progress(len(results) + len(unstored), len(missing))
    if unstored:
        cache.write(unstored)
    return results | unstored


def _ask(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    end_id: int,
    asked: Mapping[str, Question],
    answer: Mapping[str, Any],
) -> list[Result]:
    """Answer one batch, whose questions all have options or all have none."""
    from rc_pipeline.prediction.choices import score_options
    from rc_pipeline.prediction.generation import generate
    from rc_pipeline.prediction.row_cache import Result
    from rc_pipeline.prediction.sampling import Sampling

    questions = list(asked.values())
    prompts = [question.prompt_ids for question in questions]
    pad: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    if questions[0].options:
        scored = score_options(model, prompts, [question.options for question in questions], pad)
        rounded = [[round(score, SCORE_DIGITS) for score in own] for own in scored]
        best = [own.index(max(own)) for own in rounded]
        return [
            Result(question.choices[at], len(question.options[at]), finished=True, scores=own)
            for question, own, at in zip(questions, rounded, best, strict=True)
        ]
    ends = _end_ids(model, tokenizer.eos_token_id, end_id)
    sampling = Sampling(answer.get("temperature", 0.0), answer.get("top_p", 1.0))
    answers = generate(
        model,
        prompts,
        max_new_tokens=answer["max_new_tokens"],
        end_ids=ends,
        pad_id=pad,
        sampling=sampling,
        # What is drawn for a sample depends on its name alone, not on the batch that it is drawn in.
        seeds=[int(key[:16], 16) for key in asked] if sampling.temperature else (),
    )
    return [Result(_text(tokenizer, ids), len(ids), finished) for ids, finished in answers]


def _end_ids(model: Any, *ends: int) -> frozenset[int]:
    """Return every id that ends a text or a turn: some models name several."""
    named = getattr(model.generation_config, "eos_token_id", None)
    more = named if isinstance(named, list) else [] if named is None else [named]
    return frozenset([*ends, *more])


def _text(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    text = str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
    # Half a character at the end of an answer must not keep the rest from being stored.
    return text.encode("utf-8", "replace").decode("utf-8").strip()


def _outcome(frame: pl.DataFrame, *, cached: int, computed: int) -> Outcome:
    counted = frame["problem"].drop_nulls().value_counts(sort=True)
    problems: dict[str, JSON] = {"prompt_too_long": 0, **dict(counted.iter_rows())}
    unfinished = int((~frame["finished"] & frame["problem"].is_null()).sum())
    metadata: dict[str, JSON] = {
        "rows": frame.height,
        "cached_rows": cached,
        "computed_rows": computed,
        **problems,
        "passages_cut": int((frame["passage_tokens_cut"] > 0).sum()),
        "shots_dropped": int(frame["shots_dropped"].sum()),
        "turns_dropped": int(frame["turns_dropped"].sum()),
        "answers_cut_off": unfinished,
        "predictions": preview(frame.select("instruction_id", "answer", "choice", "answer_tokens", "problem")),
    }
    fits = Check(
        "every_prompt_fits",
        passed=counted.is_empty(),
        blocking=False,
        description="The prompt holds all of every question; a question that it cannot hold counts as answered wrong.",
        metadata=problems,
    )
    return Outcome(metadata=metadata, checks=(fits,), tables={"predictions": ["predictions.parquet"]})
