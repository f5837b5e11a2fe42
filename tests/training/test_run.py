from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.models.loading import load_tokenizer
from rc_pipeline.training.loop import Journal, Trainer, TrainingDiverged
from rc_pipeline.training.methods import TuneError
from rc_pipeline.training.preparing import prepare, read_examples
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import PROMPT, instructions, training_spec, write_model

CONTENT = ("adapter_config.json", "adapter_model.safetensors", "prompt.json", "training.json")


def run(spec: dict[str, Any], said: list[str] | None = None) -> Outcome:
    return train(spec, Progress("training", (said if said is not None else []).append))


def content(spec: dict[str, Any]) -> dict[str, bytes]:
    return {name: (Path(spec["out"]) / name).read_bytes() for name in CONTENT}


def trainer_of(spec: dict[str, Any], scratch: Path) -> Trainer:
    tokenizer = load_tokenizer(Path(spec["base"]["folder"]))
    return prepare(spec, *read_examples(spec, tokenizer), tokenizer, scratch)[0]


def losses(spec: dict[str, Any]) -> list[float]:
    return [loss for _, loss in json.loads((Path(spec["out"]) / "training.json").read_text())["loss"]]


def test_a_loss_that_is_no_number_stops_at_once_and_names_the_step(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(48), learning_rate=1e30, warmup=0.0)
    spec["checkpoint_steps"] = 1

    with pytest.raises(TrainingDiverged, match=r"step \d+ of 12.*learning_rate.*checkpoint-0000000\d"):
        run(spec)

    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_a_loss_that_rises_above_blind_guessing_stops_the_run(llama: Path, tmp_path: Path) -> None:
    trainer = trainer_of(training_spec(llama, tmp_path, instructions(8)), tmp_path)
    steady, risen, high_from_the_start = [3.0] * 100, [3.0] * 50 + [6.5] * 50, [9.0] * 50 + [10.0] * 50

    trainer._refuse_to_go_astray(steady)
    trainer._refuse_to_go_astray(high_from_the_start)
    trainer._refuse_to_go_astray([*steady, 50.0])
    with pytest.raises(TrainingDiverged, match=r"step 100 of 2: .*from 3.00 to 6.50.*guessing has 5.80.*learning_rate"):
        trainer._refuse_to_go_astray(risen)


def test_a_held_out_loss_that_is_no_number_stops_the_run(llama: Path, tmp_path: Path) -> None:
    import torch

    trainer = trainer_of(training_spec(llama, tmp_path, instructions(12), eval_share=0.25), tmp_path)
    with torch.no_grad():
        next(iter(trainer.weights.values())).fill_(float("nan"))

    with pytest.raises(TrainingDiverged, match=r"step 2 of 3: the held-out loss is nan.*learning_rate"):
        trainer._evaluate(2, Journal(), [].append)


def test_a_run_that_gets_no_better_stops_early_with_its_best_weights(llama: Path, tmp_path: Path) -> None:
    tune = {"learning_rate": 0.3, "epochs": 10, "warmup": 0.0, "eval_share": 0.25}
    watched = training_spec(llama, tmp_path / "watched", instructions(48), **tune, patience=1)
    whole = training_spec(llama, tmp_path / "whole", instructions(48), **tune)
    said: list[str] = []

    outcome, all_steps = run(watched, said), run(whole)

    measured = json.loads((tmp_path / "watched/out/training.json").read_text())["held_out_loss"]
    assert any("no better loss for 1 evaluations: stops after step" in line for line in said)
    assert outcome.metadata["steps"] < all_steps.metadata["steps"] == 90
    assert (outcome.metadata["examples"], outcome.metadata["held_out"]) == (36, 12)
    assert outcome.metadata["held_out_loss"] == min(loss for _, loss in measured) == measured[-2][1]
    best = trainer_of(watched, tmp_path / "again")
    from peft.utils import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(best.model, load_file(tmp_path / "watched/out/adapter_model.safetensors"))
    best.model.eval()
    loss = best.objective.summed_loss(best.model, best.held_out.examples, training=False).item()
    assert loss / best.objective.weight(best.held_out.examples) == pytest.approx(measured[-2][1], abs=1e-3)


