"""From raw files to validated tables, one builder a format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rc_pipeline.lake.outcome import Outcome


def build_tables(*, dataset: str, fmt: str, raw: Mapping[str, Path], tolerated: float, out: Path) -> Outcome:
    """Write the tables and the quarantine of a dataset; raise if too much of it is bad."""
    # Pandera and polars take a second to load, which a run with nothing to build should not pay.
    from rc_pipeline.tables.alpaca import build_alpaca
    from rc_pipeline.tables.cosmos_qa import build_cosmos_qa
    from rc_pipeline.tables.quarantine import Quarantine, TablesError
    from rc_pipeline.tables.trivia_qa import build_trivia_qa

    builders = {"alpaca": build_alpaca, "cosmos_qa": build_cosmos_qa, "trivia_qa": build_trivia_qa}
    if fmt not in builders:
        raise TablesError(f"dataset {dataset}: format is {fmt!r}. Use one of {', '.join(sorted(builders))}.")
    if not raw:
        raise TablesError(f"dataset {dataset}: there are no raw files. Name at least one in the dataset's source.")
    return builders[fmt](dataset, dict(sorted(raw.items())), Quarantine(dataset, tolerated), out)
