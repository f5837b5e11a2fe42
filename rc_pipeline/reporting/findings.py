"""The sentences that state what came out."""

from __future__ import annotations

from collections.abc import Sequence

from rc_pipeline.reporting.cells import figure, score_id
from rc_pipeline.reporting.comparisons import Comparison
from rc_pipeline.reporting.document import Code, Num, Paragraph, Piece, See, Text, listed, said, sentences
from rc_pipeline.reporting.errors import OUTCOMES, Flips
from rc_pipeline.reporting.pairs import ABLATION, MODELS
from rc_pipeline.reporting.scoreboard import LOWER_IS_BETTER, Column
from rc_pipeline.reporting.study import Study
from rc_pipeline.reporting.tables import comparison_id, difference, p_value

SIGNIFICANT = 0.05
MOST_SENTENCES = 4


def sized(study: Study) -> Text:
    """Return how large a study is."""
    models = {one.model for one in study.contenders}
    sets = {column.eval_set for column in study.board.columns}
    counts = [("runs", {one.run for one in study.contenders}), ("models", models), ("sets", sets)]
    words = {"runs": "run", "models": "model", "sets": "evaluation set"}
    told: list[Piece | Text] = [
        said("{} {}{}", Num(f"study/{study.name}:{name}", str(len(found)), len(found)), words[name],
             "s" if len(found) != 1 else "") for name, found in counts
    ]  # fmt: skip
    return said("{} of {} on {}", *told)


def gain(one: Comparison) -> Text:
    """Return what a second run does to a score."""
    a, b = (figure(comparison_id(one, side), getattr(one, side), ".1f") for side in ("a", "b"))
    change = 0.0 if one.difference is None else round(one.difference, 1)
    verb = "raises" if change > 0 else "lowers" if change < 0 else "leaves"
    comma = ", p " if one.p_corrected is not None else ""
    measure = Column(one.eval_set, one.metric).name
    return said(f"{verb} {{}} from {{}} to {{}} ({{}}{{}}{{}})", measure, a, b, difference(one), comma, _p(one))


def is_sure(one: Comparison) -> bool:
    """Tell whether a difference is more than chance would make."""
    return one.p_corrected is not None and one.p_corrected < SIGNIFICANT


def _p(one: Comparison) -> Text:
    piece = p_value(one)
    if one.p_corrected is None:
        return ()
    return (piece,) if one.p_corrected < 0.001 else said("= {}", piece)


def before_and_after(study: Study, most: int = MOST_SENTENCES) -> Text:
    """Return what tuning does to the run that the text follows."""
    gains = study.gains()
    if not gains or study.before_hero is None:
        return best_runs(study)
    sure = [one for one in gains if is_sure(one) or one.p_corrected is None][:most]
    unsure = [one for one in gains if one not in sure and not is_sure(one)][:most]
    chance = ", no more than chance may do."
    against, hero = Code(study.before_hero.label), Code(study.hero.label)
    told = [said("{} by {}", Column(one.eval_set, one.metric).name, difference(one)) for one in unsure]
    return sentences(
        said("Against {}, tuning ({}) {}.", against, hero, listed([gain(one) for one in sure])) if sure else (),
        said("It changes {}{}", listed(told), chance) if told and sure else (),
        said("Against {}, tuning ({}) changes {}{}", against, hero, listed(told), chance) if told and not sure else (),
    )  # fmt: skip


def best_runs(study: Study) -> Text:
    """Return which run is best on each set."""
    told: list[Text] = []
    for column in study.firsts[:MOST_SENTENCES]:
        best = study.board.best([one.run for one in study.main], column)
        names = [one for one in study.main if one.run in best] or study.main[:1]
        score = study.board.scores.get((names[0].run, column))
        if score is None or score.value is None:
            continue
        low, value, high = (
            figure(score_id(names[0].run, column, name), number, ".1f")
            for name, number in (("low", score.low), ("value", score.value), ("high", score.high))
        )
        told.append(said("{} {} at {} [{}, {}] on {}", listed([Code(one.label) for one in names]),
                         "stand" if len(names) > 1 else "stands", value, low, high, column.name))  # fmt: skip
    lead = "Of the main runs, " if len(study.main) > 1 else ""
    return said(lead + "{}.", listed(told)) if told else ()


