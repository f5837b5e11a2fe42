from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rc_pipeline.lake.durable import LakeUnwritable, clear_disk_errors
from rc_pipeline.lake.outcome import Check, Outcome
from rc_pipeline.merging.answers import answer_checks
from rc_pipeline.merging.card import write_card
from rc_pipeline.merging.logits import logits_check, read_probes, said_about
from rc_pipeline.merging.prompts import prompt_check
from rc_pipeline.merging.run import merge
from rc_pipeline.merging.weights import MergeError, open_weights
from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.prompting.reading import read_prompt
from tests.merging.tiny_runs import QUIET, merging_spec, train_tiny
from tests.models.tiny_models import PROMPT


@pytest.fixture(scope="module")
def spec(tuned: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return merging_spec(tuned, tmp_path_factory.mktemp("fp32"))


@pytest.fixture(scope="module")
def outcome(spec: dict[str, Any]) -> Outcome:
    return merge(spec, QUIET)


@pytest.fixture
def published(outcome: Outcome, spec: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The spec of a published folder that a test may damage."""
    return spec | {"out": shutil.copytree(spec["out"], tmp_path / "published")}


def failed(outcome: Outcome) -> dict[str, Check]:
    return {check.name: check for check in outcome.checks if not check.passed}


def damage(folder: Path, change: float) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"] *= change
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def compared(spec: dict[str, Any], folder: Path, dtype: str = "fp32") -> Check:
    base, tokenizer = Path(spec["base"]["folder"]), load_tokenizer(Path(spec["base"]["folder"]))
    probes = read_probes(spec["asked"][0], tokenizer, read_prompt(PROMPT, tokenizer))
    tuned, untuned = (
        said_about(open_weights(base, "llama", adapter), probes) for adapter in (Path(spec["adapter"]), None)
    )
    return logits_check(folder, probes, tuned=tuned, untuned=untuned, dtype=dtype)


def test_weights_that_are_not_the_runs_are_refused_by_their_logits(published: dict[str, Any]) -> None:
    damage(published["out"], 1.001)

    check = compared(published, published["out"])

    assert not check.passed
    assert 1e-4 < float(str(check.metadata["difference"])) < float(str(check.metadata["difference_of_the_base"]))


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_a_base_that_nothing_was_merged_into_is_refused_in_every_precision(
    published: dict[str, Any], dtype: str
) -> None:
    shutil.copy(Path(published["base"]["folder"]) / "model.safetensors", published["out"])

    assert not compared(published, published["out"], dtype).passed


def test_other_answers_and_lower_scores_are_refused(published: dict[str, Any], tmp_path: Path) -> None:
    damage(published["out"], -30.0)

    checks, figures = answer_checks(published, tmp_path / "scratch", QUIET)

    assert {check.name: check.passed for check in checks} == {
        "published_answers_equal_the_run": False,
        "published_scores_hold": False,
    }
    assert float(str(figures["equal_answers"]).split()[0]) < 100


def test_answers_may_differ_a_little_in_a_narrow_precision(published: dict[str, Any], tmp_path: Path) -> None:
    damage(published["out"], -30.0)

    agreement, _ = answer_checks(published | {"dtype": "bf16"}, tmp_path / "scratch", QUIET)[0]

    assert agreement.passed
    assert int(str(agreement.metadata["equal"])) < int(str(agreement.metadata["questions"]))


def test_answers_stored_by_another_machine_are_asked_again_on_this_one(
    published: dict[str, Any], tmp_path: Path
) -> None:
    import polars as pl

    asked = published["asked"][0]
    stored = pl.read_parquet(asked["predictions"]).with_columns(answer=pl.lit("said elsewhere"))
    stored.write_parquet(tmp_path / "elsewhere.parquet")
    elsewhere = published | {"asked": [asked | {"predictions": str(tmp_path / "elsewhere.parquet")}]}

    agreement, _ = answer_checks(elsewhere, tmp_path / "scratch", QUIET)[0]

    assert agreement.passed
    assert agreement.metadata == {"questions": 6, "equal": 0, "differ_on_this_machine": 0}


def test_a_chat_template_that_writes_another_prompt_is_refused(published: dict[str, Any]) -> None:
    path = published["out"] / "tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("Answer:", "Answer :"), encoding="utf-8")
    tokenizer = load_tokenizer(Path(published["base"]["folder"]))

    check = prompt_check(published["out"], read_prompt(PROMPT, tokenizer), tokenizer, [])

    assert not check.passed
    assert check.metadata["first_difference"]


def test_questions_that_no_prompt_holds_are_named(tuned: dict[str, Any], spec: dict[str, Any]) -> None:
    tokenizer = load_tokenizer(Path(tuned["base"]["folder"]))
    narrow = spec["asked"][0]["prediction"] | {"context_tokens": 4}

    with pytest.raises(MergeError, match="toy/valid: none of its first 4 questions"):
        read_probes(spec["asked"][0] | {"prediction": narrow}, tokenizer, read_prompt(PROMPT, tokenizer))


def test_a_run_is_merged_and_every_check_holds(outcome: Outcome, spec: dict[str, Any]) -> None:
    assert failed(outcome) == {}
    assert outcome.metadata["equal_answers"] == "100.0 %"
    assert outcome.metadata["parameters"] == 26080


def test_answers_drawn_by_chance_are_drawn_again(tuned: dict[str, Any], tmp_path: Path) -> None:
    answer = {"max_new_tokens": 6, "batch_size": 8, "max_tokens": None, "temperature": 1.0, "top_p": 0.9, "samples": 3}

    assert failed(merge(merging_spec(tuned, tmp_path, answer=answer, seed=5), QUIET)) == {}


def test_the_same_inputs_are_published_as_the_same_bytes_without_paths(
    outcome: Outcome, spec: dict[str, Any], tmp_path: Path
) -> None:
    again = spec | {"out": str(tmp_path / "again"), "scratch": str(tmp_path / "scratch")}
    merge(again, QUIET)

    first, second = ({path.name: path.read_bytes() for path in Path(one["out"]).iterdir()} for one in (spec, again))
    assert first == second
    assert set(first) == {
        "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    paths = [str(tmp_path.parent), spec["base"]["folder"], spec["adapter"]]
    assert not any(path.encode() in data for data in first.values() for path in paths)


def test_plain_transformers_writes_the_runs_answers(outcome: Outcome, spec: dict[str, Any]) -> None:
    import polars as pl
    from transformers import pipeline

    asked = spec["asked"][0]
    rows = pl.read_parquet(asked["prediction"]["instructions"][0])
    said = pl.read_parquet(asked["predictions"]).filter(pl.col("choice").is_null())
    ask = pipeline("text-generation", spec["out"], device="cpu")

    for row in said.join(rows, on="instruction_id", suffix="_asked").iter_rows(named=True):
        messages = [{"role": "user", "content": row["instruction"], "input": row["input"]}]
        assert ask(messages, return_full_text=False)[0]["generated_text"].strip() == row["answer"]


def test_the_adapter_itself_loads_with_plain_peft_on_the_plain_base(
    outcome: Outcome, spec: dict[str, Any], tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.arange(5, 40)[None]
    base = AutoModelForCausalLM.from_pretrained(spec["base"]["folder"])
    with torch.no_grad():
        adapted = PeftModel.from_pretrained(base, spec["adapter"])(input_ids=ids).logits
        published = AutoModelForCausalLM.from_pretrained(spec["out"])(input_ids=ids).logits

    torch.testing.assert_close(adapted, published, atol=1e-5, rtol=1e-4)
    assert not json.loads((Path(spec["adapter"]) / "adapter_config.json").read_text())["base_model_name_or_path"].count(
        "/"
    )


@pytest.mark.parametrize("full", ["out", "scratch"])
def test_a_full_disk_is_said_to_be_full_whatever_was_being_written(
    spec: dict[str, Any], tmp_path: Path, full: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=52k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root")
    places = {"out": str(tmp_path / "out"), "scratch": str(tmp_path / "scratch")} | {full: str(disk / full)}
    try:
        with pytest.raises(LakeUnwritable, match="the disk is full"), clear_disk_errors(disk):
            merge(spec | places, QUIET)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_title_in_the_card_is_text_and_no_markup(spec: dict[str, Any], tmp_path: Path) -> None:
    told = "<b>![x](https://example.org/x.png)"
    card = spec["card"] | {"title": told, "base": spec["card"]["base"] | {"title": told, "license": told}}
    data = [spec["card"]["data"][0] | {"title": told, "homepage": "https://example.org/a_b"}]
    form = read_prompt(PROMPT, load_tokenizer(Path(spec["base"]["folder"])))
    text = write_card(spec | {"card": card | {"data": data}, "out": str(tmp_path)}, form, {"parameters": 1})
    assert text.count(r"&lt;b>\!\[x\](https://example.org/x.png)") == 5
    assert "<b>" not in text
    assert "| https://example.org/a_b |" in text


def test_the_card_names_base_license_data_settings_scores_and_hashes(outcome: Outcome, spec: dict[str, Any]) -> None:
    import yaml

    _, front, text = (Path(spec["out"]) / "README.md").read_text(encoding="utf-8").split("---\n", 2)

    assert yaml.safe_load(front) == {
        "base_model": "somebody/tiny",
        "base_model_relation": "finetune",
        "library_name": "transformers",
        "license": "other",
        "license_name": "Tiny License",
        "license_link": "https://huggingface.co/somebody/tiny",
        "pipeline_tag": "text-generation",
        "tags": ["rc_pipeline", "lora"],
    }
    for said in (
        "| Toys | toy | 8 |",
        "| `rank` | 4 |",
        "| toy/valid | exact_match |",
        f"`{'0' * 64}`",
        "Tiny License",
    ):
        assert said in text


def test_the_chat_template_of_the_bases_tokenizer_is_published_as_it_is(llama: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(llama, tmp_path / "base"))
    path = base / "tokenizer_config.json"
    own = (
        "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": own}))
    prompt = {"name": "own", "chat_template": "tokenizer"}
    spec = merging_spec(train_tiny(base, "llama", tmp_path / "run", prompt=prompt), tmp_path)

    assert failed(merge(spec, QUIET)) == {}
    assert json.loads((Path(spec["out"]) / "tokenizer_config.json").read_text())["chat_template"] == own


def test_every_token_that_ends_an_answer_ends_the_published_models(tuned: dict[str, Any], tmp_path: Path) -> None:
    base = Path(shutil.copytree(tuned["base"]["folder"], tmp_path / "base"))
    (base / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 7], "bos_token_id": 1}))
    (base / "LICENSE.txt").write_text("Do as you like.")
    spec = merging_spec(tuned | {"base": tuned["base"] | {"folder": str(base)}}, tmp_path)

    assert failed(merge(spec, QUIET)) == {}

    generation = json.loads((Path(spec["out"]) / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [2, 7]
    assert (Path(spec["out"]) / "LICENSE.txt").read_text() == "Do as you like."
