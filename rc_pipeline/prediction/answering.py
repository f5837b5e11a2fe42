"""Asking a model what the row cache does not know, in batches of one kind and nearly one length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.prediction.asks import Ask, Decoding
from rc_pipeline.prediction.ranks import use_own_device
from rc_pipeline.prediction.row_cache import Result, RowCache
from rc_pipeline.prediction.stopping import before_mark, mark_finder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.worker import Progress

DIGITS = 5
SECONDS_BETWEEN_SHARDS = 10.0


class DoesNotFit(RuntimeError):
    """A question that the device has no memory for, even alone."""


class NoNumbers(ValueError):
    """A model whose probabilities are no numbers."""


class Answerer:
    """A model with its tokenizer that answers as a spec says."""

    def __init__(self, spec: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, how: Decoding) -> None:
        from rc_pipeline.models.loading import load_model, use_threads

        use_threads(spec.get("threads"))
        use_own_device()
        base, adapter = spec["base"], spec["adapter"]
        folder = Path(base["folder"])
        self.model = load_model(folder, family=base["family"], adapter=None if adapter is None else Path(adapter))
        self.tokenizer, self.how = tokenizer, how
        self._batch_size: int = spec["answer"]["batch_size"]
        self._pad: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        # Some models name several tokens that end a text or a turn.
        named = getattr(self.model.generation_config, "eos_token_id", None)
        more = named if isinstance(named, list) else [] if named is None else [named]
        self._ends = frozenset([tokenizer.eos_token_id, how.end_id, *more])

    def answer(self, asks: Mapping[str, Ask], cache: RowCache, progress: Progress) -> dict[str, Result]:
        """Ask everything, storing results now and then."""
        results: dict[str, Result] = {}
        unstored: dict[str, Result] = {}
        last_stored = time.monotonic()
        for batch, work in self._batches(asks):
            unstored |= _timed(batch, work)
            if time.monotonic() - last_stored > SECONDS_BETWEEN_SHARDS:
                cache.write(unstored)
                results, unstored, last_stored = results | unstored, {}, time.monotonic()
            progress(len(results) + len(unstored), len(asks))
        if unstored:
            cache.write(unstored)
        return results | unstored

    def _batches(self, asks: Mapping[str, Ask]) -> Iterator[tuple[list[list[Ask]], _Work]]:
        """Yield batches of groups of asks that share a prompt, and how they are worked on."""
        from rc_pipeline.prediction.caches import sees_padding
        from rc_pipeline.prediction.prefill import batches_by_length

        apart = not self.model.config.is_encoder_decoder and sees_padding(self.model.config)
        # Sorted keys make the batches a function of what is missing, whatever the order it was found in.
        weighed: dict[tuple[int, ...], list[Ask]] = {}
        for key in sorted(key for key, ask in asks.items() if ask.texts):
            weighed.setdefault(tuple(asks[key].prompt), []).append(asks[key])
        # Samples of one answer side by side, so that they share its prompt.
        samples = sorted((ask.prompt, key) for key, ask in asks.items() if not ask.texts)
        written = [[asks[key]] for _, key in samples]
        for groups, work in ((list(weighed.values()), self._weigh), (written, self._write)):
            lengths = [len(group[0].prompt) for group in groups]
            for batch in batches_by_length(lengths, self._batch_size, equal=apart):
                yield [groups[i] for i in batch], work

    def _weigh(self, batch: Sequence[Sequence[Ask]]) -> list[Result]:
        from rc_pipeline.prediction.choices import log_likelihoods

        texts = [[text for ask in group for text in ask.texts] for group in batch]
        told = log_likelihoods(self.model, [group[0].prompt for group in batch], texts, self._pad)
        found = []
        for group, logs in zip(batch, told, strict=True):
            waiting = iter(logs)
            found += [Result([round(next(waiting), DIGITS) for _ in ask.texts]) for ask in group]
        return found

    def _write(self, batch: Sequence[Sequence[Ask]]) -> list[Result]:
        from rc_pipeline.prediction.beams import search
        from rc_pipeline.prediction.generation import Ends, generate
        from rc_pipeline.prediction.sampling import Sampling

        asks, how = [ask for group in batch for ask in group], self.how
        ends = Ends(self._ends, mark_finder(self.tokenizer, [ask.marks for ask in asks]))
        told: dict[str, Any] = {"max_new_tokens": how.max_new_tokens, "ends": ends, "pad_id": self._pad}
        prompts = [ask.prompt for ask in asks]
        if how.beams > 1:
            answers = search(self.model, prompts, beams=how.beams, **told)
        else:
            # What is drawn for a sample depends on its name alone, not on the batch that it is drawn in.
            seeds = [int(ask.key[:16], 16) for ask in asks] if how.temperature else []
            answers = generate(self.model, prompts, sampling=Sampling(how.temperature, how.top_p), seeds=seeds, **told)
        return [
            Result(
                [round(answer.log_probability, DIGITS)],
                before_mark(self._text(answer.ids), ask.marks),
                len(answer.ids),
                answer.ended,
            )
            for ask, answer in zip(asks, answers, strict=True)
        ]

    def _text(self, ids: list[int]) -> str:
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        # Half a character at the end of an answer must not keep the rest from being stored.
        return text.encode("utf-8", "replace").decode("utf-8")


_Work = Callable[[Sequence[Sequence[Ask]]], list[Result]]


def _timed(batch: Sequence[Sequence[Ask]], work: _Work) -> dict[str, Result]:
    """Return the results of a batch, each with its share of the time it took."""
    started = time.monotonic()
    found = _halved_until_it_fits(batch, work)
    if not all(isfinite(log) for result in found for log in result.log_probabilities):
        raise NoNumbers(
            "The model's probabilities are no numbers: its weights are damaged, or too large for the precision they "
            "are computed in. Fetch or train it again."
        )
    seconds = round((time.monotonic() - started) / len(found), DIGITS)
    asks = [ask for group in batch for ask in group]
    return {ask.key: replace(result, seconds=seconds) for ask, result in zip(asks, found, strict=True)}


def _halved_until_it_fits(batch: Sequence[Sequence[Ask]], work: _Work) -> list[Result]:
    import torch

    try:
        return work(batch)
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
            raise
        if len(batch) == 1:
            raise DoesNotFit(
                f"A prompt of {len(batch[0][0].prompt)} tokens does not fit into the device's memory. "
                "Lower answer.max_tokens, or use a larger device."
            ) from error
    # Behind the handler, whose error holds on to the tensors of the batch that failed.
    torch.cuda.empty_cache()
    middle = len(batch) // 2
    return _halved_until_it_fits(batch[:middle], work) + _halved_until_it_fits(batch[middle:], work)
