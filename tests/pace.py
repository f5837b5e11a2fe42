"""Time limits that mean the same on a slower or a busier machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TEXT = json.dumps([{"id": str(at), "text": "word " * 20, "at": at} for at in range(2000)])
# Seconds that the yardstick takes on a quiet core of the machine on which the limits were set.
USUAL = 0.0013


@contextmanager
def within(seconds: float, clock: Callable[[], float] = time.process_time) -> Iterator[None]:
    """Require that the work takes less time than this, as plain Python goes here and now by the same clock."""
    before, start = _yardstick(clock), clock()
    yield
    took = clock() - start
    slower = max(1.0, before / USUAL, _yardstick(clock) / USUAL)
    assert took < seconds * slower, f"{took:.2f} s, on a machine {slower:.1f} times as slow as usual"


def _yardstick(clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(100):
        sum(len(row["text"].split()) for row in json.loads(TEXT))
    return (clock() - start) / 100
