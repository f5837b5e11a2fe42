"""`rc-pipeline judge` on a lake whose answers are made by hand, against an endpoint on this machine."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from rc_pipeline.cli import main
from rc_pipeline.commands import entry
from rc_pipeline.lake.build import Lake, Work
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.lineage import load_lineage

sys.path.insert(0, str(Path(__file__).parents[1] / "endpoints"))
sys.path.insert(0, str(Path(__file__).parents[1] / "judging"))

from endpoint_server import Site, serving
from made import instructions, predictions

SET, COUNT, KEY = "sample_cosmos/valid", 12, "sk-very-secret-0123456789"
PAIR = ("demo_tuned", "demo_base", SET)
ANSWERS = {"demo_base": ["wrong"] * 10 + ["right"] * 2, "demo_tuned": ["right"] * 12}


class Project:
    """A catalog and a lake of one's own."""

    def __init__(self, folder: Path) -> None:
        self.catalog, self.lake_folder = folder / "catalog", folder / "lake"

    def fill(self, answers: dict[str, list[str]]) -> None:
        lake = Lake(self.lake_folder, load_lineage(self.catalog, self.lake_folder).graph)

        def build(work: Work) -> Outcome:
            asked = instructions(COUNT)
            if work.key == "instructions/sample_cosmos":
                asked.write_parquet(work.out / "valid.parquet")
            elif work.key.startswith("predictions/"):
                run = work.key.split("/")[1]
                told = predictions(run, asked, answers[run]).with_columns(eval_set=pl.lit(SET))
                told.write_parquet(work.out / "predictions.parquet")
                return Outcome(tables={"predictions": ["predictions.parquet"]})
            else:
                (work.out / "made.txt").write_text(work.key)
            return Outcome()

        for key in lake.graph.upstream([f"predictions/{run}/{SET}" for run in answers]):
            lake.obtain(key, build)

    def call(self, *arguments: object, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["judge", *map(str, arguments)])
        assert done.exit_code == code, done.output
        assert KEY not in done.output
        return done.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(PROJECT / "catalog", folder / "catalog")
    Project(folder).fill(ANSWERS)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = Project(Path(shutil.copytree(made, tmp_path / "project", symlinks=True)))
    monkeypatch.setattr(entry, "load_lineage", lambda lake: load_lineage(copy.catalog, lake))
    monkeypatch.setenv("RC_LAKE", str(copy.lake_folder))
    monkeypatch.setenv("RC_API_KEY", KEY)
    return copy


def prefers(word: str) -> Callable[..., None]:
    def answer(handler) -> None:
        request = handler.site.asked[-1]["messages"][0]["content"]
        shown = re.search(r"<<<answer_a \w+>>>\n(.*)", request)[1]
        handler.complete(json.dumps({"verdict": "A" if word in shown else "B"}))

    return answer


def asking(site: Site) -> tuple[object, ...]:
    # One at a time, so that the endpoint knows which request it answers.
    return ("--endpoint", site.url, "--model", "m", "--at-once", 1)


