"""The tables of an error analysis: by the kind of question, by what went wrong, and single answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rc_pipeline.reporting.cells import figure
from rc_pipeline.reporting.contenders import Contender
from rc_pipeline.reporting.document import Code, Num, Row, Table, Text, listed, said
from rc_pipeline.reporting.scoreboard import ReportError
from rc_pipeline.reporting.study import Study
from rc_pipeline.reporting.verdicts import read_verdicts

if TYPE_CHECKING:
    import polars as pl

EXAMPLES_OF_EACH = 3
ANSWER_LETTERS = 48
MOST_SLICES_OF_A_SET = 6


def slice_table(study: Study) -> Table | None:
    """Return the first score of each set by kind of question, before and after tuning."""
    runs = [one for one in (study.before_hero, study.hero) if one is not None]
    rows: list[Row] = []
    for column in study.firsts:
        parts = [_slices(study, one, column.eval_set, column.metric) for one in runs]
        common = [name for name in parts[-1] if all(name in own for own in parts)]
        largest = sorted(common, key=lambda name: (-parts[-1][name][1], name))[:MOST_SLICES_OF_A_SET]
        for name in largest:
            values = [own[name][0] for own in parts]
            where = [f"slices/{one.run}/{column.eval_set}:{column.metric}:{name}:" for one in runs]
            cells = [(figure(at + "value", value, ".1f"),) for at, value in zip(where, values, strict=True)]
            n = parts[-1][name][1]
            cells += [(figure(where[-1] + "change", values[1] - values[0], "+.1f"),)] if len(runs) == 2 else []
            label = name.replace("_", " ").replace("=", ": ")
            rows.append(((column.name,), (label,), (figure(where[-1] + "n", n, ","),), *cells))
    headings = ["measure", "part", "n", *(one.label for one in runs), *(["change"] if len(runs) == 2 else [])]
    return Table("parts", ("Scores by the kind of question.",), headings, rows, on_paper=10) if rows else None


def _slices(study: Study, one: Contender, eval_set: str, metric: str) -> dict[str, tuple[float, int]]:
    import polars as pl

    questions = study.board.questions.get((one.run, eval_set))
    file = None if questions is None else questions.parent / "slices.parquet"
    if file is None or not file.is_file():
        return {}
    try:
        rows = pl.read_parquet(file).filter(pl.col("metric") == metric, pl.col("value").is_not_null())
        return {name: (value, n) for name, value, n in rows.select("slice", "value", "n").rows()}
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ReportError(f"{file}: slices cannot be read ({error}); score the run again") from error


def problems(study: Study) -> Text:
    """Return what was odd about the answers of the run that the text follows."""
    told: list[Text] = []
    for eval_set in dict.fromkeys(column.eval_set for column in study.columns):
        file = study.board.questions.get((study.hero.run, eval_set))
        questions = None if file is None else read_verdicts(file)
        if questions is None or "problem" not in questions.columns:
            continue
        counts = questions["problem"].drop_nulls().value_counts().sort("count", "problem", descending=[True, False])
        where = f"scores/{study.hero.run}/{eval_set}:problem:"
        each = [said("{} {}", Num(where + name, f"{n:,}", n), name.replace("_", " ")) for name, n in counts.rows()]
        if each:
            told.append(said("{} ({})", eval_set, listed(each)))
    if not told:
        return said("Every answer of {} came to an end and could be judged as it is.", Code(study.hero.label))
    return said("Answers of {} that deserve a second look: {}.", Code(study.hero.label), listed(told, "; "))


def example_table(study: Study) -> Table | None:
    """Return a few answers that tuning mended and broke."""
    import polars as pl

    first = study.before_hero
    if first is None:
        return None
    own = study.flipped.filter(pl.col("run_a") == first.run, pl.col("run_b") == study.hero.run)
    rows: list[Row] = []
    for change in ("mended", "broken"):
        each = own.filter(
            pl.col("change") == change, pl.col("answer_a").is_not_null(), pl.col("answer_b").is_not_null()
        )
        rows += [
            ((change,), (_cut(row["gold"]),), (_cut(row["answer_a"]),), (_cut(row["answer_b"]),), (row["eval_set"],))
            for row in _spread(each, EXAMPLES_OF_EACH)
        ]
    caption = said(
        "Answers that {} changed; {} in the warehouse has all of them.", Code(study.hero.label), Code("flipped")
    )
    headings = ["change", "right", "before", "after", "evaluation set"]
    return Table("examples", caption, headings, rows) if rows else None


def _spread(frame: pl.DataFrame, count: int) -> Sequence[dict[str, str]]:
    """Return rows of different sets, the first by key of each in turn, so that nobody picks what suits them."""
    import polars as pl

    turn = pl.int_range(pl.len()).over("eval_set")
    return frame.sort("eval_set", "key").with_columns(turn=turn).sort("turn", "eval_set").head(count).to_dicts()


def _cut(text: str | None) -> str:
    one_line = " ".join((text or "").split())
    return one_line if len(one_line) <= ANSWER_LETTERS else one_line[: ANSWER_LETTERS - 1] + "…"
