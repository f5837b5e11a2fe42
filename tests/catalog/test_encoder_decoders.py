"""What a model with an encoder cannot be asked for is refused where its study is read."""

from __future__ import annotations

from tests.catalog.conftest import Desk


def test_settings_for_decoders_are_refused_all_at_once(desk: Desk) -> None:
    desk.edit("models/tiny.yaml", "family: llama", "family: t5")
    desk.edit("studies/first.yaml", "rank: 4,", "rank: 4, packing: true, loss_on: weighted,")

    found = {(problem.file.rsplit("/", 1)[-1], problem.field): problem for problem in desk.problems()}

    packing, loss_on = (found["first.yaml", f"runs.tuned.tune.{name}"] for name in ("packing", "loss_on"))
    assert "the encoder of tiny looks both ways and would see the other examples; remove it" in packing.remedy
    assert loss_on.value == '"weighted"'
    assert "use answer" in loss_on.remedy


def test_a_variant_that_an_encoder_cannot_follow_is_refused(desk: Desk) -> None:
    desk.edit("models/tiny.yaml", "family: llama", "family: t5")
    desk.edit("studies/first.yaml", "tune.rank: [4, 8]", "tune.loss_on: [answer, everything]")

    (problem,) = desk.problems()

    assert problem.field.startswith("ablations.rank")
    assert "use answer" in problem.remedy


def test_every_method_is_open_to_a_model_with_an_encoder(desk: Desk) -> None:
    desk.edit("models/tiny.yaml", "family: llama", "family: t5")
    desk.edit("studies/first.yaml", "tune.rank: [4, 8]", "tune.method: [full, lora, qlora, lora_8bit, prefix, prompt]")

    assert len(desk.load().study_runs["first"]) == 8
