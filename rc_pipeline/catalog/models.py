"""Base models: what they are and where their weights come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from rc_pipeline.catalog.validation import STRICT, Homepage, Owner, Title, Words, matching, one_of, reference

Family = Literal["llama", "granite", "gpt2", "glm", "t5", "minicpm", "chatglm2", "native"]


class ShippedSource(BaseModel):
    """A model that comes with this package."""

    model_config = STRICT
    shipped: Literal["rc_tiny"] = Field(description="name of the model that comes with the package")


class FolderSource(BaseModel):
    """A checkpoint that is on this machine already."""

    model_config = STRICT
    folder: str = Field(
        min_length=1, description="folder of the checkpoint; a relative path is looked up in the lake's inbox"
    )


class HubSource(BaseModel):
    """A checkpoint of a model hub, held to one revision."""

    model_config = STRICT
    hub: Annotated[str, matching(r"[\w.-]+(/[\w.-]+)?", "a hub id is <owner>/<name>")] = Field(
        description="<owner>/<name> on the hub"
    )
    revision: Annotated[
        str, matching(r"[0-9a-f]{40}", "give the full commit hash (40 digits): a branch or a tag can move")
    ] = Field(description="commit hash, 40 digits")


class RecipeSource(BaseModel):
    """A model that is trained here from nothing."""

    model_config = STRICT
    recipe: Literal["rc_tiny"] = Field(description="which recipe")
    steps: int = Field(ge=1, description="optimiser steps")
    seed: int = Field(ge=0, description="seed of the weights and the text")


ModelSource = Annotated[
    Annotated[ShippedSource, Tag("=shipped")]
    | Annotated[FolderSource, Tag("=folder")]
    | Annotated[HubSource, Tag("=hub")]
    | Annotated[RecipeSource, Tag("=recipe")],
    Discriminator(
        one_of("shipped", "folder", "hub", "recipe"),
        custom_error_type="catalog",
        custom_error_message="give exactly one of shipped, folder, hub or recipe",
    ),
]


class BaseModelCard(BaseModel):
    """One file of catalog/models."""

    model_config = STRICT
    title: Title = Field(min_length=1, description="what people read")
    description: Words = ""
    homepage: Homepage = Field(default="", description="where people get the weights from")
    license: Title = ""
    owners: list[Owner] = Field(default=[], description="e-mail addresses or team:<name>")
    family: Family = Field(description="architecture; native is any other decoder, by its config.json")
    source: ModelSource = Field(description="one of shipped, folder, hub or recipe")
    prompt: Annotated[str, reference("prompts")] = Field(description="prompt template that the model is used to")
    context_tokens: int = Field(ge=16, le=1 << 21, description="longest text that the model can read")
