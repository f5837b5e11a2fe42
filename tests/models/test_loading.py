from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rc_pipeline.models.architectures import ModelLoadError
from rc_pipeline.models.loading import adapter_prompt, load_model, load_tokenizer


def test_every_family_loads_with_the_logits_it_was_saved_with(family_folder: tuple[str, Path]) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    family, folder = family_folder
    ids = torch.tensor([[1, 40, 50, 60, 70]])

    with torch.no_grad():
        ours = load_model(folder, family=family)(input_ids=ids).logits
        theirs = AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids).logits

    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_missing_weights_are_an_error_and_not_noise(llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelLoadError, match="up_proj"):
        load_model(folder, family="llama")


def test_an_unknown_family_lists_the_known_ones(llama: Path) -> None:
    with pytest.raises(ModelLoadError, match="glm, gpt2, granite, llama"):
        load_model(llama, family="mamba")


def test_code_in_a_checkpoint_is_never_run(llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Model: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))

    load_model(folder, family="llama")
    load_tokenizer(folder)

    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_gives_the_ids_of_its_json_file(llama: Path) -> None:
    from tokenizers import Tokenizer

    raw = Tokenizer.from_file(str(llama / "tokenizer.json"))

    for text in ("Anna lives in Rome", " the red box", "", "雨\n\t", "</s> is text"):
        assert load_tokenizer(llama)(text)["input_ids"] == raw.encode(text).ids


def test_a_folder_without_tokenizer_json_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"tokenizer\.model"):
        load_tokenizer(tmp_path)


@pytest.fixture
def nameless(llama: Path, tmp_path: Path) -> Path:
    """A checkpoint whose tokenizer names no end of text."""
    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("eos_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("ids", [None, [2, 3], 9999, "2"])
def test_a_tokenizer_without_an_end_of_text_is_refused(nameless: Path, ids: object) -> None:
    config = json.loads((nameless / "config.json").read_text())
    (nameless / "config.json").write_text(json.dumps(config | {"eos_token_id": ids}))

    with pytest.raises(ModelLoadError, match="eos_token"):
        load_tokenizer(nameless)


def test_a_tokenizer_without_an_end_of_text_takes_that_of_the_config(nameless: Path) -> None:
    assert load_tokenizer(nameless).eos_token == "</s>"


def test_an_adapter_without_its_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"prompt\.json"):
        adapter_prompt(tmp_path)


def test_a_tokenizer_loads_without_torch(llama: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rc_pipeline.models.loading import load_tokenizer; "
        "load_tokenizer(Path(sys.argv[1])); assert 'torch' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code, str(llama)], check=True)


def test_an_adapter_on_a_head_that_is_tied_leaves_the_embeddings_as_they_are(llama: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    folder = Path(shutil.copytree(llama, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    torch.manual_seed(0)
    adapted = get_peft_model(
        load_model(folder, family="llama"), LoraConfig(target_modules=["lm_head", "q_proj"], init_lora_weights=False)
    ).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    ids = torch.tensor([[1, 40, 50, 60, 70]])

    with torch.no_grad():
        trained = adapted(input_ids=ids).logits
        loaded = load_model(folder, family="llama", adapter=tmp_path / "adapter")(input_ids=ids).logits

    torch.testing.assert_close(loaded, trained, atol=1e-5, rtol=1e-5)
