"""The ways in: the command line, the job, the UI's server, and what none of them may load."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from project_copy import BIN, ProjectCopy

LAUNCH = """
mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectCopy:
    return ProjectCopy.make(tmp_path_factory.mktemp("entrances"))


def test_an_unknown_study_and_an_unknown_key_get_a_hint(project):
    assert "did you mean demo?" in project.cli("plan", "demos", code=1).stderr
    assert "did you mean raw/sample_cosmos?" in project.cli("why", "raw/sample_cosmo", code=1).stderr


def test_a_broken_catalog_is_one_message_without_a_trace(project):
    file = project.folder / "catalog" / "datasets" / "sample_cosmos.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("title:", "titel:"), encoding="utf-8")
    said = project.cli("plan", code=1).stderr
    file.write_text(text, encoding="utf-8")
    assert "sample_cosmos.yaml" in said
    assert "titel" in said
    assert "title" in said
    assert "Traceback" not in said


def test_the_command_line_loads_no_heavy_library(project):
    for arguments in (["plan"], ["why", "adapters/demo_tuned"], ["gc", "--dry-run"], ["verify"]):
        assert not _heavy(project, ["-m", "rc_pipeline.cli", *arguments])


def test_a_mission_without_its_files_plans_and_names_them_all_in_one_message(tmp_path):
    project = ProjectCopy.make(tmp_path / "project")
    source = Path(__file__).resolve().parents[2] / "catalog" / "studies" / "full_pipeline.yaml"
    (project.folder / "catalog" / "studies" / "full_pipeline.yaml").write_bytes(source.read_bytes())
    assert project.plan("full_pipeline")["cached"] == []
    run = project.start("full_pipeline")
    output, _ = run.communicate(timeout=120)
    assert run.returncode != 0
    for file in ("cosmos_qa/train.csv", "trivia_qa/triviaqa-rc.tar.gz", "models/minicpm_2b/config.json"):
        assert output.count(f"{project.lake}/inbox/{file}") == 1
    assert "Traceback" not in output


def test_a_run_with_nothing_to_do_loads_neither_torch_nor_transformers(project):
    project.execute("demo")
    job = ["-m", "dagster", "job", "execute", "-m", "rc_pipeline.definitions", "-j", "demo"]
    assert not _heavy(project, job)


def test_every_view_of_the_warehouse_answers_after_a_run(project):
    if not project.contents():
        project.execute("demo")
    for view in ("instructions", "predictions", "scores", "runs", "quarantine", "lineage", "sample_cosmos"):
        assert view in project.cli("sql", f"SELECT '{view}' AS v, count(*) FROM {view}").stdout
    refused = project.cli("sql", "DELETE FROM lineage", code=1).stderr
    assert "read-only" in refused
    walked = project.cli(
        "sql",
        """
        SELECT count(*) AS walked FROM predictions p JOIN instructions i USING (instruction_id)
        JOIN sample_cosmos c ON c.row_id = i.row_id WHERE p.eval_set = 'sample_cosmos/valid'""",
    ).stdout
    assert "32" in walked


def test_the_ui_serves_the_graph_and_launches_a_materialization(project):
    port = _free_port()
    command = [str(BIN / "dagster"), "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with (project.folder / "ui.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=project.folder, env=project.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        nodes = _until(lambda: _ask(port, "{ assetNodes { assetKey { path } groupName } }")["assetNodes"], 120)
        assert {"raw", "tables", "instructions", "adapters", "scores"} <= {node["groupName"] for node in nodes}
        selector = {
            "repositoryLocationName": "rc_pipeline", "repositoryName": "__repository__", "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["raw", "sample_cosmos"]}, {"path": ["tables", "sample_cosmos"]}],
        }  # fmt: skip
        launched = _ask(port, LAUNCH, selector=selector)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]
        ended = ("SUCCESS", "FAILURE", "CANCELED")
        status = _until(lambda: _one_of(_ask(port, STATUS, id=run)["runOrError"]["status"], ended), 120)
        assert status == "SUCCESS"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _heavy(project: ProjectCopy, arguments: list[str]) -> set[str]:
    """Return the heavy libraries that a command loads, by what Python itself says it imported."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {
        line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "import time" in line
    }
    assert "rc_pipeline" in loaded
    return loaded & {"torch", "transformers", "peft", "datasets", "bitsandbytes"}


def _ask(port: int, query: str, **variables: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def _until(ask, seconds: float) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
        except OSError:
            answer = None
        if answer:
            return answer
        assert time.monotonic() < end, "the server did not answer in time"
        time.sleep(0.5)


def _one_of(value: str, wanted: tuple[str, ...]) -> str | None:
    return value if value in wanted else None


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
