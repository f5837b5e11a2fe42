"""`rc-pipeline export` on what the stages built."""

from __future__ import annotations

import json


def test_a_dataset_that_is_not_built_is_refused_with_the_command_that_builds_it(cli, tmp_path):
    said = cli("export", "sample_cosmos", "--format", "alpaca", "--out", tmp_path / "out", lake=tmp_path, code=1).output
    assert "instructions/sample_cosmos does not stand (never built)" in said
    assert "make build KEY=instructions/sample_cosmos" in said


def test_an_unknown_dataset_gets_a_hint_and_a_folder_that_is_there_is_not_touched(cli, tmp_path):
    said = cli("export", "sample_cosmo", "--format", "alpaca", "--out", tmp_path / "out", code=1).output
    assert "did you mean instructions/sample_cosmos?" in said
    said = cli("export", "sample_cosmos", "--format", "alpaca", "--out", tmp_path, "--force", code=1).output
    assert "not replaced" in said


def test_a_split_is_exported_and_its_counts_are_printed(cli, tmp_path):
    out = tmp_path / "deep" / "out"
    said = cli("export", "sample_cosmos/train", "--format", "llama_factory", "--out", out, "--rows", 20).output
    assert "train: 20 rows (choose " in said
    assert len(json.loads((out / "train.json").read_text())) == 20
    assert list(json.loads((out / "dataset_info.json").read_text())) == ["sample_cosmos_train"]
    assert (
        "test: 0 rows; left out: 100 no_answer"
        in cli("export", "sample_cosmos", "--format", "openai", "--out", tmp_path / "all").output
    )
