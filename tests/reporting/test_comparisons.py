"""Runs compared question by question: who against whom, over which questions, how sure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from runs import described, write_report

from rc_pipeline.reporting.build import ReportError
from rc_pipeline.reporting.contenders import read_contenders
from rc_pipeline.reporting.pairs import study_pairs

COSMOS, TRIVIA = "sample_cosmos/valid", "sample_trivia/wikipedia-dev"


def report(study: dict[str, Any], out: Path, **more: Any) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    write_report(**{**study, **more}, out=out)
    frames = (pl.read_parquet(out / f"{name}.parquet") for name in ("comparisons", "flipped"))
    return *frames, (out / "report.md").read_text(encoding="utf-8")


def seeded(label: str, seed: int, run: str = "tuned") -> dict[str, Any]:
    """A run that differs from `tuned` in its seed, answered as `run` was."""
    return {**described("tuned"), "label": label, "run": run, "seed": seed}


def test_verdicts_that_cannot_be_read_are_named(study: dict[str, Any], tmp_path: Path) -> None:
    pl.read_parquet(study["scores"]["base", COSMOS] / "scores.parquet").write_parquet(tmp_path / "scores.parquet")
    (tmp_path / "questions.parquet").write_bytes(b"torn")
    scores = {**study["scores"], ("base", COSMOS): tmp_path}
    with pytest.raises(ReportError, match=r"questions\.parquet: verdicts cannot be read .* score the run again"):
        write_report(**{**study, "scores": scores}, out=tmp_path / "out")


def test_a_score_without_verdicts_is_compared_by_its_value_alone(study: dict[str, Any], tmp_path: Path) -> None:
    pl.read_parquet(study["scores"]["base", COSMOS] / "scores.parquet").write_parquet(tmp_path / "scores.parquet")
    scores = {**study["scores"], ("base", COSMOS): tmp_path}
    compared, flipped, page = report(study, tmp_path / "out", scores=scores)
    one = compared.filter(run_a="base", eval_set=COSMOS).row(0, named=True)
    assert (round(one["difference"], 1), one["low"], one["p"], one["test"]) == (52.7, None, None, None)
    assert "| 28.7 → 81.3 | +52.7 | – | – | – | – |" in page
    assert flipped.filter(run_a="base", eval_set=COSMOS).is_empty()


def test_every_pair_of_the_study_is_compared_once_and_p_is_corrected_over_all(
    study: dict[str, Any], tmp_path: Path
) -> None:
    compared, _, _ = report(study, tmp_path)
    pairs = compared.select("kind", "run_a", "run_b").unique(maintain_order=True).rows()
    assert pairs == [
        ("tuning", "base", "tuned"),
        ("ablation", "tuned", "tuned--rank-2"),
        ("ablation", "tuned", "tuned--loss_on-everything"),
    ]
    assert compared.select("eval_set", "metric").unique().height == 3
    least = compared.sort("p").row(0, named=True)
    assert least["p_corrected"] == pytest.approx(9 * least["p"])
    assert (compared["p_corrected"] >= compared["p"]).all()
    assert set(compared.filter(metric="f1")["test"]) == {"paired bootstrap"}
    assert set(compared.filter(metric="accuracy")["test"]) == {"McNemar"}


def test_models_are_compared_with_each_other() -> None:
    other = {**described("base"), "label": "other", "run": "other", "model": "gpt2"}
    pairs = study_pairs(read_contenders([described("base"), described("tuned"), other]))
    assert [(pair.kind, *pair.runs) for pair in pairs] == [
        ("tuning", ("base",), ("tuned",)), ("models", ("base",), ("other",)), ("models", ("tuned",), ("other",)),
    ]  # fmt: skip


def test_the_figures_are_those_of_the_questions(study: dict[str, Any], tmp_path: Path) -> None:
    compared, flipped, _ = report(study, tmp_path)
    a, b = (pl.read_parquet(study["scores"][run, COSMOS] / "questions.parquet") for run in ("base", "tuned"))
    pairs = a.join(b, on="key").select(a="correct", b="correct_right")
    one = compared.filter(run_a="base", eval_set=COSMOS).row(0, named=True)
    assert (one["n"], one["clusters"]) == (150, 150)
    assert one["better"] == pairs.filter(~pl.col("a") & pl.col("b")).height
    assert one["worse"] == pairs.filter(pl.col("a") & ~pl.col("b")).height
    assert one["low"] < one["difference"] < one["high"]
    listed = flipped.filter(run_a="base", eval_set=COSMOS)
    assert listed["change"].value_counts().sort("change").rows() == [
        ("broken", one["worse"]),
        ("mended", one["better"]),
    ]
    assert (listed.filter(change="mended")["answer_b"] == "red door").all()


def test_questions_of_one_passage_are_drawn_together(study: dict[str, Any], tmp_path: Path) -> None:
    alone, _, _ = report(study, tmp_path / "alone")
    scores = dict(study["scores"])
    for run in ("base", "tuned"):
        folder = tmp_path / run
        folder.mkdir()
        source = study["scores"][run, COSMOS]
        questions = pl.read_parquet(source / "questions.parquet")
        # Ten passages whose questions fare alike.
        ranks = questions["correct"].cast(pl.Int8).rank("ordinal")
        questions.with_columns(cluster=("p" + (ranks // 15).cast(pl.String))).write_parquet(
            folder / "questions.parquet"
        )
        pl.read_parquet(source / "scores.parquet").write_parquet(folder / "scores.parquet")
        scores[run, COSMOS] = folder
    together, _, _ = report({**study, "runs": study["runs"][:2], "scores": scores}, tmp_path / "together")
    widths = []
    for frame in (alone, together):
        one = frame.filter(run_a="base", eval_set=COSMOS).row(0, named=True)
        widths.append((one["high"] - one["low"], one["p"]))
    assert widths[1][0] > 1.3 * widths[0][0]
    assert widths[1][1] > 100 * widths[0][1]


def test_other_seeds_are_one_run_with_a_spread_and_not_more_test_sets(study: dict[str, Any], tmp_path: Path) -> None:
    runs = [described("base"), seeded("tuned", 0), seeded("tuned--seed-1", 1, "tuned--rank-2"),
            seeded("tuned--seed-2", 2, "tuned--loss_on-everything")]  # fmt: skip
    compared, flipped, page = report({**study, "runs": runs}, tmp_path)
    assert compared.select("kind", "run_a", "run_b", "seeds_a", "seeds_b").unique().rows() == [
        ("tuning", "base", "tuned", 1, 3)
    ]
    one = compared.filter(eval_set=COSMOS).row(0, named=True)
    values = [pl.read_parquet(study["scores"][run["run"], COSMOS] / "scores.parquet")["value"][0] for run in runs[1:]]
    assert one["b"] == pytest.approx(sum(values) / 3)
    assert (one["n"], one["test"]) == (150, "paired bootstrap")
    assert f"| `tuned` | 0, 1, 2 | sample_cosmos/valid accuracy | {one['b']:.1f} | 6.4 | 68.7 | 81.3 |" in page
    assert "| `tuned`, 3 seeds | `base` |" in page
    assert flipped.is_empty()


def test_differences_over_unseen_questions_stand_beside_the_full_ones(study: dict[str, Any], tmp_path: Path) -> None:
    seen = pl.DataFrame(
        {
            "eval_set": COSMOS,
            "row_id": [f"{COSMOS}/{n}" for n in range(60)],
            "kind": "same_passage",
            "train_dataset": "t",
        }
    )
    seen.write_parquet(tmp_path / "seen.parquet")
    compared, _, page = report(study, tmp_path / "out", overlaps=[tmp_path / "seen.parquet"])
    one = compared.filter(run_a="base", eval_set=COSMOS).row(0, named=True)
    unseen = [
        pl.read_parquet(study["scores"][run, COSMOS] / "questions.parquet").filter(
            ~pl.col("row_id").is_in(seen["row_id"].to_list())
        )
        for run in ("base", "tuned")
    ]
    assert (one["n"], one["clean_n"]) == (150, 90)
    assert one["clean_difference"] == pytest.approx(100 * (unseen[1]["accuracy"].mean() - unseen[0]["accuracy"].mean()))
    assert one["clean_low"] < one["clean_difference"] < one["clean_high"]
    assert "| unseen difference |" in page
    trivia = compared.filter(run_a="base", eval_set=TRIVIA, metric="f1").row(0, named=True)
    assert (trivia["clean_n"], trivia["clean_difference"]) == (150, pytest.approx(trivia["difference"]))


def test_a_set_that_training_has_seen_whole_has_no_unseen_difference(study: dict[str, Any], tmp_path: Path) -> None:
    rows = [f"{COSMOS}/{n}" for n in range(150)]
    seen = pl.DataFrame({"eval_set": COSMOS, "row_id": rows, "kind": "same_passage", "train_dataset": "t"})
    seen.write_parquet(tmp_path / "seen.parquet")
    compared, _, page = report(study, tmp_path / "out", overlaps=[tmp_path / "seen.parquet"])
    assert compared.filter(eval_set=COSMOS)["clean_difference"].null_count() == 3
    assert "no gold" not in page


def test_a_measure_without_a_value_on_unseen_questions_has_no_unseen_difference(
    study: dict[str, Any], tmp_path: Path
) -> None:
    rows = [f"{COSMOS}/{n}" for n in range(60)]
    seen = pl.DataFrame({"eval_set": COSMOS, "row_id": rows, "kind": "same_passage", "train_dataset": "t"})
    seen.write_parquet(tmp_path / "seen.parquet")
    source, folder = study["scores"]["base", COSMOS], tmp_path / "base"
    folder.mkdir()
    known = pl.when(pl.col("row_id").is_in(rows)).then("accuracy")
    pl.read_parquet(source / "questions.parquet").with_columns(known).write_parquet(folder / "questions.parquet")
    pl.read_parquet(source / "scores.parquet").write_parquet(folder / "scores.parquet")
    scores = {**study["scores"], ("base", COSMOS): folder}
    compared, _, _ = report(study, tmp_path / "out", scores=scores, overlaps=[tmp_path / "seen.parquet"])
    one = compared.filter(run_a="base", eval_set=COSMOS).row(0, named=True)
    assert one["better"] + one["worse"] <= 60, "questions without a value count for neither"
    assert (one["clean_n"], one["clean_difference"]) == (None, None)
