"""The merging process: `python -m rc_pipeline.merging SPEC.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rc_pipeline.worker import main

if TYPE_CHECKING:
    from rc_pipeline.lake.outcome import Outcome
    from rc_pipeline.worker import Progress


def work(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Merge; nothing is merged into quantised weights, so bitsandbytes is not needed."""
    from rc_pipeline.models.loading import prepare_process

    prepare_process(bitsandbytes=False)
    from rc_pipeline.merging.run import merge

    return merge(spec, progress)


if __name__ == "__main__":
    raise SystemExit(main("merging", work))
