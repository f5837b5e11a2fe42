"""From the catalog to the lineage: one node for everything that can be built.

A node's settings are the slice of the catalog that decides its content, and nothing else:
titles, descriptions and owners go into `about`, so that a better wording rebuilds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rc_pipeline.catalog import Catalog, load_catalog
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lake.graph import Graph, Node
from rc_pipeline.lineage.datasets import dataset_nodes
from rc_pipeline.lineage.merged import merged_keys, merged_node
from rc_pipeline.lineage.runs import SHIPPED, base_model, run_nodes
from rc_pipeline.lineage.studies import overlap_nodes, report

__all__ = ["SHIPPED", "Lineage", "load_lineage"]


@dataclass(frozen=True)
class Lineage:
    """The catalog and the graph that it describes, for one lake."""

    catalog: Catalog
    graph: Graph

    def study(self, name: str) -> list[str]:
        """Return what a study's job builds: its report, the models it merges, and all that these are built from."""
        return self.graph.upstream([f"reports/{name}", *merged_keys(self.catalog, name)])


def load_lineage(catalog: Path = PROJECT / "catalog", lake: Path = PROJECT / "data_lake") -> Lineage:
    """Read the catalog and lay out the lineage; files that users provide lie under `<lake>/inbox`."""
    loaded = load_catalog(catalog)
    return Lineage(loaded, Graph(_nodes(loaded, lake / "inbox")))


def _nodes(catalog: Catalog, inbox: Path) -> Iterator[Node]:
    for name in catalog.datasets:
        yield from dataset_nodes(catalog, name, inbox)
    for name, card in catalog.models.items():
        yield base_model(catalog, name, card, inbox)
    for run in catalog.runs.values():
        nodes = list(run_nodes(catalog, run, inbox))
        yield from nodes
        if run.merge is not None:
            yield merged_node(catalog, run, nodes)
    yield from overlap_nodes(catalog)
    for name in catalog.studies:
        yield report(catalog, name)
