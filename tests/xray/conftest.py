"""The tokenizer of the model that comes with the package, which writes Chinese in bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rc_pipeline.lake.code import PROJECT


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    from rc_pipeline.models.loading import load_tokenizer

    return load_tokenizer(PROJECT / "rc_pipeline" / "models" / "rc_tiny")


@pytest.fixture(scope="session")
def form() -> Any:
    from rc_pipeline.prompting.template import Prompt

    return Prompt.from_dict(json.loads((PROJECT / "catalog" / "prompts" / "brief.json").read_text()), "brief")
