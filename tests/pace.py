"""Time limits that mean the same on a slower or a busier machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

TEXT = json.dumps([{"id": str(at), "text": "word " * 20, "at": at} for at in range(2000)])
# Processor seconds that the yardstick takes on a quiet core of the machine on which the limits were set.
USUAL = 0.0066


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Require that the work takes less processor time than this, as plain Python goes here and now."""
    before, start = _yardstick(), time.process_time()
    yield
    took = time.process_time() - start
    slower = max(1.0, before / USUAL, _yardstick() / USUAL)
    assert took < seconds * slower, f"{took:.2f} s, on a machine {slower:.1f} times as slow as usual"


def _yardstick() -> float:
    return min(_once() for _ in range(5))


def _once() -> float:
    start = time.process_time()
    for _ in range(5):
        sum(len(row["text"].split()) for row in json.loads(TEXT))
    return time.process_time() - start
