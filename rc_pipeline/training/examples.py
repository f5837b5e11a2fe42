"""Which rows a run learns from, and their tokens."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.mixture import mixture

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.lake.outcome import JSON
    from rc_pipeline.prompting.dialogue import Form
    from rc_pipeline.prompting.encoding import Encoded

COLUMNS = ["instruction_id", "row_id", "instruction", "input", "passage_start", "passage_end", "output", "order"]
# Not every dataset speaks of these.
MORE_COLUMNS = ["system", "history", "dataset", "template", "language", "group"]


class NothingToLearn(ValueError):
    """No example is left to train on."""


@dataclass(frozen=True)
class Examples:
    """Encoded examples, what they were taken from, how many rows were dropped by reason, and the prompt's texts."""

    encoded: list[Encoded]
    outputs: list[str]
    # Outputs whose supervised tokens do not read as the output and its end.
    inexact: list[str]
    figures: dict[str, JSON]
    first_prompt: str
    prompt: dict[str, Any]

    def identity(self) -> str:
        """Return a hash of all ids and labels in order."""
        digest = hashlib.sha256()
        for example in self.encoded:
            for numbers in (example.ids, example.labels):
                digest.update(len(numbers).to_bytes(4, "little") + array("i", numbers).tobytes())
        return digest.hexdigest()


def select_rows(
    sources: Sequence[Mapping[str, Any]],
    *,
    rows: int | None = None,
    temperature: float = 1.0,
    languages: Sequence[str] = (),
) -> tuple[pl.DataFrame, dict[str, JSON]]:
    """Take from each dataset its part of the mixture: the rows of smallest `order` that have an output.

    With `languages`, rows by templates that speak others are no part of a dataset.
    """
    import polars as pl

    known: dict[str, pl.DataFrame] = {}
    figures: dict[str, JSON] = {}
    without_output = other_language = 0
    for source in sources:
        # All files at once: the split of a row must not matter to which rows are taken.
        every = pl.concat([_read(file) for file in _existing(source["files"])], how="diagonal")
        spoken = every.filter(pl.col("language").is_in(languages)) if languages else every
        known[source["dataset"]] = spoken.filter(pl.col("output").is_not_null())
        other_language += every.height - spoken.height
        without_output += spoken.height - known[source["dataset"]].height
    sizes = {name: frame.height for name, frame in known.items()}
    asked = {source["dataset"]: source["rows"] for source in sources}
    parts = mixture(sizes, asked, rows=rows, temperature=temperature)
    figures |= {f"rows_from_{name}": parts[name] for name in known}
    frames = [frame.sort("order", "instruction_id").head(parts[name]) for name, frame in known.items()]
    selected = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
    figures["dropped_without_output"] = without_output
    if languages:
        figures["dropped_other_language"] = other_language
    if selected.is_empty():
        names = ", ".join(str(source["dataset"]) for source in sources) or "no dataset"
        raise NothingToLearn(
            f"train_on ({names}): no row with a known output is left ({without_output} have none). "
            "Name training splits that have answers, or raise the number of rows."
        )
    return selected, figures


def encode_examples(  # noqa: PLR0913
    rows: pl.DataFrame,
    figures: dict[str, JSON],
    tokenizer: PreTrainedTokenizerFast,
    form: Form,
    *,
    max_tokens: int,
    loss_on: str,
    shots: Mapping[str, Any] | None = None,
) -> Examples:
    """Encode the rows; those that the prompt cannot hold are dropped and counted by reason."""
    from rc_pipeline.instructions.shots import with_shots
    from rc_pipeline.prompting.encoding import Encoded, encode_each, exact_spans, render

    encoded: list[Encoded] = []
    kept: list[bool] = []
    refused: Counter[str] = Counter(prompt_too_long=0)
    first_refusal = ""
    for outcome in encode_each(with_shots(rows, shots), tokenizer, form, max_tokens=max_tokens, loss_on=loss_on):
        kept.append(isinstance(outcome, Encoded))
        if isinstance(outcome, Encoded):
            encoded.append(outcome.compact())
        else:
            refused[outcome.reason] += 1
            first_refusal = first_refusal or str(outcome)
    if not encoded:
        raise NothingToLearn(f"train_on: none of {rows.height} rows fits in {max_tokens} tokens. {first_refusal}")
    taken = rows.filter(kept)
    outputs = taken["output"].to_list()
    exact = exact_spans(zip(encoded, outputs, strict=True), tokenizer, form)
    return Examples(
        encoded=encoded,
        outputs=outputs,
        inexact=[output for output, right in zip(outputs, exact, strict=True) if not right],
        figures=figures
        | {f"dropped_{reason}": count for reason, count in refused.items()}
        | {
            "passages_cut": sum(example.passage_tokens_cut > 0 for example in encoded),
            "shots_dropped": sum(example.shots_dropped for example in encoded),
            "turns_dropped": sum(example.turns_dropped for example in encoded),
        },
        first_prompt=render(next(with_shots(taken.head(1), shots)), form, with_answer=True),
        prompt=form.to_dict(),
    )


def _read(file: Path) -> pl.DataFrame:
    import polars as pl

    more = [column for column in MORE_COLUMNS if column in pl.read_parquet_schema(file)]
    return pl.read_parquet(file, columns=[*COLUMNS, *more])


def _existing(files: Sequence[str]) -> list[Path]:
    paths = [Path(file) for file in files]
    gone = [str(path) for path in paths if not path.is_file()]
    if gone:
        raise FileNotFoundError(f"instructions are missing: {', '.join(gone)}. Build them first.")
    return paths
