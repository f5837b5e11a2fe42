from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tokenizers import normalizers

from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.prompting.template import Prompt
from rc_pipeline.training.examples import NothingToLearn, encode_examples, select_rows
from tests.models.tiny_models import PROMPT, instructions, write_instructions

BARE = {"dataset": "bare"}


def source(path: Path, frame: pl.DataFrame, rows: int | None, files: int = 1) -> dict[str, Any]:
    parts = [write_instructions(path / f"{i}.parquet", frame[i::files]) for i in range(files)]
    return {"dataset": "toy", "files": parts, "rows": rows}


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.parquet"):
        select_rows([{"dataset": "toy", "files": ["gone.parquet"], "rows": None}])


def test_a_set_without_outputs_is_refused_with_its_dataset(tmp_path: Path) -> None:
    frame = instructions(5).with_columns(output=pl.lit(None, pl.String))

    with pytest.raises(NothingToLearn, match=r"toy.*5 have none"):
        select_rows([source(tmp_path, frame, None)])


def test_zero_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match="toy"):
        select_rows([source(tmp_path, instructions(5), 0)])


def test_a_run_takes_the_rows_of_smallest_order_from_all_files_together(tmp_path: Path) -> None:
    frame = instructions(40)

    taken, figures = select_rows([source(tmp_path, frame, 7, files=3)])

    assert taken["order"].to_list() == frame["order"].sort().head(7).to_list()
    assert figures == {"rows_from_toy": 7, "dropped_without_output": 0}


def test_rows_without_an_output_are_skipped_and_counted(tmp_path: Path) -> None:
    frame = instructions(10).with_columns(
        output=pl.when(pl.int_range(10) % 2 == 0).then("output")  # every other one stays
    )

    taken, figures = select_rows([source(tmp_path, frame, None)])

    assert taken.height == 5
    assert figures["dropped_without_output"] == 5


def test_rows_that_fit_in_no_way_are_dropped_and_counted(tmp_path: Path, llama: Path) -> None:
    frame = instructions(10).with_columns(
        instruction=pl.when(pl.int_range(10) < 3).then(pl.lit("what " * 100)).otherwise("instruction")
    )
    tokenizer, prompt = load_tokenizer(llama), Prompt.from_dict(PROMPT)

    examples = encode_examples(frame, {}, tokenizer, prompt, max_tokens=40, loss_on="answer")

    assert len(examples.encoded) == len(examples.outputs) == 7
    assert examples.figures["dropped_prompt_too_long"] == 3
    assert max(len(example.ids) for example in examples.encoded) <= 40


def test_a_set_of_which_nothing_fits_says_so_with_figures(llama: Path) -> None:
    tokenizer, prompt = load_tokenizer(llama), Prompt.from_dict(PROMPT)

    with pytest.raises(NothingToLearn, match="none of 4 rows fits in 3 tokens"):
        encode_examples(instructions(4), {}, tokenizer, prompt, max_tokens=3, loss_on="answer")


def test_rows_that_a_prompt_has_no_place_for_are_dropped_and_counted_by_reason(tmp_path: Path, llama: Path) -> None:
    frame = instructions(10).with_columns(
        system=pl.when(pl.int_range(10) < 3).then(pl.lit("Be brief.")),
        history=pl.when(pl.int_range(10) > 7).then(pl.lit([["Hi", "Hello"]])),
    )
    rows, figures = select_rows(
        [source(tmp_path, frame, None), source(tmp_path / "bare", instructions(4), None) | BARE]
    )

    examples = encode_examples(
        rows, figures, load_tokenizer(llama), Prompt.from_dict(PROMPT), max_tokens=99, loss_on="answer"
    )

    dropped = {key: count for key, count in examples.figures.items() if key.startswith("dropped_")}
    assert dropped == {
        "dropped_without_output": 0,
        "dropped_prompt_too_long": 0,
        "dropped_system_has_no_place": 3,
        "dropped_history_has_no_place": 2,
    }
    assert len(examples.encoded) == 9


def test_every_row_s_supervised_span_is_checked(llama: Path) -> None:
    frame = instructions(600)
    tokenizer, prompt = load_tokenizer(llama), Prompt.from_dict(PROMPT)
    assert encode_examples(frame, {}, tokenizer, prompt, max_tokens=99, loss_on="answer").inexact == []

    # Lower-casing loses what was written: with such a tokenizer nobody can train on these rows.
    lossy = load_tokenizer(llama)
    lossy.backend_tokenizer.normalizer = normalizers.Lowercase()

    assert len(encode_examples(frame, {}, lossy, prompt, max_tokens=99, loss_on="answer").inexact) == 600


def test_rows_by_templates_in_other_languages_are_no_part_of_a_dataset_and_counted(tmp_path: Path) -> None:
    frame = instructions(12).with_columns(language=pl.Series(["en", "zh", "de"] * 4))

    taken, figures = select_rows([source(tmp_path, frame, 6)], languages=["en", "de"])

    wanted = frame.filter(pl.col("language") != "zh")["order"].sort().head(6)
    assert taken["order"].to_list() == wanted.to_list()
    assert figures["dropped_other_language"] == 4
