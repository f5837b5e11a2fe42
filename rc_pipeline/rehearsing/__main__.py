"""The process that a rehearsal works in: `python -m rc_pipeline.rehearsing`, a question and an answer a line."""

from __future__ import annotations

import json
import logging
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rc_pipeline.worker import die_with_parent


def main() -> None:
    """Answer until there is no more question, or an interruption."""
    die_with_parent()
    # Where a shell had started us in the background, we would inherit that it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    questions = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What libraries print is no answer, and what they start reads no question.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # It warns of a faster product in 4 bits that it does not find.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        for line in questions:
            answers.write(json.dumps(_answer(**json.loads(line))) + "\n")
            answers.flush()
    except KeyboardInterrupt:
        # An interpreter that has loaded PyTorch takes seconds to clear up what the kernel clears up at once.
        os._exit(128 + signal.SIGINT)


def _answer(what: str, told: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": WORK[what](**told)}
    except Exception as error:  # whatever ends a build would end it in the real run
        explained = isinstance(error, (ValueError, OSError))
        if not explained:
            traceback.print_exc()
        failed = {"says": str(error) or repr(error), "kind": type(error).__name__, "explained": explained}
        return {"failed": failed}


def _tiny(out: str, family: str, real: str | None, context_tokens: int) -> dict[str, Any]:
    from rc_pipeline.rehearsing.tiny import write_tiny

    return asdict(write_tiny(Path(out), family, None if real is None else Path(real), context_tokens))


def _build(catalog: str, lake: str, key: str) -> dict[str, Any]:
    from rc_pipeline.rehearsing.building import build

    outcome, refused = build(Path(catalog), Path(lake), key)
    return {"outcome": outcome.to_json(), "refused": refused}


WORK: dict[str, Callable[..., dict[str, Any]]] = {"tiny": _tiny, "build": _build}

if __name__ == "__main__":
    main()
