"""Pictures of what single questions tell: flips, confusions, lengths, variants, wordings and recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.reporting.errors import OUTCOMES, Confusion, Flips
from rc_pipeline.reporting.pictures import COLUMN, INK, drawing, look, save
from rc_pipeline.reporting.scoreboard import Score

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

# What stays as it was is pale, what tuning mends is dark, what it breaks is hatched.
LOOKS: dict[str, dict[str, Any]] = {
    "both right": {"facecolor": "#d9d9d9"},
    "mended": {"facecolor": "#0072b2"},
    "broken": {"facecolor": "#f5c98a", "hatch": "////"},
    "both wrong": {"facecolor": "#ffffff"},
}
GRID: dict[str, Any] = {"color": "#dddddd", "linewidth": 0.5}
PANELS_ACROSS = 2
MOST_PANELS = 4


def draw_flips(rows: Sequence[Flips], folder: Path) -> None:
    """Draw for each set of questions how many stayed right, were mended, were broken, and stayed wrong."""
    from matplotlib.patches import Patch

    with drawing(COLUMN, 0.75 + 0.3 * len(rows)) as figure:
        axes = figure.subplots()
        for row, one in enumerate(rows):
            left = 0.0
            for name, count in zip(OUTCOMES, one.counts, strict=True):
                share = 100 * count / max(1, one.n)
                axes.barh(row, share, left=left, height=0.62, edgecolor=INK, linewidth=0.6, **LOOKS[name])
                if share >= 8:
                    ink = "white" if name == "mended" else INK
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if name == "broken" else None
                    axes.text(left + share / 2, row, f"{count}", ha="center", va="center", color=ink, bbox=box)
                left += share
        axes.set_yticks(range(len(rows)), [_broken(one.eval_set) for one in rows])
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="% of the questions", xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5))
        patches = [Patch(edgecolor=INK, linewidth=0.6, label=name, **LOOKS[name]) for name in OUTCOMES]
        figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False, columnspacing=0.8,
                      handlelength=1.4, handletextpad=0.4)  # fmt: skip
        save(figure, folder, "flips")


def draw_confusion(tables: Sequence[Confusion], folder: Path) -> None:
    """Draw which option was chosen for each right one; a row is a right option, and dark is many."""
    shown = tables[:MOST_PANELS]
    across = min(PANELS_ACROSS, len(shown))
    down = -(-len(shown) // across)
    with drawing(COLUMN, 1.75 * down) as figure:
        panels = list(figure.subplots(down, across, squeeze=False).flat)
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        for panel, one in zip(panels, shown, strict=False):
            _confusion(panel, one)
        save(figure, folder, "confusion")


def draw_lengths(lengths: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Draw how long prompts are, and how many of them had no room for their whole passage."""
    from matplotlib.patches import Patch

    shown = dict(list(lengths.items())[:MOST_PANELS])
    across = min(PANELS_ACROSS, len(shown))
    down = -(-len(shown) // across)
    looks: tuple[dict[str, Any], ...] = (
        {"facecolor": "#7fb9e0", "label": "whole"}, {"facecolor": "#d55e00", "hatch": "////", "label": "passage cut"},
    )  # fmt: skip
    with drawing(COLUMN, 1.35 * down + 0.3) as figure:
        panels = list(figure.subplots(down, across, squeeze=False).flat)
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        for panel, (eval_set, frame) in zip(panels, shown.items(), strict=False):
            cut = (frame["passage_tokens_cut"].fill_null(0) > 0).to_numpy()
            tokens = frame["prompt_tokens"].to_numpy()
            panel.hist([tokens[~cut], tokens[cut]], bins=20, stacked=True, edgecolor=INK, linewidth=0.4,
                       color=[one["facecolor"] for one in looks], hatch=["", "////"])  # fmt: skip
            panel.set_title(_broken(eval_set))
            panel.grid(axis="y", **GRID)
        figure.supxlabel("tokens of the prompt", fontsize=7)
        figure.supylabel("questions", fontsize=7)
        figure.legend(handles=[Patch(edgecolor=INK, linewidth=0.4, **one) for one in looks],
                      loc="outside upper center", ncols=2, frameon=False)  # fmt: skip
        save(figure, folder, "lengths")


def draw_series(series: Mapping[str, Sequence[tuple[str, Score]]], across: str, measure: str, folder: Path,
                name: str) -> None:  # fmt: skip
    """Draw scores with their intervals by the value of what was varied; one line each."""
    with drawing(COLUMN, 1.9 + 0.14 * len(series)) as figure:
        axes = figure.subplots()
        ticks = list(dict.fromkeys(value for points in series.values() for value, _ in points))
        for at, (label, points) in enumerate(series.items()):
            colour, dashes, mark = look(at)
            known = [(value, one) for value, one in points if one.value is not None]
            # Side by side, so that one interval does not hide another.
            places = [ticks.index(value) + 0.06 * (at - (len(series) - 1) / 2) for value, _ in known]
            values = [one.value or 0.0 for _, one in known]
            spread = [
                [
                    value - (one.low if one.low is not None else value)
                    for value, (_, one) in zip(values, known, strict=True)
                ],
                [
                    (one.high if one.high is not None else value) - value
                    for value, (_, one) in zip(values, known, strict=True)
                ],
            ]
            axes.errorbar(places, values, yerr=spread, color=colour, linestyle=dashes, marker=mark or "o",
                          markersize=3.5, linewidth=1.1, elinewidth=0.8, capsize=2, label=label)  # fmt: skip
        axes.set_xticks(range(len(ticks)), ticks)
        axes.margins(x=0.12)
        axes.set(xlabel=across, ylabel=measure)
        axes.grid(axis="y", **GRID)
        if len(series) > 1:
            figure.legend(loc="outside lower center", frameon=False, handlelength=3)
        save(figure, folder, name)


def draw_wordings(rows: Sequence[tuple[str, float | None, Sequence[float]]], measure: str, folder: Path) -> None:
    """Draw the score by every held-out template as a mark, and that by the usual one as a line."""
    with drawing(COLUMN, 0.6 + 0.26 * len(rows)) as figure:
        axes = figure.subplots()
        for row, (_, usual, values) in enumerate(rows):
            axes.plot([min(values), max(values)], [row, row], color="#999999", linewidth=1, zorder=1)
            axes.plot(values, [row] * len(values), linestyle="none", marker="o", markersize=4, markerfacecolor="white",
                      color="#0072b2", label=None if row else "held-out template", zorder=2)  # fmt: skip
            if usual is not None:
                axes.plot([usual], [row], linestyle="none", marker="|", markersize=11, markeredgewidth=1.8, color=INK,
                          label=None if row else "usual template", zorder=3)  # fmt: skip
        axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
        axes.set(xlabel=measure, ylim=(len(rows) - 0.5, -0.5))
        axes.grid(axis="x", **GRID)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        save(figure, folder, "wording-spread")


def draw_recall(recall: pl.DataFrame, folder: Path) -> None:
    """Draw the share of questions whose answer a passage of each budget holds, by dataset and way of choosing."""
    ways = {"bm25": "best windows", "first_words": "first words"}
    with drawing(COLUMN, 2.2) as figure:
        axes = figure.subplots()
        names = recall["dataset"].unique(maintain_order=True).to_list()
        for at, (name, way) in enumerate((name, way) for name in names for way in ways):
            line = recall.filter(dataset=name, method=way).sort("budget_tokens")
            colour, dashes, _ = look(at)
            axes.plot(line["budget_tokens"], 100 * line["recall"], color=colour, linestyle=dashes,
                      marker="os^x"[at % 4], markersize=3, linewidth=1.2, label=f"{name}, {ways[way]}")  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.set(xlabel="tokens of passage", ylabel="answer in the passage, %", ylim=(0, 104))
        axes.grid(**GRID)
        figure.legend(loc="outside lower center", frameon=False, handlelength=3)
        save(figure, folder, "recall")


def _confusion(panel: Axes, one: Confusion) -> None:
    most = max([max(row) for row in one.counts] + [1])
    panel.imshow(one.counts, cmap="Greys", vmin=0, vmax=most * 1.25, aspect="equal")
    for gold, row in enumerate(one.counts):
        for chosen, count in enumerate(row):
            panel.text(chosen, gold, f"{count}", ha="center", va="center", color="white" if count > most * 0.7 else INK)
    letters = [chr(ord("A") + at) for at in range(len(one.counts))]
    panel.set_xticks(range(len(letters)), letters)
    panel.set_yticks(range(len(letters)), letters)
    panel.set(xlabel="chosen", ylabel="right")
    panel.set_title(f"{one.label}\n{one.eval_set}")
    panel.tick_params(length=0)


def _broken(eval_set: str) -> str:
    return eval_set.replace("/", "/\n", 1)
