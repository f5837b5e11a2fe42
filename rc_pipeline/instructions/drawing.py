"""Draws that depend on names and a seed alone, never on the order or number of what is drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rc_pipeline.lake.canonical import stable_hash


def draw_template(row_id: str, weights: Mapping[str, float], seed: int) -> str:
    """Return the template of a row, in proportion to the weights.

    Every template has a score of its own for the row and the best one wins (weighted rendezvous
    hashing), so that adding, editing or removing one moves no row between the others.
    """
    if len(weights) == 1:
        return next(iter(weights))
    return min(sorted(weights), key=lambda name: _waiting_time(stable_hash(seed, name, row_id), weights[name]))


def row_order(row_id: str, seed: int) -> int:
    """Return the place of a row in the seeded order: a run that takes N rows takes the N smallest."""
    return stable_hash(seed, row_id)


def _waiting_time(bits: int, weight: float) -> float:
    # Exponential waiting times race in proportion to their rates.
    return -math.log((bits + 0.5) / 2**64) / weight


def shots_file(template: str) -> str:
    """Return the name of the file of training rows that solved examples by a template are drawn from."""
    return f"shots.{template}.parquet"
