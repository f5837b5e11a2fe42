"""Several processes that answer together: each its share, into one row cache from which the first one reads all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.worker import processes, rank

if TYPE_CHECKING:
    from rc_pipeline.prediction.asks import Ask
    from rc_pipeline.prediction.row_cache import Result, RowCache
    from rc_pipeline.worker import Progress

SECONDS_BETWEEN_LOOKS = 0.5


def own_share(asks: Mapping[str, Ask]) -> dict[str, Ask]:
    """Return what this process is to ask.

    Shares go by prompt, not by place: processes that start later may find less to ask, and still agree on whose it is.
    """
    own, of = rank(), processes()
    if of == 1:
        return dict(asks)
    return {key: ask for key, ask in asks.items() if int(sha256_json(ask.prompt)[:8], 16) % of == own}


def use_own_device() -> None:
    """Work on the GPU that is this process's own."""
    import torch

    if "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


def gathered(cache: RowCache, asks: Mapping[str, Ask], progress: Progress) -> dict[str, Result]:
    """Wait until every result is in the cache; `torchrun` ends this process when another one fails."""
    found: dict[str, Result] = {}
    while True:
        news = {key: result for key, result in cache.read_new().items() if key in asks}
        found |= news
        if news:
            progress(len(found), len(asks))
        if len(found) == len(asks):
            return found
        time.sleep(SECONDS_BETWEEN_LOOKS)
