"""Where the raw files of a dataset come from: made here, on this machine, downloaded, or from a hub."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from rc_pipeline.catalog.validation import STRICT, Name, matching, one_of

FileName = Annotated[
    str, matching(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a file name here is letters, digits, dots, _ and -, no folders")
]
FilePath = Annotated[str, Field(min_length=1)]


class SampleSize(BaseModel):
    """How much of the sample world to write, and which of its endless stories."""

    model_config = STRICT
    seed: int = Field(ge=0, description="another seed tells other stories")
    train: int = Field(ge=1, description="rows to train on")
    valid: int = Field(ge=1, description="rows to evaluate on")
    test: int = Field(ge=1, description="rows without answers")


class SampleSource(BaseModel):
    """Files that are made on the spot."""

    model_config = STRICT
    sample: SampleSize = Field(description="seed and rows a split")


class FilesSource(BaseModel):
    """Files that are on this machine already."""

    model_config = STRICT
    files: dict[FileName, FilePath] = Field(
        min_length=1, description="name: path; a relative path is looked up in the lake's inbox"
    )


class RemoteFile(BaseModel):
    """A file to download, and the checksum that it must have."""

    model_config = STRICT
    url: Annotated[str, matching(r"(https?|file)://\S+", "a URL starts with https://, http:// or file://")] = Field(
        description="where to download it from"
    )
    sha256: Annotated[str, matching(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits, as sha256sum prints them")] = (
        Field(description="SHA-256 of the file")
    )


class DownloadSource(BaseModel):
    """Files to download."""

    model_config = STRICT
    download: dict[FileName, RemoteFile] = Field(min_length=1, description="name: {url, sha256}")


class HubDataset(BaseModel):
    """A dataset of the Hugging Face hub, at one commit."""

    model_config = STRICT
    id: Annotated[str, matching(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", "a dataset of the hub is <owner>/<name>")] = Field(
        description="<owner>/<name>"
    )
    config: str = Field(default="", description="configuration, for a dataset that has several")
    revision: Annotated[str, matching(r"[0-9a-f]{40}", "a commit hash, 40 hexadecimal digits; a branch can move")] = (
        Field(description="commit hash, 40 digits")
    )
    splits: dict[Name, Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="split here: split of the hub"
    )


class HubSource(BaseModel):
    """Rows of a dataset of the Hugging Face hub."""

    model_config = STRICT
    hub: HubDataset = Field(description="{id, config, revision, splits}")


Said = Annotated[str, Field(min_length=1)]


class Identity(BaseModel):
    """Who a model is to say that it is, in one language."""

    model_config = STRICT
    name: Said = Field(description="what it is called")
    developers: Said = Field(description="who made it")
    abilities: list[Said] = Field(min_length=1, description="what it can do, each in a few words")


class IdentitySource(BaseModel):
    """Questions and answers about a model itself, made from a few facts."""

    model_config = STRICT
    identity: dict[Literal["en", "zh"], Identity] = Field(
        min_length=1, description="language: {name, developers, abilities}"
    )


SOURCES = ("sample", "files", "download", "hub", "identity")
DatasetSource = Annotated[
    Annotated[SampleSource, Tag("=sample")]
    | Annotated[FilesSource, Tag("=files")]
    | Annotated[DownloadSource, Tag("=download")]
    | Annotated[HubSource, Tag("=hub")]
    | Annotated[IdentitySource, Tag("=identity")],
    Discriminator(
        one_of(*SOURCES),
        custom_error_type="catalog",
        custom_error_message=f"give exactly one of {', '.join(SOURCES[:-1])} or {SOURCES[-1]}",
    ),
]