def filled(sheet: Path, rater: str, value: Callable[[dict[str, str]], str]) -> Path:
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    column = "better" if "better" in rows[0] else "grade"
    path = sheet.with_name(f"{rater}.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {column: value(row)} for row in rows)
    return path


def right(row: dict[str, str]) -> str:
    said = (row["answer_a"] == "right", row["answer_b"] == "right")
    return "tie" if said[0] == said[1] else "A" if said[0] else "B"


def test_whoever_cannot_be_asked_or_is_not_there_is_said_in_one_message(project, tmp_path):
    assert "give --endpoint (or RC_ENDPOINT)" in project.call("pairs", *PAIR, code=1)
    here = ("--endpoint", "http://127.0.0.1:9/v1")
    assert "no such judge" in project.call("pairs", *PAIR, *here, "--prompt", "nobody", code=1)
    assert "give a judge of kind grades" in project.call("grades", *PAIR[1:], *here, "--prompt", "pairs_zh", code=1)
    assert "a run is not compared with itself" in project.call("pairs", *PAIR[:1], *PAIR[:1], SET, *here, code=1)
    assert "did you mean predictions/demo_base" in project.call("grades", "demo_bas", SET, *here, code=1)
    unbuilt = project.call("grades", "demo_base", "sample_trivia/wikipedia-dev", *here, code=1)
    assert "does not stand (never built)" in unbuilt
    assert "give RUN EVAL_SET to grade" in project.call("sheet", SET, "--to", tmp_path / "x.csv", code=1)
    assert "no judgements yet" in project.call("show")


def test_pairs_are_asked_in_both_orders_once_and_shown_again(project):
    with serving() as site:
        site.answers = [prefers("right")]
        said = project.call("pairs", *PAIR, *asking(site))
        assert len(site.asked) == 20
        assert project.call("pairs", *PAIR, *asking(site)) == said
        assert len(site.asked) == 20
        assert site.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "verdicts      win 10, tie 2, inconsistent 0, loss 0, unreadable 0; the same answer: 2" in said
    assert "win rate      91.7 % [" in said
    # Every two questions share a passage: five of them say win, and none says loss.
    assert "sign test     p = 0.0625" in said
    assert "order         0.0 % [0.0, 0.0] of 10" in said
    assert project.call("show").strip() == said.strip()
    kept = b"".join(path.read_bytes() for path in project.lake_folder.rglob("*") if path.is_file())
    assert KEY.encode() not in kept


def test_a_judge_who_always_takes_the_first_is_found_out(project):
    with serving() as site:
        site.answers = ['{"verdict": "A"}']
        told = json.loads(project.call("pairs", *PAIR, *asking(site), "--json"))
    assert told["outcomes"]["inconsistent"] == 10
    assert told["win_rate"]["value"] == 0.5
    assert told["inconsistent"]["value"] == 1.0
    assert (told["favours_first"], told["sign_test_p"]) == (10, None)


def test_some_rows_are_graded_and_what_cannot_be_read_is_shown(project):
    with serving() as site:
        site.answers = ['{"grade": 4}', "four", '{"grade": 2}']
        said = project.call("grades", "demo_tuned", SET, *asking(site), "--rows", 4, "--prompt", "grades_zh")
        assert len(site.asked) == 4
    assert "demo_tuned on sample_cosmos/valid, judged by m at 127.0.0.1 with grades_zh@" in said
    assert "such as: four" in said


def test_judgements_of_answers_that_no_longer_stand_are_not_scored(project):
    with serving() as site:
        site.answers = [prefers("right")]
        project.call("pairs", *PAIR, *asking(site))
        CliRunner().invoke(main, ["discard", f"predictions/demo_base/{SET}"])
        assert "stale         12 of 12 judgements" in project.call("show")
        project.fill(ANSWERS | {"demo_base": ["wrong"] * 9 + ["right"] * 3})
        shown = json.loads(project.call("show", "--json"))
        assert (shown[0]["stale"], shown[0]["win_rate"]) == (12, None)
        before = len(site.asked)
        said = project.call("pairs", *PAIR, *asking(site))
        # What is asked about unchanged answers is known.
        assert len(site.asked) == before
    assert "stale" not in said
    assert "win 9" in said
    assert project.call("show").strip() == said.strip()


def test_the_warehouse_shows_judgements_and_which_are_stale(project):
    def stale() -> list[tuple[bool, int]]:
        lake = Lake(project.lake_folder, load_lineage(project.catalog, project.lake_folder).graph)
        with lake.warehouse.connect() as connection:
            return connection.execute("SELECT stale, count(*) FROM judgements GROUP BY ALL").fetchall()

    assert stale() == []
    with serving() as site:
        site.answers = [prefers("right")]
        project.call("pairs", *PAIR, *asking(site))
    assert stale() == [(False, COUNT)]
    study = project.catalog / "studies" / "demo.yaml"
    base = "demo_base: {model: rc_tiny"
    study.write_text(study.read_text().replace(base, f"{base}, answer: {{max_tokens: 500}}"))
    project.fill({"demo_base": ["other"] * COUNT})
    assert stale() == [(True, COUNT)]


def test_a_sheet_goes_to_people_and_back(project, tmp_path):
    sheet = tmp_path / "sheet.csv"
    said = project.call("sheet", *PAIR, "--to", sheet, "--rows", 8, "--bom")
    assert "8 rows" in said
    assert "people fill in the column better" in said
    files = [filled(sheet, "mei", right), filled(sheet, "jo", lambda row: right(row) if row["id"][-1] != "1" else "")]
    said = project.call("read", *files)
    assert "judged by jo, mei" in said
    assert "mei: 8 rated, 0 blank" in said
    assert "jo: 7 rated, 1 blank" in said
    assert "agreement     100.0 % of 7 rows rated by several" in said
    assert "order" not in said
    told = json.loads(project.call("read", *files, "--json"))
    assert told["outcomes"]["loss"] == 0
    assert told["agreement"]["raters"] == 2
    assert told["blank"] == {"mei": 0, "jo": 1}
    assert len(json.loads(project.call("show", "--json"))) == 1


def test_ratings_of_answers_that_changed_since_are_told_apart_row_by_row(project, tmp_path):
    sheet = tmp_path / "sheet.csv"
    project.call("sheet", "demo_base", SET, "--to", sheet)
    rated = filled(sheet, "mei", lambda row: "5" if row["answer"] == "right" else "1")
    CliRunner().invoke(main, ["discard", f"predictions/demo_base/{SET}"])
    gone = project.call("read", rated)
    assert "stale         12 of 12" in gone
    assert "why           predictions/demo_base/sample_cosmos/valid does not stand" in gone
    project.fill({"demo_base": ["new"] + ["wrong"] * 9 + ["right"] * 2})
    said = project.call("read", rated)
    assert "stale         1 of 12" in said
    assert "grades        1: 9, 2: 0, 3: 0, 4: 0, 5: 2" in said
