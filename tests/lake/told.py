"""A lake that holds whatever frames a test gives it, each as the artifact of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from rc_pipeline.lake.build import Lake, Work
from rc_pipeline.lake.frames import write_parquet
from rc_pipeline.lake.graph import Graph, Node
from rc_pipeline.lake.outcome import JSON, Outcome

CODE = ("rc_pipeline.lake.canonical",)
# The manifest of the stage `predictions` tells of models, which views do not ask for.
STAGES = {"instructions": "instructions", "scored_questions": "scores", "predictions": "asked"}


def told(root: Path, tables: Mapping[str, pl.DataFrame], dataset: str = "quiz", fmt: str = "trivia_qa") -> Lake:
    """Return a lake that shows these frames as views; those of no known stage are tables of the dataset."""
    templates: dict[str, JSON] = {"ask": {"input": "{{ passage }}"}}
    settings: dict[str, JSON] = {"dataset": dataset, "format": fmt, "templates": templates}
    views = {f"{STAGES.get(view, 'tables')}/{view}": view for view in tables}
    nodes = [
        Node(key, key.partition("/")[0], settings=settings | {"view": view}, code=CODE) for key, view in views.items()
    ]
    lake = Lake(root, Graph(nodes))

    def build(work: Work) -> Outcome:
        write_parquet(tables[views[work.key]], work.out / "rows.parquet")
        return Outcome(tables={views[work.key]: ["rows.parquet"]})

    for key in views:
        lake.obtain(key, build)
    return lake


def ask(lake: Lake, query: str) -> list[tuple[Any, ...]]:
    """Return the rows that the warehouse answers with."""
    with lake.warehouse.connect() as connection:
        return connection.execute(query).fetchall()
