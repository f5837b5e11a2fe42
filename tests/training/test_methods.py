from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rc_pipeline.models.loading import load_model
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import FAMILIES, instructions, training_spec, write_model

METHODS: dict[str, dict[str, Any]] = {
    "rslora": {"method": "lora", "rslora": True},
    "dora": {"method": "lora", "dora": True},
    "qlora": {"method": "qlora"},
    "lora_8bit": {"method": "lora_8bit"},
    "full": {"method": "full", "learning_rate": 1e-3},
    "prefix": {"method": "prefix", "virtual_tokens": 20, "learning_rate": 0.2},
    "prompt": {"method": "prompt", "virtual_tokens": 20, "learning_rate": 0.2},
}
QUIET = Progress("training", [].append)
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


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {family: write_model(folder / family, family) for family in FAMILIES}


def weights(spec: dict[str, Any]) -> bytes:
    out = Path(spec["out"])
    return next(out.glob("*.safetensors")).read_bytes()


def losses(spec: dict[str, Any]) -> list[float]:
    return [loss for _, loss in json.loads((Path(spec["out"]) / "training.json").read_text())["loss"]]


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.arange(5, 25)[None], use_cache=False).logits[:, -20:]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_on_every_family_and_its_files_hold(
    bases: dict[str, Path], tmp_path: Path, family: str, method: str
) -> None:
    spec = training_spec(bases[family], tmp_path, instructions(40), epochs=3, **METHODS[method])

    outcome = train(spec, QUIET)

    assert {check.name: check.passed for check in outcome.checks if not check.passed} == {}
    assert sum(losses(spec)[-5:]) < sum(losses(spec)[:5])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_whole_model_loads_with_plain_transformers(bases: dict[str, Path], tmp_path: Path, family: str) -> None:
    from transformers import AutoModelForCausalLM

    spec = training_spec(bases[family], tmp_path, instructions(8), **METHODS["full"])
    train(spec, QUIET)

    plain, report = AutoModelForCausalLM.from_pretrained(spec["out"], output_loading_info=True)

    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert (logits(plain) - logits(load_model(bases[family], family=family))).abs().max() > 0


@pytest.mark.parametrize("method", ["dora", "prefix", "prompt"])
def test_what_is_put_beside_a_model_loads_with_plain_peft(llama: Path, tmp_path: Path, method: str) -> None:
    from peft import PeftModel

    spec = training_spec(llama, tmp_path, instructions(8), **METHODS[method])
    train(spec, QUIET)

    plain = PeftModel.from_pretrained(load_model(llama, family="llama"), spec["out"])

    assert (logits(plain) - logits(load_model(llama, family="llama"))).abs().max() > 0


@pytest.mark.parametrize("method", ["full", "prefix"])
def test_a_killed_run_of_any_method_goes_on_to_the_bytes_of_an_unbroken_one(
    llama: Path, tmp_path: Path, method: str
) -> None:
    held_out = {"eval_share": 0.1, "patience": 9} if method == "prefix" else {}
    unbroken = training_spec(llama, tmp_path / "unbroken", instructions(48), **METHODS[method], **held_out)
    killed = copy.deepcopy(unbroken) | {name: str(tmp_path / f"killed/{name}") for name in ("out", "scratch")}
    killed["checkpoint_steps"] = 5
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(killed))

    died = subprocess.run([sys.executable, "-c", KILLED_AT_SEVEN, str(path)], check=False, capture_output=True)
    outcome = train(killed, QUIET)
    train(unbroken, QUIET)

    assert died.returncode == -signal.SIGKILL
    assert outcome.metadata["resumed_at_step"] == 5
    assert weights(killed) == weights(unbroken)
    assert losses(killed) == losses(unbroken)


def test_a_prefix_is_the_same_behind_padding_and_alone(bases: dict[str, Path], tmp_path: Path) -> None:
    from tests.training.test_run import trainer_of

    for family, base in bases.items():
        for method in ("prefix", "prompt"):
            spec = training_spec(base, tmp_path, instructions(6), **METHODS[method])
            trainer = trainer_of(spec, tmp_path)
            trainer.model.eval()
            together = trainer.objective.summed_loss(trainer.model, trainer.examples, training=True)
            alone = [trainer.objective.summed_loss(trainer.model, [row], training=True) for row in trainer.examples]
            assert together.item() == pytest.approx(sum(alone).item(), rel=1e-5), (family, method)


def test_high_ranks_are_scaled_by_the_root_of_the_rank(llama: Path, tmp_path: Path) -> None:
    spec = training_spec(llama, tmp_path, instructions(8), rank=16, alpha=8, **METHODS["rslora"])

    train(spec, QUIET)

    from peft import PeftModel

    loaded = PeftModel.from_pretrained(load_model(llama, family="llama"), spec["out"])
    assert loaded.base_model.model.model.layers[0].self_attn.q_proj.scaling["default"] == 8 / 16**0.5
