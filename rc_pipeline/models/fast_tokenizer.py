"""A `tokenizer.json` made from a sentencepiece `tokenizer.model`, with the same ids for the same text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.models.sentencepiece_model import (
    BPE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Piece,
    SentencePieceError,
    SentencePieceModel,
    read_sentencepiece,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPACE = "▁"
INSTEAD = "Fetch the tokenizer.json of this model, or make one with the tool that its authors name, and put it beside."
# ChatGLM2's own code gives these the ids behind the pieces. Bare `sop` and `eop` would be found inside words.
CHATGLM2_MARKS = ("[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>")
CHATGLM2_FRONT = ("[gMASK]", "<sop>")


def write_fast_tokenizer(source: Path, out: Path, *, family: str, told: Mapping[str, Any]) -> None:
    """Write tokenizer.json and tokenizer_config.json to `out`; `told` is the original's tokenizer_config.json."""
    model = read_sentencepiece(source)
    tokenizer = fast_tokenizer(model, source)
    names = _special_names(model, family)
    if family == "chatglm2":
        _mark(tokenizer, CHATGLM2_MARKS)
        _put_in_front(tokenizer, CHATGLM2_FRONT)
    elif "bos_token" in names and told.get("add_bos_token", True):
        _put_in_front(tokenizer, (names["bos_token"],))
    tokenizer.save(str(out / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **names}
    if isinstance(told.get("chat_template"), str) and family != "chatglm2":
        config["chat_template"] = told["chat_template"]
    text = json.dumps(config, ensure_ascii=False, indent=1, sort_keys=True)
    (out / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def fast_tokenizer(model: SentencePieceModel, source: Path) -> Tokenizer:
    """Return a tokenizer that cuts texts as sentencepiece does, the space before the first word included."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    _refuse_the_inexact(model, source)
    unknown = model.pieces[model.first(UNKNOWN) or 0].text
    vocabulary = {piece.text: i for i, piece in enumerate(model.pieces)}
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary,
            _merges(model.pieces),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=model.byte_fallback,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(_normalisers(model))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            *([decoders.Strip(" ", 1, 0)] if model.dummy_prefix else []),
        ]
    )
    special = [piece.text for piece in model.pieces if piece.kind in (UNKNOWN, CONTROL)]
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in special])
    return tokenizer


def _normalisers(model: SentencePieceModel) -> list[Any]:
    from tokenizers import Regex, normalizers

    steps: list[Any] = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.fold_spaces:
        steps += [normalizers.Replace(Regex(r"\A +"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if model.dummy_prefix:
        steps.append(normalizers.Prepend(SPACE))
    steps.append(normalizers.Replace(" ", SPACE))
    return [*steps, normalizers.Replace(Regex(rf"{SPACE}+\z"), "")] if model.fold_spaces else steps


def _merges(pieces: list[Piece]) -> list[tuple[str, str]]:
    """Return the pairs that become a piece, best piece first; no byte or control piece is ever merged into."""
    known = {piece.text for piece in pieces if piece.kind == NORMAL}
    ranked = sorted((piece for piece in pieces if piece.kind == NORMAL), key=lambda piece: -piece.score)
    return [
        (piece.text[:cut], piece.text[cut:])
        for piece in ranked
        for cut in range(1, len(piece.text))
        if piece.text[:cut] in known and piece.text[cut:] in known
    ]


def _refuse_the_inexact(model: SentencePieceModel, source: Path) -> None:
    """What the tokenizers library has no exact counterpart of ends here, and not in ids that are nearly right."""
    fixed = [piece.text for piece in model.pieces if piece.kind == USER_DEFINED]
    texts = [piece.text for piece in model.pieces]
    problems = {
        # Where two ways to cut are equally likely, as for "aaaa" in "a" and "aaa", the libraries choose differently.
        "cuts by another algorithm than BPE": model.algorithm != BPE,
        "marks spaces behind words": model.spaces_at_the_end,
        "keeps spaces unmarked": not model.escape_spaces,
        f"has {len(fixed)} user-defined symbols ({', '.join(fixed[:5])})": bool(fixed),
        "has unused pieces": model.first(UNUSED) is not None,
        "has no unknown piece": model.first(UNKNOWN) is None,
        "has pieces of equal text": len(set(texts)) != len(texts),
    }
    found = [what for what, is_so in problems.items() if is_so]
    if found:
        raise SentencePieceError(f"{source}: {' and '.join(found)}, which cannot be carried over exactly. {INSTEAD}")


def _special_names(model: SentencePieceModel, family: str) -> dict[str, str]:
    """Return the tokens that begin and end a text; they are pieces 1 and 2 in every model of these families."""
    control = {piece.text for piece in model.pieces if piece.kind == CONTROL}
    names = {"bos_token": "<s>", "eos_token": "</s>"}
    found = {name: text for name, text in names.items() if text in control}
    unknown = model.pieces[model.first(UNKNOWN) or 0].text
    return found | {"unk_token": unknown} | ({"pad_token": unknown} if family == "chatglm2" else {})


def _mark(tokenizer: Tokenizer, marks: tuple[str, ...]) -> None:
    from tokenizers import AddedToken

    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in marks])


def _put_in_front(tokenizer: Tokenizer, marks: tuple[str, ...]) -> None:
    from tokenizers import processors

    ids = [(mark, tokenizer.token_to_id(mark)) for mark in marks]
    front = " ".join(f"{mark}:0" for mark in marks)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{front} $A:0", pair=f"{front} $A:0 $B:0", special_tokens=ids
    )
