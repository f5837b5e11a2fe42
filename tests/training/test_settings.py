from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rc_pipeline.catalog.settings import IN_FRONT, Tune


@pytest.mark.parametrize(
    ("field", "settings", "remedy"),
    [
        ("dora", {"method": "full", "dora": True}, "method full has no matrices of low rank; remove it, or use one of"),
        ("rslora", {"method": "prefix", "rslora": True}, "method prefix has no matrices of low rank"),
        ("packing", {"method": "prefix", "packing": True}, "every example needs the prefix in front of it"),
        ("packing", {"method": "prompt", "packing": True}, "every example needs the prompt in front of it"),
        (
            "gradient_checkpointing",
            {"method": "prefix", "gradient_checkpointing": True},
            "keys and values of a prefix cannot be computed twice; remove it, or use method prompt",
        ),
        ("patience", {"patience": 2}, "no rows are held out to tell when it gets worse; add eval_share"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_the_reason(
    field: str, settings: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Tune(**settings)

    found = {error["loc"]: error["msg"] for error in refused.value.errors() if error["type"] == "catalog"}
    assert list(found) == [(field,)]
    assert remedy in found[(field,)]


def test_the_learning_rate_left_out_is_the_methods() -> None:
    assert Tune().learning_rate == Tune(method="qlora").learning_rate == 2e-4
    assert Tune(method="full").learning_rate < 2e-4 < min(Tune(method=method).learning_rate for method in IN_FRONT)
    assert Tune(method="full", learning_rate=1e-3).learning_rate == 1e-3
