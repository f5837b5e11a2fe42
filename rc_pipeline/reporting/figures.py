"""Which pictures a report has: `draw(...)` draws those that the study has something for, and returns their captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rc_pipeline.reporting import charts, pictures
from rc_pipeline.reporting.contenders import Contender, varied
from rc_pipeline.reporting.document import Code, Figure, Text, said
from rc_pipeline.reporting.errors import Flips, confusions_of
from rc_pipeline.reporting.scoreboard import Score
from rc_pipeline.reporting.study import Study, read_prompts, read_recall
from rc_pipeline.reporting.ways import wordings_of

MOST_BARS, MOST_WORDINGS = 7, 8


def draw(study: Study, flips: Sequence[Flips], folder: Path) -> dict[str, Figure]:
    """Draw the pictures of a study; a picture that would be empty is none."""
    found = [
        _scores(study, folder), _losses(study, folder), _flips(study, flips, folder), _confusion(study, folder),
        _lengths(study, folder), _recall(study, folder), _ablations(study, folder), _wordings(study, folder),
    ]  # fmt: skip
    return {one.name: one for one in found if one is not None}


def _scores(study: Study, folder: Path) -> Figure:
    runs = list(study.contenders) if len(study.contenders) <= MOST_BARS else study.main[:MOST_BARS]
    columns = study.columns if len(study.columns) <= pictures.PANELS_ACROSS else study.firsts
    pictures.draw_scores(study.board, runs, columns, folder, "score-bars")
    return Figure("score-bars", ("Scores with their 95 % intervals.",), wide=True)


def _losses(study: Study, folder: Path) -> Figure | None:
    if not any(page.loss for page in study.training.values()):
        return None
    pictures.draw_losses(study.training, study.contenders, folder)
    return Figure("loss", ("Training loss by step, as a running mean.",))


def _flips(study: Study, flips: Sequence[Flips], folder: Path) -> Figure | None:
    if not flips or study.before_hero is None:
        return None
    charts.draw_flips(flips, folder)
    return Figure("flips", said("What became of single questions from {} to {}.", Code(study.before_hero.label),
                                Code(study.hero.label)))  # fmt: skip


def _confusion(study: Study, folder: Path) -> Figure | None:
    runs: list[Contender] = [one for one in (study.before_hero, study.hero) if one is not None]
    found = confusions_of(study.board, runs, [column.eval_set for column in study.firsts])
    if not found:
        return None
    charts.draw_confusion(found, folder)
    return Figure("confusion", ("The option that is right, down, against the one that was chosen, across.",))


def _lengths(study: Study, folder: Path) -> Figure | None:
    sets = [column.eval_set for column in study.firsts]
    known = {one: read_prompts(study.files.predictions, study.hero.run, one) for one in sets}
    lengths = {name: frame for name, frame in known.items() if frame is not None}
    if not lengths:
        return None
    charts.draw_lengths(lengths, folder)
    return Figure("lengths", said("Length of the prompts, in tokens of {}.", Code(study.hero.model)))


def _recall(study: Study, folder: Path) -> Figure | None:
    recall = read_recall(study)
    if recall is None:
        return None
    charts.draw_recall(recall, folder)
    caption: Text = ("Share of the evaluation questions whose answer stands in a passage of so many tokens.",)
    return Figure("recall", caption)


def _ablations(study: Study, folder: Path) -> Figure | None:
    """Draw the variants of the first setting that was varied."""
    by_label = {one.label: one for one in study.contenders}
    for parent in dict.fromkeys(one.ablation_of for one in study.contenders if one.ablation_of):
        of = by_label.get(parent or "")
        if of is None:
            continue
        variants = [one for one in study.contenders if one.ablation_of == parent]
        settings = {one.label: _setting(one, of) for one in variants}
        for setting in dict.fromkeys(each for each in settings.values() if each):
            points = _points([of, *(one for one in variants if settings[one.label] == setting)], setting)
            series = {}
            for column in study.firsts:
                scores = [(told, study.board.scores.get((one.run, column))) for told, one in points]
                series[column.name] = [(told, one) for told, one in scores if isinstance(one, Score)]
            measured = {name: each for name, each in series.items() if len(each) > 1}
            if measured:
                shown = setting.rpartition(".")[2].replace("_", " ")
                charts.draw_series(measured, shown, "score, %", folder, "ablation-curve")
                return Figure(
                    "ablation-curve", said("What {} changes in {}, with 95 % intervals.", shown, Code(of.label))
                )
    return None


def _setting(variant: Contender, of: Contender) -> str | None:
    """Return the one setting that a variant changes; the scale of an adapter follows its rank by itself."""
    names = list(varied(variant, of))
    return names[-1] if len(names) == 1 or names == ["tune.alpha", "tune.rank"] else None


def _points(runs: Sequence[Contender], setting: str) -> list[tuple[str, Contender]]:
    def order(one: Contender) -> tuple[bool, float, str]:
        value = one.settings.get(setting)
        number = isinstance(value, int | float)
        return (not number, float(value) if isinstance(value, int | float) else 0.0, str(value))

    return [(str(one.settings.get(setting)), one) for one in sorted(runs, key=order)]


def _wordings(study: Study, folder: Path) -> Figure | None:
    first = next(
        (base for base in study.firsts if any(wordings_of(study.board, one, base) for one in study.main)), None
    )
    if first is None:
        return None
    rows = []
    for one in study.main[:MOST_WORDINGS]:
        scores = wordings_of(study.board, one, first)
        usual = study.board.scores.get((one.run, first))
        if len(scores) > 1:
            rows.append((one.label, None if usual is None else usual.value, list(scores.values())))
    if not rows:
        return None
    charts.draw_wordings(rows, f"{first.name}, %", folder)
    return Figure("wording-spread", said("{} by the wording of the question.", first.name))
