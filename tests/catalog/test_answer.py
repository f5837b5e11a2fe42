"""Ways to answer that contradict themselves are refused where the study is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rc_pipeline.catalog.settings import Answer


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"beams": 4, "temperature": 0.7}, "give only one of the two"),
        ({"beams": 0}, "greater than or equal to 1"),
        ({"choose_by": ["letter", "letter"]}, "a way is here twice"),
        ({"choose_by": []}, "at least 1 item"),
        ({"choose_by": ["logit"]}, "'likelihood', 'letter' or 'written'"),
        ({"choose_by": "letter"}, "valid list"),
        ({"perplexity": "yes"}, "valid boolean"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Answer.model_validate(given)


def test_an_answer_is_the_likeliest_and_an_option_chosen_by_its_text_unless_told() -> None:
    usual = Answer()
    assert (usual.temperature, usual.beams, usual.choose_by, usual.perplexity) == (0.0, 1, ["likelihood"], False)
