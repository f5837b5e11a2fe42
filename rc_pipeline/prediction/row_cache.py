"""Results of single rows, kept across runs: nothing that was computed once is computed again.

A shard is written whole under a name made from what it holds, so concurrent writers never meet and a killed one
leaves nothing to be seen. A result is a function of its key, up to the fifth digit of its log-probabilities: the rows
that share a forward pass move the last bits of a float, which rounding hides for 19 of 20 likelihoods of an option, and
for two of three answers, whose sums are longer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rc_pipeline.lake.canonical import canonical_json, sha256_json
from rc_pipeline.lake.durable import write_atomically


@dataclass(frozen=True)
class Result:
    """What a model said to one row: the log-probabilities of the texts it was asked about, or an answer and its own."""

    log_probabilities: list[float]
    answer: str = ""
    tokens: int = 0
    finished: bool = True
    seconds: float = 0.0


class RowCache:
    """The results of one pair of weights and code in a folder of JSON-lines shards.

    New shards go to `pending`, where there is one, and are read from both: whoever started the work moves them
    over once it knows that the inputs held still, and throws them away when they did not.
    """

    def __init__(self, folder: Path, *, weights: str, salt: str, pending: Path | None = None) -> None:
        place = sha256_json({"weights": weights, "salt": salt})[:24]
        self.folder = (pending or folder) / place
        self.folders = [folder / place] + ([] if pending is None else [pending / place])
        self._seen: set[Path] = set()

    def read(self) -> dict[str, Result]:
        """Return every whole result there is; a damaged line counts as not there."""
        self._seen.clear()
        return self.read_new()

    def read_new(self) -> dict[str, Result]:
        """Return the results of shards that were not there at the last reading."""
        found: dict[str, Result] = {}
        shards = [path for folder in self.folders for path in sorted(folder.glob("*.jsonl")) if path not in self._seen]
        for shard in shards:
            for line in shard.read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    found[entry["key"]] = _result(entry)
        self._seen.update(shards)
        return found

    def write(self, results: Mapping[str, Result]) -> None:
        """Add results as one shard."""
        lines = [canonical_json({"key": key, **vars(results[key])}) for key in sorted(results)]
        data = b"\n".join(lines) + b"\n"
        write_atomically(self.folder / f"{hashlib.sha256(data).hexdigest()[:32]}.jsonl", data)


def _result(entry: Mapping[str, Any]) -> Result:
    return Result(
        log_probabilities=[float(each) for each in entry["log_probabilities"]],
        answer=str(entry["answer"]),
        tokens=int(entry["tokens"]),
        finished=bool(entry["finished"]),
        seconds=float(entry["seconds"]),
    )
