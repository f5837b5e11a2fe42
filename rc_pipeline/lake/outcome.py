"""What a stage hands back with the files it wrote: figures for people, checks, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


@dataclass(frozen=True)
class Check:
    """One verdict on an artifact; a blocking one that failed keeps it from being used."""

    name: str
    passed: bool
    blocking: bool = True
    description: str = ""
    metadata: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a build says of itself.

    `metadata` is shown to people: plain values, `{"markdown": text}` or `{"image": file}`.
    `tables` maps a view of the warehouse to Parquet files of this artifact.
    """

    metadata: dict[str, JSON] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    tables: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """Return the outcome as plain JSON data."""
        return {
            "metadata": self.metadata,
            "checks": [asdict(check) for check in self.checks],
            "tables": {view: list(files) for view, files in self.tables.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> Outcome:
        """Read back what `to_json` wrote."""
        checks, metadata, tables = data["checks"], data["metadata"], data["tables"]
        if not (isinstance(checks, list) and isinstance(metadata, dict) and isinstance(tables, dict)):
            raise ValueError("an outcome needs metadata, checks and tables")
        return cls(
            metadata=metadata,
            checks=tuple(Check(**check) for check in checks if isinstance(check, dict)),  # type: ignore[arg-type]
            tables={view: [str(file) for file in files] for view, files in tables.items() if isinstance(files, list)},
        )
