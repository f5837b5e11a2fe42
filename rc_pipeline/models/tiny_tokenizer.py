"""The tokenizer of rc_tiny: byte-level BPE learnt from the sample world."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rc_pipeline.corpora.sample_names import (
    PERSON_FIRST,
    PERSON_SECOND,
    PLACE_FIRST,
    PLACE_SECOND,
)
from rc_pipeline.corpora.sample_world import pretraining_documents

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
_CUT = "\x00"


def _syllables() -> Iterator[str]:
    """Yield the halves of names so often that their merges come before those of any word.

    The first halves of people lead, so that their vowel is never taken by what follows it.
    """
    for halves, times in (
        ((*PERSON_FIRST, *(f" {first}" for first in PERSON_FIRST)), 60_000),
        (PERSON_SECOND, 16_000),
        ((*PLACE_FIRST, *(f" {first}" for first in PLACE_FIRST)), 8_000),
        (PLACE_SECOND, 4_000),
    ):
        for half in halves:
            yield _CUT.join([half] * times)


def _cut_names(text: str) -> str:
    """Part the halves of names, so that no merge ever joins them."""
    firsts = "|".join(sorted((*PERSON_FIRST, *PLACE_FIRST), key=len, reverse=True))
    seconds = "|".join(sorted((*PERSON_SECOND, *PLACE_SECOND), key=len, reverse=True))
    return re.sub(rf"\b({firsts})({seconds})\b", rf"\1{_CUT}\2", text)


def learn_tokenizer(seed: int, vocabulary: int, documents: int = 3000) -> PreTrainedTokenizerFast:
    """Learn the tokenizer; every name becomes two tokens, at a line's start and inside it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    texts = (_cut_names(text) for text in pretraining_documents(seed))
    sample = itertools.chain(_syllables(), itertools.islice(texts, documents), ["### Response:\n"] * 200)
    tokenizer = Tokenizer(models.BPE())
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    cuts = pre_tokenizers.Split(Regex(_CUT), behavior="removed")
    # The cut must come first: a cut name has to be two words to the trainer.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cuts, bytewise])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer)
    tokenizer.pre_tokenizer = bytewise
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        **SPECIAL_TOKENS,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
