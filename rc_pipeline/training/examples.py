"""Which rows a run learns from, and their tokens."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.mixture import mixture

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerFast

    from rc_pipeline.lake.outcome import JSON
    from rc_pipeline.prompting.encoding import Encoded
    from rc_pipeline.prompting.template import Prompt

COLUMNS = ["instruction_id", "row_id", "instruction", "input", "passage_start", "passage_end", "output", "order"]


class NothingToLearn(ValueError):
    """No example is left to train on."""


@dataclass(frozen=True)
class Examples:
    """Encoded examples with the outputs they came from, and how many rows were taken and dropped, by reason."""

    encoded: list[Encoded]
    outputs: list[str]
    figures: dict[str, JSON]
    first_prompt: str

    def identity(self) -> str:
        """Return a hash of all ids and labels in order."""
        digest = hashlib.sha256()
        for example in self.encoded:
            for numbers in (example.ids, example.labels):
                digest.update(len(numbers).to_bytes(4, "little") + array("i", numbers).tobytes())
        return digest.hexdigest()


def select_rows(
    sources: Sequence[Mapping[str, Any]], *, rows: int | None = None, temperature: float = 1.0
) -> tuple[pl.DataFrame, dict[str, JSON]]:
    """Take from each dataset its part of the mixture: the rows of smallest `order` that have an output."""
    import polars as pl

    known: dict[str, pl.DataFrame] = {}
    figures: dict[str, JSON] = {}
    without_output = 0
    for source in sources:
        # All files at once: the split of a row must not matter to which rows are taken.
        every = pl.concat([pl.read_parquet(file, columns=COLUMNS) for file in _existing(source["files"])])
        known[source["dataset"]] = every.filter(pl.col("output").is_not_null())
        without_output += every.height - known[source["dataset"]].height
    sizes = {name: frame.height for name, frame in known.items()}
    asked = {source["dataset"]: source["rows"] for source in sources}
    parts = mixture(sizes, asked, rows=rows, temperature=temperature)
    figures |= {f"rows_from_{name}": parts[name] for name in known}
    frames = [frame.sort("order", "instruction_id").head(parts[name]) for name, frame in known.items()]
    selected = pl.concat(frames) if frames else pl.DataFrame()
    figures["dropped_without_output"] = without_output
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
    prompt: Prompt,
    *,
    max_tokens: int,
    loss_on: str,
) -> Examples:
    """Encode the rows; those whose prompt fits in no way are dropped and counted."""
    from rc_pipeline.prompting.encoding import Encoded, encode_each

    outcomes = encode_each(rows, tokenizer, prompt, max_tokens=max_tokens, loss_on=loss_on)
    encoded = [outcome for outcome in outcomes if isinstance(outcome, Encoded)]
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Encoded)]
    if not encoded:
        raise NothingToLearn(f"train_on: none of {rows.height} rows fits in {max_tokens} tokens. {refused[0]}")
    kept = rows.filter([isinstance(outcome, Encoded) for outcome in outcomes])
    first = kept.row(0, named=True)
    return Examples(
        encoded=encoded,
        outputs=kept["output"].to_list(),
        figures=figures
        | {
            "dropped_prompt_too_long": len(refused),
            "passages_cut": sum(example.passage_tokens_cut > 0 for example in encoded),
        },
        first_prompt=prompt.render(first["instruction"], first["input"] or "") + first["output"],
    )


def _existing(files: Sequence[str]) -> list[Path]:
    paths = [Path(file) for file in files]
    gone = [str(path) for path in paths if not path.is_file()]
    if gone:
        raise FileNotFoundError(f"instructions are missing: {', '.join(gone)}. Build them first.")
    return paths
