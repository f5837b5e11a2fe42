from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import polars as pl
import pytest
from runs import write_report

from rc_pipeline.reporting.build import CHECKS, ReportError, comparison_table

ROOT = Path(__file__).resolve().parents[2]
COSMOS, TRIVIA = "sample_cosmos/valid", "sample_trivia/wikipedia-dev"


def only(study: Mapping[str, Any], *labels: str) -> dict[str, Any]:
    """Return the study with those of its runs alone."""
    return {
        **study,
        "runs": [run for run in study["runs"] if run["label"] in labels],
        "scores": {key: path for key, path in study["scores"].items() if key[0] in labels},
        "training": {run: path for run, path in study["training"].items() if run in labels},
    }


def with_scores(study: Mapping[str, Any], run: str, folder: Path, **fields: Any) -> dict[str, Any]:
    """Return the study with one Cosmos score of a run replaced."""
    frame = pl.read_parquet(study["scores"][run, COSMOS] / "scores.parquet")
    folder.mkdir()
    frame.with_columns(**{name: pl.lit(value, frame.schema[name]) for name, value in fields.items()}).write_parquet(
        folder / "scores.parquet"
    )
    return {**study, "scores": {**study["scores"], (run, COSMOS): folder}}


def test_scores_that_cannot_be_read_are_named(study: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "scores.parquet").write_bytes(b"torn")
    study = {**study, "scores": {**study["scores"], ("base", COSMOS): tmp_path / "scores.parquet"}}
    with pytest.raises(ReportError, match=r"scores\.parquet of base on sample_cosmos/valid cannot be read"):
        write_report(**study, out=tmp_path / "out")


@pytest.mark.parametrize("text", ["{", '{"steps": 1}', '{"steps": 1, "examples": 1, "tokens": 1, "loss": [1]}'])
def test_a_training_record_that_cannot_be_read_is_named(study: dict[str, Any], tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text)
    study = {**study, "training": {"tuned": tmp_path / "training.json"}}
    with pytest.raises(ReportError, match=r"training\.json of tuned cannot be read"):
        write_report(**study, out=tmp_path / "out")


def test_a_study_without_scores_has_no_report(study: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="demo: 4 runs with scores on 0 measures"):
        write_report(**{**study, "scores": {}}, out=tmp_path / "out")


def test_a_missing_score_is_a_dash_and_fails_the_blocking_check(study: dict[str, Any], tmp_path: Path) -> None:
    scores = {key: path for key, path in study["scores"].items() if key != ("base", TRIVIA)}
    outcome = write_report(**{**study, "scores": scores}, out=tmp_path)
    failed = [check for check in outcome.checks if not check.passed]
    assert [(check.name, check.blocking) for check in failed] == [("every_run_has_every_score", True)]
    assert "base on sample_trivia/wikipedia-dev" in failed[0].description
    assert "| – | – |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_run_that_is_not_asked_a_set_has_a_dash_there_and_nothing_is_missing(
    study: dict[str, Any], tmp_path: Path
) -> None:
    scores = {key: path for key, path in study["scores"].items() if key != ("tuned--rank-2", TRIVIA)}
    runs = [run | {"evaluate_on": [COSMOS]} if run["label"] == "tuned--rank-2" else run for run in study["runs"]]
    outcome = write_report(**{**study, "scores": scores, "runs": runs}, out=tmp_path)
    assert [check.name for check in outcome.checks if not check.passed] == []
    assert "| – | – |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_runs_scored_over_different_numbers_of_questions_are_pointed_out(study: dict[str, Any], tmp_path: Path) -> None:
    outcome = write_report(**with_scores(study, "base", tmp_path / "fewer", n=99), out=tmp_path / "out")
    assert {check.name: check.passed for check in outcome.checks} == {
        "every_run_has_every_score": True, "runs_answered_equally_many_questions": False
    }  # fmt: skip
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "(n = 99) |" in page
    assert "| sample_cosmos/valid accuracy |" in page


