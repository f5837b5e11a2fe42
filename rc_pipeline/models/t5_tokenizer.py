"""A `tokenizer.json` made from the `spiece.model` of a T5, with the ids of transformers' own T5 tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.models.fast_tokenizer import INSTEAD, SPACE
from rc_pipeline.models.sentencepiece_model import (
    UNIGRAM,
    UNKNOWN,
    SentencePieceError,
    SentencePieceModel,
    read_sentencepiece,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAMES = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
# What stands for a gap in its pretraining; checkpoints say how many there are where it is another number.
GAPS = 100


def write_t5_tokenizer(source: Path, out: Path, *, told: Mapping[str, Any]) -> None:
    """Write tokenizer.json and tokenizer_config.json to `out`; `told` is the original's tokenizer_config.json."""
    tokenizer = t5_tokenizer(read_sentencepiece(source), source, gaps=int(told.get("extra_ids", GAPS)))
    tokenizer.save(str(out / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **NAMES}
    text = json.dumps(config, ensure_ascii=False, indent=1, sort_keys=True)
    (out / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def t5_tokenizer(model: SentencePieceModel, source: Path, *, gaps: int = GAPS) -> Tokenizer:
    """Return a tokenizer that cuts texts as transformers does for T5, and ends them.

    It is sentencepiece's own cut but where two are equally likely: there the libraries choose differently.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    _refuse_what_is_no_t5(model, source)
    vocabulary = [(piece.text, piece.score) for piece in model.pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=model.first(UNKNOWN), byte_fallback=False))
    if model.charsmap:
        tokenizer.normalizer = normalizers.Precompiled(model.charsmap)
    spaced = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), spaced])
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    special = [*NAMES.values(), *(f"<extra_id_{number}>" for number in reversed(range(gaps)))]
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in special])
    end = NAMES["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B {end}", special_tokens=[(end, tokenizer.token_to_id(end))]
    )
    return tokenizer


def _refuse_what_is_no_t5(model: SentencePieceModel, source: Path) -> None:
    texts = [piece.text for piece in model.pieces]
    missing = sorted(set(NAMES.values()) - set(texts))
    problems = {
        "cuts by another algorithm than Unigram": model.algorithm != UNIGRAM,
        f"has no {' and no '.join(missing)}": bool(missing),
        "keeps spaces that T5 folds": not model.fold_spaces,
        "has pieces of equal text": len(set(texts)) != len(texts),
    }
    found = [what for what, is_so in problems.items() if is_so]
    if found:
        raise SentencePieceError(f"{source}: {' and '.join(found)}, so it is no T5's. {INSTEAD}")
