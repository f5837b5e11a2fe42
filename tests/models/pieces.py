"""Small sentencepiece models, trained in a moment by sentencepiece itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from tests.models.tiny_models import TEXT

CHINESE = "安娜住在罗马。红色的盒子里有一把钥匙。谁？在哪里？问：安娜住在哪里？\n\n答：罗马 <用户>谁<AI>"
LINES = [TEXT, CHINESE, "Question: 1234 + 5678 = ?  (two  spaces)    banana aaaa", "[Round 1] answer stop developer"]


def write_pieces(path: Path, *, lines: list[str] = LINES, **options: Any) -> Path:
    """Train a tokenizer.model as those of Llama, MiniCPM and ChatGLM2 are, but for what the options say."""
    import sentencepiece

    told: dict[str, Any] = {
        "model_type": "bpe", "vocab_size": 420, "byte_fallback": True, "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True, "character_coverage": 1.0,
    }  # fmt: skip
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 20), model_writer=made, minloglevel=2, num_threads=1, **(told | options)
    )
    path.write_bytes(made.getvalue())
    return path


def write_t5_pieces(path: Path) -> Path:
    """Train a spiece.model as T5's is: without Chinese in it, or braces and angles, of which T5 knows nothing."""
    known = "".join(character for character in map(chr, range(33, 127)) if character not in "<>{}\\^`~")
    return write_pieces(
        path, lines=[TEXT], model_type="unigram", byte_fallback=False, normalization_rule_name="nmt_nfkc",
        remove_extra_whitespaces=True, allow_whitespace_only_pieces=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        required_chars=known, hard_vocab_limit=False, vocab_size=240,
    )  # fmt: skip