def main_results(study: Study) -> Text:
    """Return what the main table shows."""
    compared = len(study.main) > 1
    return sentences(
        said("{} has the scores of {}, {} draws them.", See("scores"), "the main runs" if compared else "the run",
             See("score-bars")),
        best_runs(study),
    )  # fmt: skip


def of_ablations(study: Study) -> Text:
    """Return which variants differ from what they vary."""
    first = study.columns[0]
    own = [one for one in study.comparisons if one.kind == ABLATION and (one.eval_set, one.metric) == (
        first.eval_set, first.metric)]  # fmt: skip
    sure = [one for one in own if is_sure(one)]
    if not own:
        return ()
    told = [said("{} by {}", Code(one.label_b), difference(one)) for one in sure[:MOST_SENTENCES]]
    rest = len(own) - len(sure)
    counted = Num(f"study/{study.name}:ablations_within_chance", str(rest), rest)
    return sentences(
        said("On {}, these variants differ from the run that they vary by more than chance: {}." if len(told) > 1
             else "On {}, one variant differs from the run that it varies by more than chance: {}.",
             first.name, listed(told)) if told else (),
        said("{} of the variants {} within what chance may do.", counted, "stays" if rest == 1 else "stay")
        if rest else (),
    )  # fmt: skip


def of_models(study: Study) -> Text:
    """Return how the main runs stand to each other."""
    first = study.columns[0]
    own = [one for one in study.comparisons if one.kind == MODELS and (one.eval_set, one.metric) == (
        first.eval_set, first.metric)]  # fmt: skip
    sure = [one for one in own if is_sure(one)]
    if not own:
        return ()
    all_, apart = (Num(f"study/{study.name}:{name}", str(len(found)), len(found))
                   for name, found in (("pairs", own), ("pairs_apart", sure)))  # fmt: skip
    return said("Of {} pairs of main runs, {} differ on {} by more than chance.", all_, apart, first.name)


def of_flips(flips: Sequence[Flips]) -> Text:
    """Return what became of single questions."""
    told = [
        said("of the {} questions of {}, {} are mended and {} broken, {} were right before and after, {} stay wrong",
             Num(_where(one, "n"), f"{one.n:,}", one.n), one.eval_set,
             *(Num(_where(one, OUTCOMES[at]), f"{one.counts[at]:,}", one.counts[at]) for at in (1, 2, 0, 3)))
        for one in flips[:MOST_SENTENCES]
    ]  # fmt: skip
    if not told:
        return ()
    return said("A gain is a balance of questions won and lost ({}): {}.", See("flips"), listed(told, "; "))


def _where(one: Flips, name: str) -> str:
    return f"flips/{one.run_b}/{one.run_a}/{one.eval_set}:{name.replace(' ', '_')}"


def abstract(study: Study) -> tuple[Paragraph, ...]:
    """Return the study in a few sentences."""
    return (
        Paragraph(sentences((study.description,) if study.description else (),
                            said("This report compares {}.", sized(study)), before_and_after(study, 2),
                            robustness(study))),
    )  # fmt: skip


def robustness(study: Study) -> Text:
    """Return what evaluation rows training has seen."""
    if study.seen is None:
        return ()
    if study.seen.is_empty():
        return ("No evaluation row was found among the training rows.",)
    seen = study.seen.select("eval_set", "row_id").n_unique()
    return said("{} evaluation rows were found among the training rows; scores without them stand beside the others.",
                Num(f"study/{study.name}:seen", f"{seen:,}", seen))  # fmt: skip


def conclusion(study: Study) -> tuple[Paragraph, ...]:
    """Return what can be said in the end."""
    gains = study.gains()
    sure = [one for one in gains if is_sure(one)]
    better = [one for one in sure if _improves(one)]
    verdict: Text
    if not gains:
        verdict = best_runs(study)
    elif not sure:
        verdict = ("On these questions, what tuning changes is no more than chance may do.",)
    else:
        count, of = (Num(f"study/{study.name}:{name}", str(len(found)), len(found))
                     for name, found in (("gains_sure", better), ("gains", gains)))  # fmt: skip
        verdict = said("Tuning improves {} of {} scores by more than chance would.", count, of)
    return (
        Paragraph(sentences(verdict,
                            ("Every number above can be walked back to the rows, the template and the weights that it "
                             "comes from.",))),
    )  # fmt: skip


def _improves(one: Comparison) -> bool:
    change = one.difference or 0.0
    return change < 0 if one.metric == LOWER_IS_BETTER else change > 0
