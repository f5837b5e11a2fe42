"""The studies that come with the project: what the mission asks of them, and what an expert would object to."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from rc_pipeline.catalog import Catalog, load_catalog
from rc_pipeline.lake.build import Lake
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.lineage import load_lineage
from rc_pipeline.training.mixture import mixture

MISSION = ("full_pipeline", "bayling_translation", "gpt2_before_after", "flan_comparison", "my_data")
# Rows to train on as published, less what is held out.
PUBLISHED = {"cosmos_qa": 25_262, "trivia_qa": 138_384, "alpaca_52k": 51_482, "news_commentary": 250_000}
PUBLISHED |= {"identity": 265, "my_data": 1000, "sample_cosmos": 3000, "sample_trivia": 3300}
SECONDS_TO_PLAN = 10


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(PROJECT / "catalog")


@pytest.mark.parametrize("name", MISSION)
def test_every_tuned_run_stands_beside_the_same_model_untuned_or_another(catalog: Catalog, name: str) -> None:
    runs = catalog.studies[name].runs
    methods = [run.tune.method if run.tune else None for run in runs.values()]

    assert {None} < set(methods), "before and after"
    assert Counter(run.model for run in runs.values()).most_common(1)[0][1] >= 2


def test_the_full_pipeline_is_the_one_of_the_mission(catalog: Catalog) -> None:
    study = catalog.studies["full_pipeline"]
    tuned = {(run.model, run.tune.method if run.tune else None) for run in study.runs.values()}
    varied = {field: set(values) for each in study.ablations.values() for field, values in each.vary.items()}

    assert {("minicpm_2b", None), ("minicpm_2b", "lora")} < tuned
    assert {(model, "qlora") for model in ("llama2_7b", "vicuna_7b", "chatglm2_6b")} < tuned
    assert set(study.train_on) == {"cosmos_qa", "trivia_qa"}
    assert varied == {"tune.rank": {4, 16, 32}, "tune.loss_on": {"answer", "everything"}, "prompt.shots": {1, 4}}


def test_bayling_learns_from_all_it_is_given_and_is_published(catalog: Catalog) -> None:
    study = catalog.studies["bayling_translation"]
    run = catalog.runs["bayling_tuned"]
    assert run.mixture is not None
    taken = mixture(PUBLISHED, run.train_on, rows=run.mixture.rows, temperature=run.mixture.temperature)

    assert taken == {"alpaca_52k": 51_482, "identity": 265, "news_commentary": 30_000}
    assert study.merge == {"bayling_tuned": "bf16"}


def test_perplexity_is_asked_before_and_after(catalog: Catalog) -> None:
    assert all(run.answer.perplexity for run in catalog.studies["gpt2_before_after"].runs.values())


def test_an_encoder_decoder_and_a_decoder_are_asked_the_same(catalog: Catalog) -> None:
    study = catalog.studies["flan_comparison"]
    families = {catalog.models[run.model].family for run in study.runs.values()}

    assert families == {"t5", "gpt2"}
    assert {"mmlu/test", "bigbench/test"} < set(study.evaluate_on)


@pytest.mark.parametrize("name", MISSION)
def test_a_training_makes_enough_steps_to_warm_up(catalog: Catalog, name: str) -> None:
    for label in catalog.study_runs[name].values():
        run = catalog.runs[label]
        if run.tune is None or run.mixture is None:
            continue
        rows = mixture(PUBLISHED, run.train_on, rows=run.mixture.rows, temperature=run.mixture.temperature)
        steps = run.tune.epochs * sum(rows.values()) / run.tune.batch_size
        assert 100 < steps < 5000, label


def test_every_model_of_seven_billion_weights_is_tuned_in_four_bits(catalog: Catalog) -> None:
    large = {"llama2_7b", "vicuna_7b", "bayling2_7b", "chatglm2_6b"}
    methods = {run.tune.method for run in catalog.runs.values() if run.model in large and run.tune}
    assert methods == {"qlora"}


def test_all_studies_are_planned_in_seconds(tmp_path: Path) -> None:
    started = time.process_time()
    lineage = load_lineage(lake=tmp_path)
    plan = Lake(tmp_path, lineage.graph).planner().plan(f"reports/{name}" for name in MISSION)

    assert len(plan.states) > 200
    assert time.process_time() - started < SECONDS_TO_PLAN
