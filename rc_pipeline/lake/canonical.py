"""One spelling for every value, so that equal things have equal hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(data: Any) -> bytes:
    """Return JSON with sorted keys, no white space and no NaN."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def sha256_json(data: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `data`."""
    return hashlib.sha256(canonical_json(data)).hexdigest()


def stable_hash(seed: int, *parts: str) -> int:
    """Return 64 bits that are the same on every machine, in every process and for ever."""
    text = "\x1f".join((str(seed), *parts))
    # Text from a hostile file may hold a lone surrogate, which is still a name.
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
