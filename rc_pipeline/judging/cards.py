"""What a judge is asked: catalog/judges/<name>.yaml, read when it is used, since nothing is built of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_core.core_schema import ValidationInfo

from rc_pipeline.catalog.parsing import line_of, read_mapping
from rc_pipeline.catalog.problems import CatalogError, Problem, nearest
from rc_pipeline.catalog.validation import STRICT, Known, validated, wrong
from rc_pipeline.instructions.sandbox import UnfitTemplate, names_of

Kind = Literal["pairs", "grades"]
NEEDED = {"pairs": {"question", "answer_a", "answer_b", "mark"}, "grades": {"question", "answer", "mark"}}
OPTIONAL = {"passage", "accepted"}


class JudgeCard(BaseModel):
    """One file of catalog/judges: the words that a judge is asked with."""

    model_config = STRICT
    description: str = ""
    kind: Kind = Field(description="pairs: which of two answers is better; grades: 1 to 5")
    prompt: str = Field(description="Jinja over question, passage, accepted and the answers, and the mark around them")

    @field_validator("prompt")
    @classmethod
    def _shows_what_is_judged(cls, text: str, info: ValidationInfo) -> str:
        if "kind" not in info.data:
            return text
        needed = NEEDED[info.data["kind"]]
        try:
            shown = names_of(text)
        except UnfitTemplate as error:
            raise wrong(str(error)) from error
        if needed - shown:
            raise wrong(f"shows no {', '.join(sorted(needed - shown))}; write {{{{ {min(needed - shown)} }}}} in it")
        if shown - needed - OPTIONAL:
            raise wrong(f"{min(shown - needed - OPTIONAL)}: there are {', '.join(sorted(needed | OPTIONAL))}")
        return text


def read_card(catalog: Path, name: str, kind: Kind) -> JudgeCard:
    """Return a judge of the catalog; raises CatalogError or ValueError, saying what to mend."""
    files = {path.stem: path for path in sorted((catalog / "judges").glob("*.yaml"))}
    if name not in files:
        raise ValueError(f"{name}: no such judge in {catalog.name}/judges; {nearest(name, files)}")
    path = files[name]
    shown = f"{catalog.name}/judges/{path.name}"
    data = read_mapping(path, shown)
    card = [data] if isinstance(data, Problem) else validated(JudgeCard, data, shown, Known())
    if isinstance(card, list):
        raise CatalogError(
            [Problem(one.file, one.field, one.value, one.remedy, line_of(path, one.field)) for one in card]
        )
    if card.kind != kind:
        raise ValueError(f"{shown}: kind = {card.kind}; give a judge of kind {kind}")
    return card
