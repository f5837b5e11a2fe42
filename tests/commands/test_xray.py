"""`rc-pipeline xray` with the model that comes with the package."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest


def test_wrong_names_get_a_hint(cli, tmp_path):
    for arguments, hint in (
        (("--model", "rc_tin", "--dataset", "sample_cosmos"), "did you mean rc_tiny?"),
        (("--model", "rc_tiny", "--dataset", "sample"), "no such dataset"),
        (("--model", "rc_tiny", "--dataset", "sample_cosmos", "--split", "tran"), "did you mean train?"),
        (("--model", "rc_tiny", "--dataset", "sample_cosmos", "--prompt", "alpac"), "did you mean alpaca?"),
        (("--model", "rc_tiny", "--dataset", "sample_cosmos", "--row", "x'; --"), "no row of id x'; --"),
        (("--model", "rc_tiny", "--dataset", "sample_cosmos", "--template", "none"), "no row of template none"),
        (("--model", "rc_tiny", "--dataset", "sample_cosmos", "--html", tmp_path / "thesis.txt"), "ends in .html"),
        (("--model", "minicpm_2b", "--dataset", "sample_cosmos"), "base_models/minicpm_2b does not stand"),
    ):
        assert hint in cli("xray", *arguments, code=1).output
    assert not list(tmp_path.iterdir())


def test_the_first_row_of_every_template_is_shown_without_building_the_model(cli):
    said = cli("xray", "--model", "rc_tiny", "--dataset", "sample_cosmos").output
    assert re.findall(r"template (\w+)\n", said) == ["choose", "which"]
    assert "trained  " in said
    assert said.count("│</s>") == 2
    assert "\x1b" not in said


def test_one_row_is_found_by_its_id_and_by_its_instructions(cli):
    by_row = cli("xray", "--model", "rc_tiny", "--dataset", "sample_cosmos", "--row", "sample_cosmos/train/5").output
    template = re.findall(r"template (\w+)\n", by_row)
    assert len(template) == 1
    name = f"sample_cosmos/train/5:{template[0]}"
    assert cli("xray", "--model", "rc_tiny", "--dataset", "sample_cosmos", "--row", name).output == by_row


def test_rows_that_are_asked_show_the_prompt_alone_and_what_is_expected(cli):
    said = cli("xray", "--model", "rc_tiny", "--dataset", "sample_trivia", "--split", "wikipedia-dev").output
    assert "none trained (the model writes on from here)" in said
    assert "expected: " in said
    assert "trained  " not in said


def test_a_page_stands_alone_and_shows_cuts(cli, tmp_path):
    page = tmp_path / "page.html"
    cli("xray", "--model", "rc_tiny", "--dataset", "sample_trivia", "--max-tokens", 64, "--html", page)
    text = page.read_text(encoding="utf-8")
    links = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, given: links.extend(  # type: ignore[method-assign]
        value for name, value in given if name in ("src", "href", "onload", "onclick") or tag in ("script", "link")
    )
    parser.feed(text)
    assert links == []
    assert "url(" not in text
    assert "@import" not in text
    assert text.count("<article>") == 2
    assert re.search(r"✂ \d+ tokens", text)


@pytest.mark.parametrize("colour", ["0", "1"])
def test_colours_are_for_terminals_that_want_them(built_lake, colour):
    asked = ["-m", "rc_pipeline.cli", "xray", "--model", "rc_tiny", "--dataset", "sample_cosmos"]
    command = f"import pty, sys; pty.spawn([sys.executable, *{asked}])"
    environment = {"RC_LAKE": str(built_lake), "PATH": "/usr/bin:/bin", "TERM": "xterm", "HF_HUB_OFFLINE": "1"}
    if colour == "0":
        environment["NO_COLOR"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert "trained" in done.stdout, done.stdout + done.stderr
    assert ("\x1b[1;36m" in done.stdout) == (colour == "1")
