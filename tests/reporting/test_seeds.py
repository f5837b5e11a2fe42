"""Seeds as an axis, from a file of the catalog to the sides of a comparison."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from rc_pipeline.reporting.contenders import read_contenders
from rc_pipeline.reporting.pairs import seed_groups, study_pairs

STUDY: dict[str, Any] = {
    "title": "Seeds",
    "train_on": {"sample_cosmos": "all"},
    "evaluate_on": ["sample_cosmos/valid"],
    "runs": {"plain": {"model": "rc_tiny"}, "taught": {"model": "rc_tiny", "tune": {}}},
    "ablations": {
        "seeds": {"of": "taught", "vary": {"seed": [0, 1, 2]}},
        "rank": {"of": "taught", "vary": {"tune.rank": [2], "seed": [0, 1]}},
    },
}


def test_seeds_that_a_study_varies_are_one_side_of_its_comparisons(tmp_path: Path) -> None:
    catalog = Path(shutil.copytree(PROJECT / "catalog", tmp_path / "catalog"))
    (catalog / "studies" / "seeds.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")
    lineage = load_lineage(catalog, tmp_path / "lake")
    runs: Any = lineage.graph["reports/seeds"].settings["runs"]
    contenders = read_contenders(runs)
    seeds = {label: [one.settings["seed"] for one in group] for label, group in seed_groups(contenders).items()}
    assert seeds["taught"] == [0, 1, 2], "seed 0 is the run itself, under another label"
    assert seeds["taught--rank-2--seed-0"] == [0, 1]
    assert [
        (pair.kind, pair.a[0].label, len(pair.a), pair.b[0].label, len(pair.b)) for pair in study_pairs(contenders)
    ] == [
        ("tuning", "plain", 1, "taught", 3),
        ("ablation", "taught", 3, "taught--rank-2--seed-0", 2),
    ]
    assert {f"adapters/taught--seed-{seed}" for seed in (1, 2)} <= lineage.graph.nodes.keys()
