"""Models whose encoder reads the prompt: the loss of transformers' own class, with every method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rc_pipeline.models.loading import load_model, read_encoder
from rc_pipeline.prompting.encoding import Encoded
from rc_pipeline.training.encoder_decoder import AnswerObjective
from rc_pipeline.training.run import train
from tests.models.tiny_models import instructions, training_spec
from tests.models.upstream import write_flan_t5
from tests.training.test_methods import METHODS, QUIET, losses
from tests.training.test_run import trainer_of

EVERY = {"lora": {"method": "lora"}} | METHODS
PLAIN = AnswerObjective(0)


@pytest.fixture(scope="module")
def flan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flan_t5(tmp_path_factory.mktemp("models") / "flan").folder


def ready(flan: Path, folder: Path, **tune: Any) -> Any:
    """A trainer whose model says the same at every call."""
    trainer = trainer_of(training_spec(flan, folder, instructions(6), **tune), folder)
    trainer.model.eval()
    with torch.no_grad():
        for name, weight in trainer.weights.items():
            # A fresh adapter's second matrix is zero, so that the first would have no gradient.
            if "lora_B" in name:
                weight.normal_(std=0.1)
    return trainer


def loss(trainer: Any, rows: list[Encoded], objective: AnswerObjective = PLAIN) -> Any:
    return objective.summed_loss(trainer.model, rows, training=True)


def by_transformers(model: Any, rows: list[Encoded]) -> Any:
    """The loss that T5 itself computes from labels, on the same padded batch."""
    from torch.nn.utils.rnn import pad_sequence

    prompts = [torch.tensor(row.ids[: row.prompt_tokens]) for row in rows]
    answers = [torch.tensor(row.ids[row.prompt_tokens :]) for row in rows]
    mask = pad_sequence([torch.ones_like(prompt) for prompt in prompts], batch_first=True)
    labels = pad_sequence(answers, batch_first=True, padding_value=-100)
    ids = pad_sequence(prompts, batch_first=True)
    return model(input_ids=ids, attention_mask=mask, labels=labels).loss * (labels != -100).sum()


@pytest.mark.parametrize("method", ["full", "lora"])
def test_loss_and_gradients_are_those_of_the_model_s_own_class(flan: Path, tmp_path: Path, method: str) -> None:
    trainer = ready(flan, tmp_path, method=method)
    rows = list(trainer.examples)
    assert len({row.prompt_tokens for row in rows}) > 1

    ours, theirs = loss(trainer, rows), by_transformers(trainer.model, rows)
    pairs = [torch.autograd.grad(each, list(trainer.weights.values()), retain_graph=True) for each in (ours, theirs)]

    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    for mine, wanted in zip(*pairs, strict=True):
        assert wanted.abs().max() > 0
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("method", EVERY)
def test_examples_have_the_loss_in_a_batch_that_they_have_alone(flan: Path, tmp_path: Path, method: str) -> None:
    trainer = ready(flan, tmp_path, **EVERY[method])

    together, alone = loss(trainer, trainer.examples), [loss(trainer, [row]) for row in trainer.examples]

    # Eight bits are rounded by the largest number of a batch.
    close = 2e-2 if method == "lora_8bit" else 1e-5
    assert together.item() == pytest.approx(sum(alone).item(), rel=close)


@pytest.mark.parametrize("method", EVERY)
def test_every_method_learns_and_its_files_hold(flan: Path, tmp_path: Path, method: str) -> None:
    spec = training_spec(flan, tmp_path, instructions(40), epochs=3, **EVERY[method])

    outcome = train(spec, QUIET)

    assert {check.name: check.passed for check in outcome.checks if not check.passed} == {}
    assert sum(losses(spec)[-5:]) < sum(losses(spec)[:5])


@pytest.mark.parametrize("method", EVERY)
def test_every_trained_weight_gets_a_gradient(flan: Path, tmp_path: Path, method: str) -> None:
    trainer = ready(flan, tmp_path, **EVERY[method])

    loss(trainer, trainer.examples).backward()

    assert [name for name, weight in trainer.weights.items() if not weight.grad.abs().max() > 0] == []


@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_what_is_put_in_front_leaves_the_prompt_in_sight(flan: Path, tmp_path: Path, method: str) -> None:
    trainer = ready(flan, tmp_path, **EVERY[method])
    row = trainer.examples[0]
    other = [5 if at == row.prompt_tokens // 2 else token for at, token in enumerate(row.ids)]

    assert abs(loss(trainer, [row]) - loss(trainer, [Encoded(other, row.masked, row.prompt_tokens)])) > 1e-4


@pytest.mark.parametrize("method", ["lora", "dora", "prefix", "prompt"])
def test_an_adapter_loads_with_plain_peft_and_for_prediction(flan: Path, tmp_path: Path, method: str) -> None:
    from peft import PeftModel

    train(training_spec(flan, tmp_path, instructions(6), **EVERY[method]), QUIET)
    ids, told = torch.arange(5, 25)[None], torch.tensor([[0, 40, 41]])
    mask = torch.ones_like(ids)

    with torch.no_grad():
        untrained = load_model(flan, family="t5")(input_ids=ids, decoder_input_ids=told).logits
        plain = PeftModel.from_pretrained(load_model(flan, family="t5"), tmp_path / "out").eval()
        wanted = plain(input_ids=ids, attention_mask=mask, decoder_input_ids=told, use_cache=False).logits
        asked = load_model(flan, family="t5", adapter=tmp_path / "out")
        states, mask = read_encoder(asked, ids, mask)
        found = asked(
            encoder_outputs=(states,), attention_mask=mask, decoder_input_ids=told,
            past_key_values=getattr(asked, "in_front", None),
        ).logits  # fmt: skip

    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert (wanted - untrained).abs().max() > 1e-3


def test_a_whole_model_loads_with_plain_transformers(flan: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM

    spec = training_spec(flan, tmp_path, instructions(6), **EVERY["full"])
    train(spec, QUIET)

    plain, report = AutoModelForSeq2SeqLM.from_pretrained(spec["out"], output_loading_info=True)

    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    # FLAN-T5's head is a weight of its own, and is not made smaller.
    assert plain.lm_head.weight.data_ptr() != plain.shared.weight.data_ptr()
    assert plain.config.scale_decoder_outputs is False


def test_logits_are_made_of_answers_alone(flan: Path, tmp_path: Path) -> None:
    trainer = ready(flan, tmp_path)
    made: list[torch.Size] = []
    head = trainer.model.get_output_embeddings()
    head.register_forward_hook(lambda _, given, logits: made.append(logits.shape))

    loss(trainer, trainer.examples)
    trainer.model(input_ids=torch.ones(1, 3, dtype=torch.long), decoder_input_ids=torch.zeros(1, 7, dtype=torch.long))

    assert made[0][0] == PLAIN.weight(trainer.examples)
    assert tuple(made[1][:2]) == (1, 7)


def test_the_smaller_outputs_of_the_first_t5_are_kept(flan: Path, tmp_path: Path) -> None:
    trainer = ready(flan, tmp_path)
    rows = list(trainer.examples)
    assert trainer.model.config.scale_decoder_outputs is False
    trainer.model.config.scale_decoder_outputs = True

    assert loss(trainer, rows).item() == pytest.approx(by_transformers(trainer.model, rows).item(), rel=1e-6)


def test_noise_and_smoothing_belong_to_training_alone(flan: Path, tmp_path: Path) -> None:
    trainer = ready(flan, tmp_path)
    rows = list(trainer.examples)
    expected = loss(trainer, rows).item()

    for each in (AnswerObjective(0, neftune_alpha=50.0), AnswerObjective(0, label_smoothing=0.3)):
        assert each.summed_loss(trainer.model, rows, training=False).item() == pytest.approx(expected)
        assert abs(loss(trainer, rows, each).item() - expected) > 1e-3


@pytest.mark.parametrize("method", ["lora", "full", "prompt"])
def test_activations_computed_twice_change_no_gradient(flan: Path, tmp_path: Path, method: str) -> None:
    found = []
    for twice in (False, True):
        trainer = ready(flan, tmp_path / str(twice), **EVERY[method], gradient_checkpointing=twice)
        trainer.model.train()
        torch.manual_seed(0)
        loss(trainer, trainer.examples).backward()
        found.append(torch.cat([weight.grad.flatten() for weight in trainer.weights.values()]))

    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["full", "prefix", "prompt"])
def test_bf16_products_come_close_to_fp32(flan: Path, tmp_path: Path, method: str) -> None:
    precise, coarse = (ready(flan, tmp_path / name, precision=name, **EVERY[method]) for name in ("fp32", "bf16"))

    losses = [each.objective.summed_loss(each.model, each.examples, training=True).item() for each in (precise, coarse)]

    assert 0 < abs(losses[1] - losses[0]) < 0.05 * losses[0]
