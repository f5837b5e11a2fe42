from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rc_pipeline.models.loading import load_model
from rc_pipeline.prediction.prefill import read_prompts
from rc_pipeline.training.run import train
from rc_pipeline.worker import Progress
from tests.models.tiny_models import FAMILIES, instructions, training_spec, write_model

PROMPTS = [[5, 6, 7, 8, 9], [20, 21, 22]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["prefix", "prompt", "full"])
def test_a_cached_prompt_says_what_the_trained_model_says(tmp_path: Path, family: str, method: str) -> None:
    from peft import PeftModel

    base = write_model(tmp_path / "base", family)
    spec = training_spec(base, tmp_path, instructions(8), method=method, virtual_tokens=4, learning_rate=1e-2)
    train(spec, Progress("training", [].append))
    out = Path(spec["out"])
    whole = out if method == "full" else base
    plain = load_model(whole, family=family)
    trained = plain if method == "full" else PeftModel.from_pretrained(plain, out)

    with torch.no_grad():
        model = load_model(base, family=family, adapter=out)
        prefill = read_prompts(model, PROMPTS, pad_id=0)
        following = model(
            input_ids=torch.tensor([[11], [12]]),
            past_key_values=prefill.cache,
            attention_mask=torch.cat([prefill.mask, torch.ones(2, 1, dtype=torch.long)], dim=1),
            position_ids=prefill.lengths[:, None],
        ).logits[:, -1]
        for row, prompt in enumerate(PROMPTS):
            said = trained(input_ids=torch.tensor([[*prompt, 11 + row]]), use_cache=False).logits[0, -2:]
            torch.testing.assert_close(prefill.next_logits[row], said[0], atol=2e-5, rtol=1e-4)
            torch.testing.assert_close(following[row], said[1], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_an_encoder_and_its_decoder_say_what_the_trained_model_says(t5: Path, tmp_path: Path, method: str) -> None:
    from peft import PeftModel

    spec = training_spec(t5, tmp_path, instructions(8), method=method, virtual_tokens=4, learning_rate=1e-2)
    train(spec, Progress("training", [].append))
    out = Path(spec["out"])
    trained = PeftModel.from_pretrained(load_model(t5, family="t5"), out).eval()

    with torch.no_grad():
        prefill = read_prompts(load_model(t5, family="t5", adapter=out), PROMPTS, pad_id=0)
        first = prefill.next_logits
        following = prefill.go_on(torch.tensor([11, 12]))
        for row, prompt in enumerate(PROMPTS):
            ids, told = torch.tensor([prompt]), torch.tensor([[0, 11 + row]])
            said = trained(
                input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=told, use_cache=False
            ).logits[0]
            torch.testing.assert_close(first[row], said[0], atol=2e-5, rtol=1e-4)
            torch.testing.assert_close(following[row], said[1], atol=2e-5, rtol=1e-4)
