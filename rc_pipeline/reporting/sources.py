"""Where the numbers of a report come from: each file, what it says in one hash, and the query that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rc_pipeline.lake.hashing import content_hash
from rc_pipeline.reporting.document import Source
from rc_pipeline.reporting.study import Study


def sources_of(study: Study) -> list[Source]:
    """Return the files that the numbers of a report are made of."""
    return [Source(artifact, file.name, content_hash(file), sql) for artifact, file, sql in _files(study)]


def _files(study: Study) -> Iterator[tuple[str, Path, str]]:
    for (run, eval_set), path in sorted(study.files.scores.items()):
        where = f"WHERE run = '{run}' AND eval_set = '{eval_set}'"
        scores = path / "scores.parquet" if path.is_dir() else path
        yield f"scores/{run}/{eval_set}", scores, f"FROM scores {where}"
        for name, view in (("questions", "scored_questions"), ("slices", "score_slices")):
            file = scores.parent / f"{name}.parquet"
            if file.is_file():
                yield f"scores/{run}/{eval_set}", file, f"FROM {view} {where}"
    for (run, eval_set), path in sorted(study.files.predictions.items()):
        file = path / "predictions.parquet" if path.is_dir() else path
        yield f"predictions/{run}/{eval_set}", file, f"FROM predictions WHERE run = '{run}' AND eval_set = '{eval_set}'"
    for run, path in sorted(study.files.training.items()):
        file = path / "training.json" if path.is_dir() else path
        yield f"adapters/{run}", file, f"FROM lineage WHERE asset = 'adapters/{run}'"
    for path in study.files.overlaps:
        yield "overlaps", path, 'FROM "overlaps"'
