"""What a sentencepiece `tokenizer.model` says, read without sentencepiece and without generated protobuf classes.

Such classes exist twice in one process where sentencepiece is installed, and protobuf refuses the second.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
UNIGRAM, BPE = 1, 2


class SentencePieceError(ValueError):
    """A tokenizer.model that cannot be read, or not exactly; the message says what to do."""


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary; its id is its place."""

    text: str = ""
    score: float = 0.0
    kind: int = NORMAL


@dataclass
class SentencePieceModel:
    """The vocabulary and what decides how a text is cut; unset fields have the format's defaults."""

    pieces: list[Piece] = field(default_factory=list)
    algorithm: int = UNIGRAM
    spaces_at_the_end: bool = False
    byte_fallback: bool = False
    charsmap: bytes = b""
    dummy_prefix: bool = True
    fold_spaces: bool = True
    escape_spaces: bool = True

    def first(self, kind: int) -> int | None:
        """Return the id of the first piece of a kind."""
        return next((i for i, piece in enumerate(self.pieces) if piece.kind == kind), None)


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """Read a tokenizer.model."""
    model = SentencePieceModel()
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1:
                model.pieces.append(_piece(_bytes(value)))
            elif number == 2:
                _read_trainer(_bytes(value), model)
            elif number == 3:
                _read_normaliser(_bytes(value), model)
    except (ValueError, IndexError, struct.error) as error:
        raise SentencePieceError(f"{path}: is no sentencepiece model ({error}). Fetch the file again.") from error
    if not model.pieces:
        raise SentencePieceError(f"{path}: holds no pieces. Fetch the file again.")
    return model


def _piece(data: bytes) -> Piece:
    told = dict(_fields(data))
    score = struct.unpack("<f", _bytes(told[2]))[0] if 2 in told else 0.0
    return Piece(_bytes(told.get(1, b"")).decode("utf-8"), score, _int(told.get(3, NORMAL)))


def _read_trainer(data: bytes, model: SentencePieceModel) -> None:
    told = dict(_fields(data))
    model.algorithm = _int(told.get(3, UNIGRAM))
    model.spaces_at_the_end = bool(told.get(24, 0))
    model.byte_fallback = bool(told.get(35, 0))


def _read_normaliser(data: bytes, model: SentencePieceModel) -> None:
    told = dict(_fields(data))
    model.charsmap = _bytes(told.get(2, b""))
    model.dummy_prefix, model.fold_spaces, model.escape_spaces = (bool(told.get(n, 1)) for n in (3, 4, 5))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message: numbers as int, anything else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"field of the unknown kind {kind} at byte {at}")
        if at + size > len(data):
            raise ValueError(f"cut off at byte {len(data)}")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(f"number without an end at byte {at}")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a text should be")
    return value


def _int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a text where a number should be")
    return value
