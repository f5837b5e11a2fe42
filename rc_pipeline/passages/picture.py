"""The picture of recall by budget: the same bytes on every run, and readable without colour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from rc_pipeline.passages.recall import BM25, FIRST_WORDS, WHOLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lightness, dashes and marks differ, so that a grey print tells the lines apart.
LOOKS: dict[str, dict[str, Any]] = {
    BM25: {"color": "#0072b2", "linestyle": "solid", "marker": "o", "label": "best windows"},
    FIRST_WORDS: {"color": "#d55e00", "linestyle": "dashed", "marker": "s", "label": "first words"},
}
CEILING: dict[str, Any] = {"color": "#222222", "linestyle": "dotted", "label": "whole documents"}
PANELS_ACROSS = 3


def draw_recall(recall: pl.DataFrame, tokens: int, path: Path) -> None:
    """Draw a panel a split: the share of questions whose answer a passage of each budget holds."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    splits = recall["split"].unique(maintain_order=True).to_list()
    across = min(PANELS_ACROSS, len(splits))
    down = -(-len(splits) // across)
    # Starting from the defaults keeps a person's own matplotlibrc out of the bytes.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"font.size": 9.0, "axes.spines.top": False, "axes.spines.right": False})
        figure = Figure(figsize=(max(4.6, 1.2 + 2.6 * across), 1.1 + 2.2 * down), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
        for panel in panels[len(splits) :]:
            panel.set_axis_off()
        for panel, split in zip(panels, splits, strict=False):
            _panel(panel, recall.filter(split=split), tokens)
            panel.set_title(split, fontsize=9.0)
        figure.supxlabel("tokens of passage (a grey line marks the budget in use)", fontsize=9.0)
        figure.supylabel("answer in the passage, %", fontsize=9.0)
        lines, labels = panels[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        figure.savefig(path, format="png", metadata={"Software": None})


def _panel(panel: Axes, recall: pl.DataFrame, tokens: int) -> None:
    panel.axvline(tokens, color="#bbbbbb", linewidth=1.0, zorder=0)
    for method, look in LOOKS.items():
        line = recall.filter(method=method).sort("budget_tokens")
        panel.plot(line["budget_tokens"], 100 * line["recall"], markersize=3, linewidth=1.4, **look)
    panel.axhline(100 * recall.filter(method=WHOLE)["recall"].item(), linewidth=1.2, **CEILING)
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter("{x:.0f}")
    panel.set_ylim(0, 104)
    panel.grid(color="#dddddd", linewidth=0.6)
