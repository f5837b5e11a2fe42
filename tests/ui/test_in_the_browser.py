"""What a person sees who opens the UI, launches a study, looks at what it made, and edits a template."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect
from project_copy import ProjectCopy
from served import Ui

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STAGES = (
    "raw", "tables", "passages", "instructions", "overlaps", "base_models", "adapters", "predictions", "scores",
    "reports",
)  # fmt: skip
UNFOLDED = ("instructions", "base_models", "adapters", "reports")
STUDY = '+key:"reports/demo"'
EDITED = "instructions/sample_trivia"


@pytest.fixture(scope="module")
def run_page(ui: Ui) -> str:
    """The study, launched from the page of its job; the page of the run that succeeded."""
    ui.job("demo")
    return ui.launch("Materialize all")


def test_the_global_graph_shows_every_stage_as_a_group(ui):
    ui.graph()
    for stage in STAGES:
        expect(ui.page.locator("svg").get_by_text(stage, exact=True)).to_be_visible()


def test_a_study_launched_from_its_page_succeeds_step_by_step(ui, run_page):
    ui.page.goto(run_page)
    expect(ui.page.get_by_text("Run of demo")).to_be_visible()
    steps = re.search(r"\d+", ui.page.get_by_text(re.compile(r"^\d+ assets$")).inner_text())
    assert steps
    expect(ui.page.get_by_text(f"Succeeded ({steps[0]})")).to_be_visible()
    expect(ui.page.get_by_text("Errored (0)")).to_be_visible()
    expect(ui.page.get_by_text("RUN_SUCCESS")).to_be_visible()
    ui.steps()
    expect(ui.page.get_by_text(re.compile("reports/demo: built in"))).to_be_visible()
    ui.picture("run")


def test_the_graph_of_a_built_study_shows_its_assets_in_green(ui, run_page):
    ui.graph(STUDY, UNFOLDED)
    for asset in ("sample_cosmos", "sample_trivia", "rc_tiny", "demo_tuned", "demo"):
        name = ui.page.get_by_text(asset, exact=True)
        expect(ui.page.locator("svg [style*=accent-green]").filter(has=name)).to_be_visible()
    expect(ui.page.locator("svg").get_by_text("identity", exact=True)).to_have_count(0)
    ui.picture("graph")


def test_scores_show_their_interval_and_the_wrong_answers(ui, run_page):
    ui.asset("scores/demo_base/sample_cosmos/valid")
    expect(ui.metadata("accuracy")).to_contain_text(re.compile(r"\d+\.\d \[\d+\.\d, \d+\.\d\]"))
    expect(ui.metadata("wrong_answers").get_by_role("table")).to_contain_text("sample_cosmos/valid/")


def test_a_report_shows_the_comparison_of_its_runs(ui, run_page):
    ui.asset("reports/demo")
    table = ui.metadata("scores").get_by_role("table")
    for run in ("demo_base", "demo_tuned"):
        expect(table.get_by_role("cell", name=run, exact=True)).to_be_visible()
    _fresh(ui)
    ui.picture("asset")


def test_an_adapter_shows_its_loss_curve_and_its_checks(ui, run_page):
    ui.asset("adapters/demo_tuned")
    ui.metadata("loss_curve").get_by_text("[Show Markdown]").click()
    curve = ui.page.get_by_role("dialog").get_by_role("img", name="_loss.png")
    expect(curve).to_be_visible()
    assert curve.evaluate("image => image.naturalWidth") > 300
    ui.picture("curve")
    ui.asset("adapters/demo_tuned", view="checks")
    expect(ui.page.get_by_text("This is a blocking asset check.")).to_be_visible()
    expect(ui.page.get_by_text("Passed", exact=True)).to_be_visible()


def test_an_edited_template_shows_as_unsynced_until_it_is_built_again(ui, run_page, project: ProjectCopy):
    ui.asset(EDITED)
    _fresh(ui)
    expect(_badge(ui)).to_have_count(0)
    project.replace(project.folder / "catalog/tasks/sample_trivia/find.yaml", "Find the answer", "Find the best answer")
    ui.graph(STUDY)
    ui.press("Reload definitions")
    expect(ui.page.get_by_text("Definitions reloaded!")).to_be_visible()

    ui.asset(EDITED)
    _badge(ui).hover()
    expect(ui.page.get_by_text("has a new code version")).to_be_visible()
    ui.picture("stale")

    ui.launch("Materialize")
    ui.asset(EDITED)
    _fresh(ui)
    expect(_badge(ui)).to_have_count(0)
    ui.asset("adapters/demo_tuned")
    _badge(ui).hover()
    expect(ui.page.get_by_text("has a new data version")).to_be_visible()


def _badge(ui: Ui) -> Locator:
    return ui.page.get_by_text(re.compile(r"^Unsynced \(\d+\)$"))


def _fresh(ui: Ui) -> None:
    """Wait for the answer that tells the last materialization, and with it whether the asset is in step."""
    expect(ui.page.get_by_text(re.compile(r"^(\d+|an?|a few) (second|minute|hour)s? ago$")).first).to_be_visible()
