"""The training process: `python -m rc_pipeline.training SPEC.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rc_pipeline.worker import main

if TYPE_CHECKING:
    from rc_pipeline.lake.outcome import Outcome
    from rc_pipeline.worker import Progress


def work(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Train, with no more imported than this spec needs."""
    from rc_pipeline.models.loading import prepare_process
    from rc_pipeline.training.methods import BITS
    from rc_pipeline.training.run import train

    prepare_process(bitsandbytes=spec["tune"]["method"] in BITS)
    return train(spec, progress)


if __name__ == "__main__":
    raise SystemExit(main("training", work))