def test_targets_that_the_model_lacks_are_named_with_those_it_has(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(8), targets=["c_attn"])

    with pytest.raises(TuneError, match=r"c_attn.*down_proj.*v_proj"):
        run(spec)


def test_training_lowers_the_loss_and_passes_its_checks(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(48), epochs=4, learning_rate=2e-2)

    outcome = run(spec)

    assert {check.name: check.passed for check in outcome.checks} == {
        "loss_is_finite": True,
        "supervised_spans_are_exact": True,
        "adapter_changes_the_model": True,
        "reloaded_adapter_equals_trained": True,
    }
    assert losses(spec)[-1] < 0.7 * losses(spec)[0]
    assert outcome.metadata["steps"] == 48
    assert json.loads((tmp_path / "out" / "prompt.json").read_text()) == PROMPT
    assert (tmp_path / "out" / "_loss.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "out" / "_log.jsonl").read_text().splitlines()) == 48
    assert (tmp_path / "out" / "_events.out.tfevents").stat().st_size > 48 * 30


def test_an_adapter_with_dropout_is_compared_without_it(llama: Path, tmp_path: Path) -> None:
    outcome = run(training_spec(llama, tmp_path, instructions(8), dropout=0.3))

    assert all(check.passed for check in outcome.checks)


def test_the_adapter_says_nothing_of_where_or_with_which_version_it_was_made(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(8))

    run(spec)

    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert "version" not in str(sorted(config))
    assert str(tmp_path) not in "".join(data.decode("latin-1") for data in content(spec).values())
    assert config["base_model_name_or_path"] == "llama"
    assert config["target_modules"] == sorted(config["target_modules"])


def test_equal_specs_give_equal_bytes_and_other_seeds_others(llama: Path, tmp_path: Path) -> None:
    specs = [training_spec(llama, tmp_path / name, instructions(16), dropout=0.2) for name in "abc"]
    specs[2]["seed"] = 4

    for spec in specs:
        run(spec)

    assert content(specs[0]) == content(specs[1])
    assert content(specs[0]) != content(specs[2])


KILLED_AT_SEVEN = """
import json, os, signal, sys
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress

class Deadly(Progress):
    def __call__(self, done, total, **figures):
        if done == 7:
            os.kill(os.getpid(), signal.SIGKILL)

train(json.load(open(sys.argv[1])), Deadly("training"))
"""


def test_a_killed_run_goes_on_to_the_bytes_of_an_unbroken_one(llama: Path, tmp_path: Path) -> None:
    unbroken = training_spec(llama, tmp_path / "unbroken", instructions(48), dropout=0.1)
    killed = training_spec(llama, tmp_path / "killed", instructions(48), dropout=0.1)
    killed["checkpoint_steps"] = 5
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(killed))

    died = subprocess.run([sys.executable, "-c", KILLED_AT_SEVEN, str(path)], check=False, capture_output=True)
    said: list[str] = []
    outcome = run(killed, said)
    run(unbroken)

    assert died.returncode == -signal.SIGKILL
    assert "goes on after step 5 of 12" in said
    assert outcome.metadata["resumed_at_step"] == 5
    assert content(killed) == content(unbroken)


def test_a_truncated_newest_checkpoint_costs_only_the_steps_since_the_one_before(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(48))
    spec["checkpoint_steps"] = 4
    run(spec)
    whole = content(spec)
    newest = max((tmp_path / "scratch").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:100])

    said: list[str] = []
    outcome = run(spec, said)

    assert outcome.metadata["resumed_at_step"] == 4
    assert any("passed over" in line for line in said)
    assert content(spec) == whole


def test_a_checkpoint_of_another_training_set_is_not_used(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(48))
    spec["checkpoint_steps"] = 4
    run(spec)

    other = training_spec(llama, tmp_path, instructions(47))

    assert run(other).metadata["resumed_at_step"] == 0


