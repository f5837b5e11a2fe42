"""The page that lies in every artifact: what it is, what it was built from, what it says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rc_pipeline.lake.canonical import sha256_json
from rc_pipeline.lake.outcome import JSON, Outcome

MANIFEST = "_manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """Inputs, files, verdicts and provenance of one artifact."""

    key: str
    stage: str
    fingerprint: str
    content: str
    inputs: dict[str, Any]
    files: dict[str, dict[str, Any]]
    outcome: dict[str, Any]
    provenance: dict[str, Any]
    carried: list[dict[str, Any]] = field(default_factory=list)
    schema: int = SCHEMA

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of an artifact's folder."""
        return cls(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))

    def to_bytes(self) -> bytes:
        """Return the manifest as the readable JSON that is stored."""
        page = json.loads(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False))
        # What a stage tells of itself is read by people in the order in which it tells it.
        page["outcome"] = self.outcome
        return (json.dumps(page, indent=1, ensure_ascii=False) + "\n").encode()

    def content_of(self, only: str) -> str:
        """Return the hash of what the files that match `only` say."""
        if only == "*":
            return self.content
        return combined_content({name: entry for name, entry in self.files.items() if fnmatchcase(name, only)})

    def results(self) -> Outcome:
        """Return the figures, checks and tables that the build handed back."""
        return Outcome.from_json(self.outcome)

    @property
    def seconds(self) -> float:
        """How long the build took."""
        return float(self.provenance["seconds"])

    def refused_by(self) -> list[str]:
        """Name the blocking checks that failed: an artifact with one is shown but never used."""
        return [check.name for check in self.results().checks if check.blocking and not check.passed]


def combined_content(files: dict[str, dict[str, Any]]) -> str:
    """Return one hash for the content files among `files`."""
    return sha256_json({name: entry["content"] for name, entry in files.items() if is_content(name)})


def is_content(name: str) -> bool:
    """Tell content from provenance: names that begin with `_`, or lie in such a folder, are the latter."""
    return not any(part.startswith("_") for part in Path(name).parts)


def settings_as_json(value: JSON) -> JSON:
    """Return settings as they read back from a manifest."""
    return json.loads(json.dumps(value))  # type: ignore[no-any-return]
