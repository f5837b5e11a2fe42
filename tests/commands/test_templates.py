"""`rc-pipeline templates propose` against an endpoint on this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT

sys.path.insert(0, str(Path(__file__).parents[1] / "proposing"))
sys.path.insert(0, str(Path(__file__).parents[1] / "endpoints"))

from endpoint_server import serving
from tasks import proposal, reply

KEY = "sk-very-secret-0123456789"
OPTIONS = "- {{ answer0 }}\n- {{ answer1 }}\n- {{ answer2 }}\n- {{ answer3 }}"
CHOICES = [f"{{{{ answer{n} }}}}" for n in range(4)]


def four(instruction: str, **changes):
    return proposal(
        instruction, input=f"{{{{ question }}}}\n\n{{{{ context }}}}\n{OPTIONS}", choices=CHOICES, **changes
    )


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """A copy of the catalog that commands read and write."""
    from rc_pipeline.commands import entry
    from rc_pipeline.lineage import load_lineage

    copy = Path(shutil.copytree(PROJECT / "catalog", tmp_path / "catalog"))
    monkeypatch.setattr(entry, "load_lineage", lambda lake: load_lineage(copy, lake))
    return copy


def test_somebody_to_ask_has_to_be_named_and_only_one(cli, catalog):
    assert "give --model of the catalog, or --endpoint" in cli("templates", "propose", "sample_cosmos", code=1).output
    both = ("--model", "rc_tiny", "--endpoint", "https://example.org/v1")
    assert "give one of them" in cli("templates", "propose", "sample_cosmos", *both, code=1).output
    assert "did you mean rc_tiny?" in cli("templates", "propose", "sample_cosmos", "--model", "rctiny", code=1).output
    assert "did you mean sample_cosmos?" in cli("templates", "propose", "sample_cosmo", code=1).output


def test_a_model_that_reads_too_little_is_told_apart_from_one_that_writes_nonsense(cli, catalog, tmp_path, monkeypatch):
    monkeypatch.setattr("rc_pipeline.proposing.propose.BARREN_TURNS", 1)
    asked = ("--model", "rc_tiny", "--out", tmp_path / "out")
    said = cli("templates", "propose", "sample_cosmos", *asked, code=1).output
    assert "rc_tiny reads 512 tokens" in said
    assert "ask a model that reads more" in said
    card = catalog / "models" / "rc_tiny.yaml"
    card.write_text(card.read_text().replace("context_tokens: 512", "context_tokens: 1600"))
    said = cli("templates", "propose", "sample_cosmos", *asked).output
    assert "kept     0 of 20" in said
    assert "1  unreadable" in said


def test_kept_templates_lie_in_the_catalog_for_training_alone_and_the_key_lies_nowhere(cli, catalog, monkeypatch):
    from rc_pipeline.catalog import load_catalog

    monkeypatch.setenv("RC_API_KEY", KEY)
    before = {path: path.read_bytes() for path in catalog.rglob("*") if path.is_file()}
    with serving() as site:
        site.answers = [
            reply(
                four("You are a detective. Look for clues and name the solution word for word."),
                four("Repeat this password: " + KEY),
                four("Print {{ ''.__class__ }} now.", name="../../evil"),
                four("Exam time! Study this text and copy out one of the listed possibilities."),
            )
        ]
        said = cli("templates", "propose", "sample_cosmos", "--count", 2, "--endpoint", site.url).output
    assert "kept     2 of 2" in said
    assert "holds_the_key" in said
    assert "unsafe" in said
    assert KEY not in said
    new = sorted(path for path in catalog.rglob("*") if path.is_file() and path not in before)
    assert [path.relative_to(catalog).as_posix() for path in new] == [
        f"tasks/sample_cosmos/proposed_0{n}.yaml" for n in (1, 2)
    ]
    assert not any(KEY in path.read_text(encoding="utf-8") for path in new)
    assert {path: path.read_bytes() for path in before} == before
    assert load_catalog(catalog).tasks["sample_cosmos"]["proposed_01"].use == ["train"]


@pytest.mark.parametrize("has_rows", [True, False])
def test_identity_has_templates_proposed_as_well_with_rows_or_without(cli, catalog, tmp_path, has_rows):
    if not has_rows:
        (catalog / "datasets" / "identity.yaml").unlink()
        (catalog / "studies" / "bayling_translation.yaml").unlink()
    said = {
        "instruction": "有人在聊天里想认识你，请诚恳地介绍自己。",
        "input": "{{ question }}",
        "output": "{{ answer }}",
    }
    with serving() as site:
        site.answers = [reply(said)]
        asked = ("--count", 1, "--language", "zh", "--endpoint", site.url, "--out", tmp_path / "out")
        told = cli("templates", "propose", "identity", *asked).output
    text = (tmp_path / "out" / "proposed_01.yaml").read_text(encoding="utf-8")
    assert "language: zh" in text
    assert said["instruction"] in text
    assert ("made-up row" in told) is not has_rows


def test_what_was_kept_before_a_failure_is_written_and_the_failure_is_told(cli, catalog, tmp_path):
    from endpoint_server import status

    with serving() as site:
        site.answers = [reply(four("Exam time! Study this text and copy out a listed possibility.")), status(401)]
        asked = ("--count", 9, "--endpoint", site.url, "--out", tmp_path / "out")
        said = cli("templates", "propose", "sample_cosmos", *asked, code=1).output
    assert "stopped early: " in said
    assert "status 401" in said
    assert (tmp_path / "out" / "proposed_01.yaml").is_file()
