"""From LaTeX to PDF by whatever is installed: in a folder of its own, without a shell, and in bounded time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rc_pipeline.reporting.as_latex import put_fonts_beside

NEEDED = (".tex", ".bib", ".sty", ".bst", ".cls", ".pdf", ".png", ".jpg")
HOW_TO_GET_ONE = (
    "no LaTeX is installed: install tectonic (one file, https://tectonic-typesetting.github.io), or on Debian and "
    "Ubuntu `apt-get install latexmk texlive-latex-recommended texlive-fonts-recommended texlive-latex-extra` "
    "(texlive-xetex and texlive-lang-chinese besides, for Chinese)"
)
TIME_LIMIT = 180
PDF = "_report.pdf"
_ERROR = re.compile(r"^(?:! .*|.*:\d+: .*|error: .*)$", re.MULTILINE)
_OVERFULL = re.compile(r"^Overfull \\hbox.*$", re.MULTILINE)


@dataclass(frozen=True)
class Typeset:
    """What came of it: `problem` is empty if there is a PDF; `overfull` are lines that stick out."""

    problem: str = ""
    overfull: tuple[str, ...] = ()


def typeset(folder: Path, pdf: Path, *, tex: str = "report.tex", offline: bool = True) -> Typeset:
    """Compile a paper; `offline` keeps tectonic from fetching what it lacks."""
    with TemporaryDirectory() as made:
        scratch = Path(made)
        for path in sorted(folder.iterdir()):
            if path.suffix in NEEDED and path.is_file() and path.name != Path(tex).with_suffix(".pdf").name:
                shutil.copyfile(path, scratch / path.name)
        fonts = put_fonts_beside((scratch / tex).read_text(encoding="utf-8"), scratch)
        command = _command(scratch / tex, fonts=fonts, offline=offline)
        if command is None:
            return Typeset(HOW_TO_GET_ONE)
        said = _run(command, scratch)
        log = scratch / Path(tex).with_suffix(".log")
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        built = scratch / Path(tex).with_suffix(".pdf")
        if said is None:
            return Typeset(f"{command[0]} took longer than {TIME_LIMIT} seconds and was stopped")
        if said[0] != 0 or not built.is_file():
            errors = _ERROR.findall(text) or _ERROR.findall(said[1]) or said[1].splitlines()[-3:]
            hint = "; `rc-pipeline report pdf` lets it fetch what it lacks" if command[0] == "tectonic" else ""
            return Typeset(f"{command[0]} failed: {' '.join(errors[:3])[:500]}{hint if offline else ''}")
        pdf.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(built, pdf)
        return Typeset(overfull=tuple(_OVERFULL.findall(text)))


def _command(tex: Path, *, fonts: bool, offline: bool) -> list[str] | None:
    """Return what compiles a paper here, None where nothing does."""
    engine = "xelatex" if fonts else "pdflatex"
    if shutil.which("latexmk") and shutil.which(engine):
        option = "-pdfxe" if fonts else "-pdf"
        return ["latexmk", "-norc", option, "-interaction=nonstopmode", "-halt-on-error", "-file-line-error",
                "-latexoption=-no-shell-escape", tex.name]  # fmt: skip
    if shutil.which("tectonic"):
        return ["tectonic", "--untrusted", "--keep-logs", *(["--only-cached"] if offline else []), tex.name]
    return None


def _run(command: list[str], folder: Path) -> tuple[int, str] | None:
    """Run a command in a folder; None where it took too long, and it and all that it started are stopped."""
    # Paranoid: what lies outside of this folder is neither read nor written; no date makes its way into the PDF.
    settings = {"openin_any": "p", "openout_any": "p", "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        text, _ = process.communicate(timeout=TIME_LIMIT)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            return None
        raise
    return process.returncode, text
