"""Reports: what a study found, from its scores alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.reporting.build import CHECKS, write_report
from rc_pipeline.reporting.study import files_of
from rc_pipeline.reporting.typeset import PDF, typeset


def build(work: Work, _: Heavy) -> Outcome:
    """Write the paper, the page and the pictures of a study."""
    settings: dict[str, Any] = dict(work.settings)
    folders = {role: artifact.folder for role, artifact in work.inputs.items()}
    outcome = write_report(**settings, files=files_of(settings, folders), out=work.out)
    # Its name keeps the PDF out of the content, which is the same whatever LaTeX there is, if any.
    made = typeset(work.out, work.out / PDF)
    work.say(made.problem or f"{PDF} is printed")
    return replace(outcome, metadata={**outcome.metadata, "pdf": made.problem or PDF, "overfull": len(made.overfull)})


STAGE = Stage(build, lambda _: CHECKS, "The study as a paper, a page and Markdown: tables, comparisons and plots.")
