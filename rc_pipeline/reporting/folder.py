"""A report in a folder of its author's: written, and written again with what the author wrote kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from rc_pipeline.reporting.as_latex import put_fonts_beside
from rc_pipeline.reporting.latex_style import STYLE_FILE
from rc_pipeline.reporting.parts import COMMENTS, assemble_kept, kept, split
from rc_pipeline.reporting.scoreboard import ReportError

TEXTS = ("report.tex", "report.html", "report.md")
BESIDE = ("references.bib", STYLE_FILE, "numbers.json")
PICTURES = (".svg", ".pdf")


def write_folder(report: Path, folder: Path, study: str, *, force: bool = False) -> list[str]:
    """Write a report into a folder; return what an author should know. Refuses before it writes anything."""
    written, notes = {}, []
    for name in TEXTS:
        fresh, _ = split((report / name).read_text(encoding="utf-8"), report / name)
        target, parts = folder / name, fresh
        if target.exists():
            old, intact = split(target.read_text(encoding="utf-8"), target)
            if not intact and not force:
                raise ReportError(f"{target} was edited outside of the author's parts, which begin with "
                                  f"'{COMMENTS[target.suffix][0]}author:'. Move the text there, or give --force to "
                                  "have the generated parts written anew")  # fmt: skip
            parts, homeless = kept(fresh, old)
            if homeless and not force:
                raise ReportError(f"{target}: the report has no part {', '.join(homeless)} any more; move what you "
                                  "wrote there into another part, or give --force to drop it")  # fmt: skip
            own = [part.author for part in parts if part.touched]
            notes += [f"{name}: kept {', '.join(own)}"] if own else []
        written[target] = assemble_kept(parts, fresh, target.suffix, study)
    folder.mkdir(parents=True, exist_ok=True)
    for target, text in written.items():
        target.write_text(text, encoding="utf-8")
        if target.suffix == ".tex":
            put_fonts_beside(text, folder)
    for path in sorted(report.iterdir()):
        shown = path.suffix in PICTURES and not path.name.startswith("_")
        if shown or path.name in BESIDE:
            shutil.copyfile(path, folder / path.name)
    return notes