def test_micro_batches_add_up_to_the_whole_batch(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(32), batch_size=16)
    whole, split = (trainer_of(spec, tmp_path / name) for name in "ab")
    split.micro_batch_tokens = 100

    whole_losses, split_losses = (
        trainer.run(Progress("training", [].append), print).losses for trainer in (whole, split)
    )

    assert split_losses == pytest.approx(whole_losses, abs=1e-4)


def test_recomputed_activations_change_no_loss(family_base: tuple[str, Path], tmp_path: Path) -> None:
    _, base = family_base
    kept, recomputed = (
        trainer_of(
            training_spec(base, tmp_path, instructions(16), gradient_checkpointing=wanted), tmp_path / str(wanted)
        )
        for wanted in (False, True)
    )

    losses_kept, losses_recomputed = (
        trainer.run(Progress("training", [].append), print).losses for trainer in (kept, recomputed)
    )

    assert losses_recomputed == pytest.approx(losses_kept, abs=1e-5)


def test_padding_and_kept_positions_do_not_change_the_loss(family_base: tuple[str, Path], tmp_path: Path) -> None:
    import torch

    _, base = family_base
    spec = training_spec(base, tmp_path, instructions(6), loss_on="everything")
    trainer = trainer_of(spec, tmp_path)
    trainer.model.eval()

    alone = 0.0
    with torch.no_grad():
        together = trainer.objective.summed_loss(trainer.model, trainer.examples, training=True).item()
        for example in trainer.examples:
            labels = torch.tensor([example.labels])
            mean = trainer.model(input_ids=torch.tensor([example.ids]), labels=labels).loss
            alone += mean.item() * int((labels[:, 1:] != -100).sum())

    assert len(set(map(len, (example.ids for example in trainer.examples)))) > 1
    assert together == pytest.approx(alone, rel=1e-5)


def test_every_family_trains_two_steps(family_base: tuple[str, Path], tmp_path: Path) -> None:
    _, base = family_base
    spec = training_spec(base, tmp_path, instructions(8))

    outcome = run(spec)

    assert all(check.passed for check in outcome.checks)
    assert outcome.metadata["steps"] == 2


def test_qlora_trains_on_nf4_weights_like_lora_on_the_weights_they_stand_for(tmp_path: Path) -> None:
    base = write_model(tmp_path / "llama")
    spec = training_spec(base, tmp_path / "q", instructions(8), method="qlora")
    plain = copy.deepcopy(spec) | {"out": str(tmp_path / "p"), "scratch": str(tmp_path / "ps")}
    plain["tune"]["method"] = "lora"

    outcome = run(spec)
    run(plain)

    assert all(check.passed for check in outcome.checks)
    assert losses(spec)[0] != losses(plain)[0]
    assert losses(spec) == pytest.approx(losses(plain), rel=0.2)


def test_nf4_gradients_survive_a_forward_pass_without_gradients(llama: Path, tmp_path: Path) -> None:
    import torch

    from rc_pipeline.models.loading import load_model
    from rc_pipeline.training.methods import add_weights

    spec = training_spec(llama, tmp_path, instructions(8))
    model = add_weights(load_model(llama, family="llama", bits=4), spec["tune"], seed=0)
    ids = torch.arange(5, 25).reshape(2, 10)

    def gradient() -> torch.Tensor:
        model.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])

    before = gradient()
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    model.train()

    assert before.abs().max() > 0
    torch.testing.assert_close(gradient(), before, atol=1e-6, rtol=1e-5)


def test_the_command_trains_and_leaves_an_outcome(llama: Path, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(training_spec(llama, tmp_path, instructions(8))))

    done = subprocess.run(
        [sys.executable, "-m", "rc_pipeline.training", str(path)], check=True, capture_output=True, text=True
    )

    outcome = Outcome.from_json(json.loads((tmp_path / "out" / "_outcome.json").read_text()))
    assert outcome.metadata["steps"] == 2
    assert "Warning" not in done.stderr
    assert "kernels" not in done.stderr
