"""The loss of a run, for people: few points in a file, and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

POINTS = 400


def thin(losses: Sequence[float], points: int = POINTS) -> list[tuple[int, float]]:
    """Return (step, mean loss up to it) at no more than `points` steps, rounded to 4 digits."""
    width = max(1, math.ceil(len(losses) / points))
    groups = [losses[start : start + width] for start in range(0, len(losses), width)]
    return [(min((i + 1) * width, len(losses)), round(sum(group) / len(group), 4)) for i, group in enumerate(groups)]


def draw(losses: Sequence[float], path: Path, title: str, held_out: Sequence[tuple[int, float]] = ()) -> None:
    """Draw the loss by step, with its running mean and the loss on what was held out, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps = range(1, len(losses) + 1)
    axes.plot(steps, losses, color="#9db4c8", linewidth=0.8, label="each step")
    axes.plot(steps, _running_mean(losses), color="#1f5a8a", linewidth=1.6, label="running mean")
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "o-", color="#c2571a", markersize=3, linewidth=1.2, label="held out")
    axes.set(xlabel="step", ylabel="loss", title=title)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(path)


def _running_mean(losses: Sequence[float]) -> list[float]:
    width = max(1, len(losses) // 20)
    sums = [0.0]
    for loss in losses:
        sums.append(sums[-1] + loss)
    starts = [max(0, end - width) for end in range(1, len(losses) + 1)]
    return [(sums[end] - sums[start]) / (end - start) for end, start in enumerate(starts, 1)]