def test_a_score_without_gold_answers_is_no_number(study: dict[str, Any], tmp_path: Path) -> None:
    goldless = with_scores(study, "base", tmp_path / "none", value=None, low=None, high=None)
    write_report(**goldless, out=tmp_path / "out")
    assert "| `base` | no gold |" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_a_score_of_zero_is_drawn(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**with_scores(only(study, "base"), "base", tmp_path / "0", value=0.0, low=0.0, high=0.0), out=tmp_path)
    assert (tmp_path / "score-bars.svg").stat().st_size > 10_000


def test_a_study_that_tunes_nothing_speaks_of_no_tuning(study: dict[str, Any], tmp_path: Path) -> None:
    outcome = write_report(**only(study, "base"), out=tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "report.md", "report.html", "report.tex", "references.bib", "rc-paper.sty", "numbers.json", "comparison.txt",
        "comparisons.parquet", "flipped.parquet", "score-bars.svg", "score-bars.pdf", "_score-bars.png",
        "confusion.svg", "confusion.pdf", "_confusion.png",
    }  # fmt: skip
    assert not {"### Ablations", "### Before and after tuning"} & set(page.splitlines())
    assert "No run of this study is tuned" in page
    assert "**" not in page, "the only run is not the best of any"
    assert "loss_picture" not in outcome.metadata


def test_an_ablation_whose_run_is_not_in_the_study_still_has_its_table(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**only(study, "tuned--rank-2"), out=tmp_path)
    assert "Variants of `tuned`" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_the_page_leads_with_the_scores_and_says_what_changed(study: dict[str, Any], tmp_path: Path) -> None:
    outcome = write_report(**study, out=tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert page.splitlines()[1] == "# What a tiny model learns"
    assert "Two corpora, one &lt;tiny> model. This report compares 4 runs of 1 model on 2 evaluation sets." in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Abstract", "## Introduction", "## Related Work", "## Method", "## Experiments", "## Discussion",
        "## Conclusion", "## Walking a number back", "## References", "## Where the numbers come from",
    ]  # fmt: skip
    assert "| `tuned` | **81.3** [74.7, 87.3] |" in page
    gained = "28.7 → 81.3 | +52.7 [+43.3, +62.0] | 86 | 7 | &lt; 0.001 | 18.0 |"
    assert f"| `tuned` | `base` | sample_cosmos/valid accuracy | {gained}" in page
    assert "| `tuned--rank-2` | tune.rank: 8 → 2 |" in page
    assert "| 2,400 | 300 | 345,678 | 0.4" in page
    assert {check.name: check.blocking for check in outcome.checks if check.passed} == CHECKS


