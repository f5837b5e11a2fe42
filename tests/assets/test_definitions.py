"""What Dagster is given: an asset for every node, a job for every study, texts for people."""

from __future__ import annotations

import dagster as dg
import pytest

from rc_pipeline.definitions import build_definitions
from rc_pipeline.lineage import load_lineage


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(lake_root=tmp_path_factory.mktemp("lake"))


def test_every_node_of_the_lineage_is_an_asset_with_its_upstreams(definitions, tmp_path):
    lineage = load_lineage(lake=tmp_path)
    graph = definitions.resolve_asset_graph()
    for node in lineage.graph.nodes.values():
        asset = graph.get(dg.AssetKey(node.key.split("/")))
        assert asset.group_name == node.stage
        assert asset.description
        assert {key.to_user_string() for key in asset.parent_keys} == {need.key for need in node.needs.values()}


def test_every_study_is_a_job_named_after_it(definitions, tmp_path):
    for study in load_lineage(lake=tmp_path).catalog.studies:
        job = definitions.resolve_job_def(study.replace("-", "_"))
        assert dg.AssetKey(["reports", study]) in set(job.asset_layer.selected_asset_keys)


def test_checks_that_guard_results_are_blocking(definitions):
    graph = definitions.resolve_asset_graph()
    blocking = {spec.asset_key.path[0]: set() for spec in graph.asset_check_keys}
    for key in graph.asset_check_keys:
        if graph.get_check_spec(key).blocking:
            blocking[key.asset_key.path[0]].add(key.name)
    assert "labels_in_range" in blocking["tables"]
    assert "supervised_spans_are_exact" in blocking["adapters"]
    assert "every_question_is_answered" in blocking["scores"]
