"""The prediction process: `python -m rc_pipeline.prediction SPEC.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rc_pipeline.worker import main

if TYPE_CHECKING:
    from rc_pipeline.lake.outcome import Outcome
    from rc_pipeline.worker import Progress


def work(spec: dict[str, Any], progress: Progress) -> Outcome:
    """Predict; no prediction needs bitsandbytes, since adapters run on the unquantised base."""
    from rc_pipeline.models.loading import prepare_process
    from rc_pipeline.prediction.run import predict

    prepare_process(bitsandbytes=False)
    return predict(spec, progress)


if __name__ == "__main__":
    raise SystemExit(main("prediction", work))