def test_other_wordings_and_probes_stand_on_the_page(study: dict[str, Any], tmp_path: Path) -> None:
    ways = {f"{COSMOS}.{way}": COSMOS for way in ("plainly", "at_length", "question_only")}
    scores = {(run, way): study["scores"][run, base] for way, base in ways.items() for run in ("base", "tuned")}
    asked = {**only(study, "base", "tuned"), "eval_sets": [*study["eval_sets"], *ways]}
    write_report(**{**asked, "scores": {**asked["scores"], **scores}}, out=tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert page.partition("### Other wordings\n")[2].partition("###")[0].count("\n| `tuned` |") == 1
    assert "| run | measure | probe |" in page.partition("### Probes\n")[2].partition("###")[0]


def test_what_a_study_states_as_the_change_of_an_ablation_is_kept(study: dict[str, Any], tmp_path: Path) -> None:
    runs = [{**run, "changes": "half the rank"} if "rank" in run["label"] else run for run in study["runs"]]
    write_report(**{**study, "runs": runs}, out=tmp_path)
    assert "| `tuned--rank-2` | half the rank |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_tuned_run_is_measured_against_the_untuned_one_with_its_own_prompt(
    study: dict[str, Any], tmp_path: Path
) -> None:
    base, tuned = only(study, "base", "tuned")["runs"]
    plain = {**base, "label": "base_plain", "prompt": {"template": "plain", "shots": 0}}
    other = {**base, "label": "other", "model": "gpt2"}
    write_report(**{**study, "runs": [other, plain, base, tuned]}, out=tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    gained = page.partition("### Before and after tuning")[2].partition("###")[0]
    assert "| `tuned` | `base` |" in gained
    assert "`base_plain`" not in gained
    assert "`other`" not in gained


def test_the_page_names_the_run_that_a_label_stands_for(study: dict[str, Any], tmp_path: Path) -> None:
    runs = [*study["runs"], {**study["runs"][1], "label": "tuned--rank-8"}]
    write_report(**{**study, "runs": runs}, out=tmp_path)
    assert "`tuned--rank-8` is `tuned`." in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_every_query_on_the_page_runs_and_walks_back_to_the_score(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**study, out=tmp_path)
    score, wrong, lineage = re.findall(r"```sql\n(.*?)```", (tmp_path / "report.md").read_text(), re.DOTALL)
    files = [study["scores"]["tuned", on] for on in (COSMOS, TRIVIA)]
    with duckdb.connect() as warehouse:
        for view, name in {"scored_questions": "questions.parquet", "instructions": "_instructions.parquet"}.items():
            listed = [str(folder / name) for folder in files]
            warehouse.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet({listed}, union_by_name=true)")
        warehouse.execute("CREATE TABLE lineage (asset VARCHAR, fingerprint VARCHAR, inputs JSON)")
        n, percent, f1 = warehouse.execute(score).fetchall()[0]
        assert (n, round(percent, 1), f1) == (150, 81.3, None)
        assert len(warehouse.execute(wrong).fetchall()) == 20
        warehouse.execute(lineage)


def test_the_same_study_gives_the_same_bytes_in_another_process(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**study, out=tmp_path / "here")
    arguments = {**study, "out": tmp_path / "there"}
    (tmp_path / "again.py").write_text(
        f"from pathlib import PosixPath\nfrom runs import write_report\nwrite_report(**{arguments})\n"
    )
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 20\nsvg.fonttype: none\n")
    subprocess.run(
        [sys.executable, tmp_path / "again.py"], check=True,
        env={"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}", "PYTHONHASHSEED": "7",
             "MATPLOTLIBRC": str(settings), "TZ": "Asia/Tokyo", "HOME": str(tmp_path)},
    )  # fmt: skip
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert {"report.tex", "report.html", "score-bars.pdf", "loss.svg", "_loss.png", "ablation-curve.pdf"} <= {*names}
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def test_pictures_hold_their_letters_as_paths_and_no_date(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**study, out=tmp_path)
    for name in ("score-bars.svg", "loss.svg"):
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(tmp_path / name).iter()}  # noqa: S314
        assert not {"text", "date"} & tags


def test_the_table_for_the_terminal_is_aligned_plain_text(study: dict[str, Any]) -> None:
    pair = only(study, "base", "tuned")
    table = comparison_table(runs=pair["runs"], eval_sets=pair["eval_sets"], scores=pair["scores"])
    assert table == "\n".join(
        [
            "       sample_cosmos/valid  sample_trivia/wikipedia-dev",
            "run    accuracy             exact match                  f1",
            "-----  -------------------  ---------------------------  -----------------",
            "base   28.7 [21.3, 36.0]    24.7 [18.0, 31.3]            62.3 [59.0, 65.7]",
            "tuned  81.3 [74.7, 87.3]    84.7 [78.7, 90.0]            92.3 [89.3, 95.0]",
        ]
    )


def test_the_table_for_the_terminal_needs_no_matplotlib() -> None:
    code = "import sys, rc_pipeline.reporting.build, rc_pipeline.scoring.build; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
