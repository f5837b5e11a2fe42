"""The pictures of a report: the same bytes on every run, and readable without colour.

Kinds differ in lightness and hatching, curves in lightness and dashes; the colours are of the
Okabe-Ito set, which people with any common colour blindness tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.scoreboard import NO_SCORE, Column, Scoreboard
from rc_pipeline.reporting.training import Training

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#222222"
# From light to dark, so that a grey print keeps them apart.
KINDS: dict[str, dict[str, Any]] = {
    "not tuned": {"facecolor": "#f0f0f0", "hatch": "///"},
    "ablation": {"facecolor": "#7fb9e0"},
    "tuned": {"facecolor": "#0072b2"},
}
CURVES = (
    ("#0072b2", "solid"),
    ("#d55e00", "dashed"),
    ("#000000", "dotted"),
    ("#009e73", "dashdot"),
    ("#cc79a7", (0, (6, 1, 1, 1, 1, 1))),
    ("#56b4e9", (0, (1, 1))),
    ("#e69f00", (0, (8, 2))),
)
# Once round, the same lines come again with marks on them.
MARKS = ("", "o", "s", "^", "x")
PANELS_ACROSS = 4
FAINT_CURVES_UP_TO = 3
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "rc_pipeline", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 7.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "hatch.linewidth": 0.6,
    "axes.titlesize": 7.5, "axes.axisbelow": True,
    "pdf.fonttype": 42, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
}  # fmt: skip


COLUMN, PAGE = 3.15, 6.45


def draw_scores(
    board: Scoreboard, contenders: Sequence[Contender], columns: Sequence[Column], folder: Path, name: str = "scores"
) -> None:
    """Draw one panel a column of the score table: a bar for each run, with its interval."""
    across = min(PANELS_ACROSS, len(columns))
    down = -(-len(columns) // across)
    with drawing(PAGE, down * (0.65 + 0.2 * len(contenders)) + 0.3) as figure:
        panels = figure.subplots(down, across, sharey=True, squeeze=False).flat
        for at, panel in enumerate(panels):
            if at < len(columns):
                _bars(panel, board, contenders, columns[at])
            else:
                panel.set_axis_off()
        _legend_of_kinds(figure, contenders)
        save(figure, folder, name)


def draw_losses(training: Mapping[str, Training], contenders: Sequence[Contender], folder: Path) -> None:
    """Draw the loss of every tuned run by step, smoothed; where they are few, with what was smoothed."""
    by_run = {one.run: one for one in reversed(contenders) if one.run in training and training[one.run].loss}
    drawn = [one for one in contenders if by_run.get(one.run) is one]
    with drawing(COLUMN, 2.0 + 0.14 * len(drawn)) as figure:
        axes = figure.subplots()
        for at, one in enumerate(drawn):
            colour, dashes, mark = look(at)
            steps, losses = zip(*training[one.run].loss, strict=True)
            if len(drawn) <= FAINT_CURVES_UP_TO:
                axes.plot(steps, losses, color=colour, linewidth=0.5, alpha=0.3)
            axes.plot(
                steps, _smoothed(losses), color=colour, linestyle=dashes, linewidth=1.3, label=one.label,
                marker=mark, markevery=max(1, len(steps) // 8), markersize=3,
            )  # fmt: skip
        axes.set(xlabel="step", ylabel="training loss (running mean)")
        axes.set_ylim(bottom=0)
        axes.grid(color="#dddddd", linewidth=0.5)
        figure.legend(loc="outside lower center", frameon=False, handlelength=3.2, ncols=1)
        save(figure, folder, "loss")


def look(at: int) -> tuple[str, Any, str]:
    """Return colour, dashes and mark of the curve at a place in the legend."""
    colour, dashes = CURVES[at % len(CURVES)]
    return colour, dashes, MARKS[at // len(CURVES) % len(MARKS)]


@contextmanager
def drawing(width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of so many inches that no setting of a person's own has a say in."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Starting from the defaults keeps a person's own matplotlibrc out of the bytes.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def _bars(panel: Axes, board: Scoreboard, contenders: Sequence[Contender], column: Column) -> None:
    scores = [board.scores.get((one.run, column)) for one in contenders]
    right = max((score.high for score in scores if score and score.high is not None), default=100.0) or 100.0
    for row, (one, score) in enumerate(zip(contenders, scores, strict=True)):
        if score is None or score.value is None or score.low is None or score.high is None:
            panel.text(0, row, f" {NO_SCORE if score is None else score}", va="center", color=INK)
            continue
        spread = [[score.value - score.low], [score.high - score.value]]
        panel.barh(row, score.value, height=0.66, edgecolor=INK, linewidth=0.8, **KINDS[_kind(one)])
        # White under black, or the whisker would be lost on a dark bar.
        panel.errorbar(
            score.value, row, xerr=spread, fmt="none", ecolor="white", elinewidth=2.2, capsize=2.2, capthick=2.2
        )
        panel.errorbar(score.value, row, xerr=spread, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.8)
        panel.text(score.high + right * 0.02, row, f"{score.value:.1f}", va="center", color=INK)
    of, _, split = column.eval_set.partition("/")
    panel.set_title(f"{of}/\n{split}\n{column.metric_name}, %")
    panel.set_xlim(0, right * 1.17)
    panel.set_ylim(len(contenders) - 0.5, -0.5)
    panel.set_yticks(range(len(contenders)), [one.label for one in contenders])
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)


def _legend_of_kinds(figure: Figure, contenders: Sequence[Contender]) -> None:
    from matplotlib.patches import Patch

    present = {_kind(one) for one in contenders}
    patches = [Patch(edgecolor=INK, linewidth=0.8, label=kind, **KINDS[kind]) for kind in KINDS if kind in present]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False)


def _kind(one: Contender) -> str:
    if one.ablation_of:
        return "ablation"
    return "tuned" if one.tuned else "not tuned"


def _smoothed(losses: Sequence[float]) -> list[float]:
    width = max(1, len(losses) // 20)
    windows = [losses[max(0, end - width) : end] for end in range(1, len(losses) + 1)]
    return [sum(window) / len(window) for window in windows]


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure for pages, for paper and for the UI; none of them holds a date."""
    # The first of them finds a place for everything, and the others need not look again.
    figure.savefig(folder / f"{name}.svg", format="svg", metadata={"Date": None, "Creator": None})
    figure.set_layout_engine("none")
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    figure.savefig(folder / f"_{name}.png", format="png", metadata={"Software": None})
