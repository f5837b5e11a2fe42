"""Every method on every family: trained from the published layout, saved, loaded, asked, merged, and asked again.

The table of docs/models.md says what is tested here, and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rc_pipeline.catalog.studies import Study
from rc_pipeline.lake.code import PROJECT
from rc_pipeline.merging.run import merge
from rc_pipeline.merging.weights import MergeError
from tests.merging.tiny_runs import QUIET, merging_spec, train_tiny
from tests.models.upstream import WRITERS, artifact

# The families by a layout that is published in each.
FAMILIES = {
    "gpt2": "gpt2",
    "llama": "llama2",
    "minicpm (granite)": "minicpm",
    "chatglm2 (glm)": "chatglm2",
    "t5": "flan_t5",
    "native (Qwen2)": "qwen2",
}
METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "learning_rate": 1e-3},
    "lora": {},
    "lora, rslora": {"rslora": True},
    "lora, dora": {"dora": True},
    "qlora": {"method": "qlora"},
    "lora_8bit": {"method": "lora_8bit"},
    "prefix": {"method": "prefix", "virtual_tokens": 4, "learning_rate": 1e-2},
    "prompt": {"method": "prompt", "virtual_tokens": 4, "learning_rate": 1e-2},
}
# What stands in front of a model's input is no weight that it could be merged into.
IN_FRONT = ("prefix", "prompt")
Base = tuple[str, Path]


@pytest.fixture(scope="module", params=FAMILIES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A family, and its base model as it is built of a published checkpoint."""
    folder = tmp_path_factory.mktemp("family")
    upstream = WRITERS[FAMILIES[request.param]](folder / "upstream")
    return upstream.family, artifact(upstream, folder / "artifact")


@pytest.mark.parametrize("method", METHODS)
def test_a_family_is_tuned_asked_and_merged_by_a_method(base: Base, tmp_path: Path, method: str) -> None:
    family, folder = base
    trained = train_tiny(folder, family, tmp_path, **METHODS[method])
    spec = merging_spec(trained, tmp_path / "asked")

    if method in IN_FRONT:
        with pytest.raises(MergeError, match="has no weights to merge"):
            merge(spec, QUIET)
    else:
        assert {check.name: check.metadata for check in merge(spec, QUIET).checks if not check.passed} == {}


@pytest.mark.parametrize("method", IN_FRONT)
def test_a_study_that_merges_what_stands_in_front_is_refused(method: str) -> None:
    told = {
        "title": "t",
        "train_on": {"toy": "all"},
        "evaluate_on": ["toy/valid"],
        "runs": {"tuned": {"model": "tiny", "tune": {"method": method}}},
        "merge": {"tuned": "fp32"},
    }
    with pytest.raises(ValidationError, match=f"method {method} trains what stands in front"):
        Study.model_validate(told)


def test_the_page_says_what_is_tested() -> None:
    text = (PROJECT / "docs" / "models.md").read_text(encoding="utf-8")
    table = text.partition("## Methods\n")[2].partition("\n## ")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    head, _, *body = rows

    assert head[1:] == [method.replace(", ", "`, `") for method in METHODS]
    assert {row[0] for row in body} == {family.replace(" (", "` (") for family in FAMILIES}
    for row in body:
        assert row[1:] == ["asked" if method in IN_FRONT else "asked, merged" for method in METHODS]
