"""`rc-pipeline templates propose` against an endpoint on this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from rc_pipeline.lake.code import PROJECT

sys.path.insert(0, str(Path(__file__).parents[1] / "proposing"))

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


def test_identity_has_templates_proposed_as_well_into_a_folder_of_choice(cli, catalog, tmp_path):
    with serving() as site:
        site.answers = [
            reply(
                {
                    "instruction": "有人在聊天里想认识你，请诚恳地介绍自己。",
                    "input": "{{ question }}",
                    "output": "{{ answer }}",
                }
            )
        ]
        asked = ("--count", 1, "--language", "zh", "--endpoint", site.url, "--out", tmp_path / "out")
        cli("templates", "propose", "identity", *asked)
    text = (tmp_path / "out" / "proposed_01.yaml").read_text(encoding="utf-8")
    assert "language: zh" in text
    assert "有人在聊天里想认识你" in text


def test_what_was_kept_before_a_failure_is_written_and_the_failure_is_told(cli, catalog, tmp_path):
    from endpoint_server import status

    with serving() as site:
        site.answers = [reply(four("Exam time! Study this text and copy out a listed possibility.")), status(401)]
        asked = ("--count", 9, "--endpoint", site.url, "--out", tmp_path / "out")
        said = cli("templates", "propose", "sample_cosmos", *asked, code=1).output
    assert "stopped early: " in said
    assert "status 401" in said
    assert (tmp_path / "out" / "proposed_01.yaml").is_file()
