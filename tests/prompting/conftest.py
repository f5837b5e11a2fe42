"""Small tokenizers: two learnt here, byte-level and begun with BOS and a space mark, and the shipped one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rc_pipeline import models
from rc_pipeline.prompting.template import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXTS = [
    "Below is an instruction, paired with an input. ### Instruction: ### Input: ### Response:",
    "Mara went to the harbour in the morning because the fish are fresh then, and the market is near.",
    "Read the passage and answer the question. What did she buy there? She bought bread and two apples.",
] * 20
NAMES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
SPECIAL = list(NAMES.values())


@pytest.fixture(scope="session")
def bytewise() -> PreTrainedTokenizerFast:
    """Byte-level BPE without BOS, in the manner of GPT-2."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **NAMES)


@pytest.fixture(scope="session")
def marked() -> PreTrainedTokenizerFast:
    """BPE with byte fall-back, a space mark before every text, and BOS, in the manner of Llama."""
    from tokenizers import Tokenizer, decoders, normalizers, processors, trainers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    byte_pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(BPE(unk_token=NAMES["unk_token"], byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=SPECIAL + byte_pieces, show_progress=False, max_token_length=8
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    # Byte pieces are pieces of the model, not special tokens: written out in a text they are plain text.
    rebuilt = Tokenizer.from_str(_without_added(tokenizer.to_str(), byte_pieces))
    return PreTrainedTokenizerFast(tokenizer_object=rebuilt, **NAMES)


def _without_added(serialised: str, tokens: list[str]) -> str:
    import json

    data = json.loads(serialised)
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] not in tokens]
    return json.dumps(data)


@pytest.fixture(scope="session")
def shipped() -> PreTrainedTokenizerFast:
    """The tokenizer of the tiny model that comes with the project."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(Path(models.__file__).parent / "rc_tiny")


@pytest.fixture(scope="session", params=["bytewise", "marked", "shipped"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """Each of the tokenizers in turn."""
    return request.getfixturevalue(request.param)


CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def chatty(bytewise: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with a chat template, whose turns have tokens of their own, one of them not special."""
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(bytewise.backend_tokenizer.to_str())
    backend.add_special_tokens([AddedToken("<|im_end|>", special=True, normalized=False)])
    backend.add_tokens([AddedToken("<|im_start|>", special=False, normalized=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **NAMES)
    tokenizer.chat_template = CHATML
    return tokenizer


@pytest.fixture(scope="session")
def alpaca() -> Prompt:
    """A prompt template in alpaca-lora's words."""
    return Prompt(
        "alpaca",
        "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n",
        "### Instruction:\n{instruction}\n\n### Response:\n",
        "### Response:",
    )
