from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from runs import write_report

from rc_pipeline.reporting.folder import write_folder
from rc_pipeline.reporting.latex_style import FONTS_FILE
from rc_pipeline.reporting.latex_text import latex, needs_fonts, typed
from rc_pipeline.reporting.typeset import HOW_TO_GET_ONE, PDF, typeset

LATEX = pytest.mark.skipif(not (shutil.which("latexmk") and shutil.which("pdflatex")), reason="needs latexmk")
XELATEX = pytest.mark.skipif(not (shutil.which("latexmk") and shutil.which("xelatex")), reason="needs xelatex")
HOSTILE = r"100% of {A_1} & $B$ cost #3 ~ \input{/etc/passwd} \write18{touch pwned} ^^5c <x> | \"q\" `b`"


def test_no_text_is_a_command() -> None:
    text = latex(HOSTILE)
    assert not re.search(r"\\(input|write)", text)
    assert latex("a_b%c") == r"a\_b\%c"


def test_no_letter_is_lost() -> None:
    assert latex("Schärli 阅读 🙂 \x07") == r"Schärli 阅读 \texttt{U+1F642} \texttt{U+0007}"
    assert needs_fonts("阅读")
    assert not needs_fonts("Schärli, naïve – and more")


def test_two_hyphens_stay_two_and_names_break_at_their_joints() -> None:
    assert typed("a--b_c") == r"\texttt{a-{}-{}\allowbreak{}b\_\allowbreak{}c}"


def test_without_a_latex_the_way_to_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "report.tex").write_text("x")
    assert typeset(tmp_path, tmp_path / PDF).problem == HOW_TO_GET_ONE
    assert not (tmp_path / PDF).exists()


def test_an_interruption_ends_what_compiles_and_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("latexmk", "pdflatex"):
        (tmp_path / name).write_text(
            f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/started\nsleep 1\nkill -INT {os.getpid()}; wait\n"
        )
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "report.tex").write_text("\\documentclass{article}")

    with pytest.raises(KeyboardInterrupt):
        typeset(tmp_path, tmp_path / PDF)
    status = Path(f"/proc/{(tmp_path / 'started').read_text().strip()}/status")
    end = time.monotonic() + 10  # a busy machine takes its time to end what is killed
    while alive(status) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(status)


def alive(status: Path) -> bool:
    try:
        return "State:\tZ" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@LATEX
def test_a_paper_that_does_not_compile_says_where(tmp_path: Path) -> None:
    (tmp_path / "report.tex").write_text("\\documentclass{article}\\begin{document}\n\\nothing\n\\end{document}")
    assert "report.tex:2: Undefined control sequence" in typeset(tmp_path, tmp_path / PDF).problem


@LATEX
@pytest.mark.slow
def test_a_study_is_a_paper_without_a_line_that_sticks_out(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**{**study, "description": f"It is told: {HOSTILE}"}, out=tmp_path)
    made = typeset(tmp_path, tmp_path / PDF)
    assert (made.problem, made.overfull) == ("", ())
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / PDF).read_bytes()))
    assert pages == 0 or 2 <= pages <= 5
    assert not (tmp_path / "pwned").exists()


@XELATEX
@pytest.mark.slow
def test_a_chinese_study_is_a_paper(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**{**study, "title": "小模型学阅读", "description": "一个很小的模型。"}, out=tmp_path)
    made = typeset(tmp_path, tmp_path / PDF)
    assert (made.problem, made.overfull) == ("", ())


@XELATEX
@pytest.mark.slow
def test_what_an_author_writes_in_chinese_is_printed_in_an_english_paper(study: dict[str, Any], tmp_path: Path) -> None:
    built, mine = tmp_path / "built", tmp_path / "mine"
    built.mkdir()
    write_report(**study, out=built)
    write_folder(built, mine, "demo")
    assert not (mine / FONTS_FILE).exists()

    paper = mine / "report.tex"
    paper.write_text(re.sub(r"(?m)^% author: introduction .*$", r"\g<0>\n我们想知道。", paper.read_text()))
    made = typeset(mine, mine / PDF)
    assert (made.problem, made.overfull) == ("", ())

    assert write_folder(built, mine, "demo") == ["report.tex: kept introduction"]
    assert (mine / FONTS_FILE).exists()


@LATEX
@pytest.mark.slow
def test_a_style_of_the_user_is_used(study: dict[str, Any], tmp_path: Path) -> None:
    write_report(**study, out=tmp_path)
    (tmp_path / "acl.sty").write_text(
        "\\ProvidesPackage{acl}\\RequirePackage{natbib}\\RequirePackage{hyperref}"
        "\\bibliographystyle{plainnat}\\AtEndDocument{\\PackageError{acl}{it is mine}{}}"
    )
    assert "it is mine" in typeset(tmp_path, tmp_path / PDF).problem
