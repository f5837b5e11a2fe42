"""Base models: weights and tokenizer, checked before anything is trained on them."""

from __future__ import annotations

from typing import Any

from assets.factory import Heavy, Stage
from rc_pipeline.lake.build import Work
from rc_pipeline.lake.outcome import Outcome
from rc_pipeline.models.base import write_base


def build(work: Work, _: Heavy) -> Outcome:
    """Bring a base model within reach."""
    source: Any = work.settings["source"]
    family = str(work.settings["family"])
    return write_base(source=source, family=family, files=work.files, out=work.out, scratch=work.scratch)


CHECKS = {"checkpoint_is_whole": True}
STAGE = Stage(build, lambda _: CHECKS, "Weights in safetensors, configuration and tokenizer; no code comes with them.")
