"""Where the raw files of a dataset are, and what is in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Discriminator, Field, Tag, ValidationInfo, field_validator

from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.validation import STRICT, Owner, known_of, matching, one_of, wrong

Format = Literal["cosmos_qa", "trivia_qa", "alpaca"]
FORMATS: tuple[str, ...] = get_args(Format)
FORMAT_COLUMNS: dict[str, tuple[str, ...]] = {
    "cosmos_qa": ("id", "context", "question", "answer0", "answer1", "answer2", "answer3", "label"),
    "trivia_qa": ("id", "question", "passage", "answer", "aliases"),
    "alpaca": ("instruction", "input", "output"),
}
PASSAGE_COLUMN = {"cosmos_qa": "context", "trivia_qa": "passage", "alpaca": "input"}
FORMAT_SPLITS: dict[str, tuple[str, ...]] = {
    "cosmos_qa": ("train", "valid", "test"),
    "trivia_qa": ("wikipedia-train", "wikipedia-dev", "wikipedia-test", "web-train", "web-dev", "web-test"),
    "alpaca": ("train",),
}
TRAIN_SPLIT = {"cosmos_qa": "train", "trivia_qa": "wikipedia-train", "alpaca": "train"}
# The publishers keep these answers to themselves.
UNANSWERED_SPLITS = frozenset({("cosmos_qa", "test"), ("trivia_qa", "wikipedia-test"), ("trivia_qa", "web-test")})

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


DatasetSource = Annotated[
    Annotated[SampleSource, Tag("=sample")]
    | Annotated[FilesSource, Tag("=files")]
    | Annotated[DownloadSource, Tag("=download")],
    Discriminator(
        one_of("sample", "files", "download"),
        custom_error_type="catalog",
        custom_error_message="give exactly one of sample, files or download",
    ),
]


class Dataset(BaseModel):
    """One file of catalog/datasets."""

    model_config = STRICT
    title: str = Field(min_length=1, description="what people read")
    description: str = ""
    homepage: str = ""
    license: str = ""
    owners: list[Owner] = Field(default=[], description="e-mail addresses or team:<name>")
    format: Format = Field(description=f"how the raw files are laid out: {', '.join(FORMATS)}")
    source: DatasetSource = Field(description="one of sample, files or download")
    tolerated_bad_rows: float = Field(default=0.01, ge=0, le=1, description="share of rows that may be quarantined")
    tasks: str = Field(default="", description="folder of catalog/tasks; the dataset's own name when left out")
    train_splits: list[str] = Field(
        default_factory=lambda data: [TRAIN_SPLIT[data["format"]]], min_length=1, description="splits to train on"
    )
    passage_words: int = Field(default=400, ge=1, description="trivia_qa: words of evidence that a question is given")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the format has."""
        return FORMAT_SPLITS[self.format]

    @field_validator("source")
    @classmethod
    def _sample_world_has_the_format(cls, source: Any, info: ValidationInfo) -> Any:
        if isinstance(source, SampleSource) and info.data.get("format") == "alpaca":
            raise wrong("the sample world has no alpaca files; use files or download, or another format")
        return source

    @field_validator("tasks")
    @classmethod
    def _folder_exists(cls, folder: str, info: ValidationInfo) -> str:
        known = known_of(info)
        if known is not None and folder not in known.task_folders:
            raise wrong(f"no templates in catalog/tasks/{folder}; add one there; {nearest(folder, known.task_folders)}")
        return folder

    @field_validator("train_splits")
    @classmethod
    def _splits_exist_once(cls, splits: list[str], info: ValidationInfo) -> list[str]:
        known = FORMAT_SPLITS.get(info.data.get("format", ""), ())
        for split in splits:
            if known and split not in known:
                raise wrong(f"no split {split} in the format; {nearest(split, known)}")
            if (info.data.get("format"), split) in UNANSWERED_SPLITS:
                raise wrong(f"{split} has no answers to train on; take it out")
            if splits.count(split) > 1:
                raise wrong(f"{split} is here twice; keep one of them")
        return splits

    @field_validator("passage_words")
    @classmethod
    def _format_has_evidence(cls, words: int, info: ValidationInfo) -> int:
        if info.data.get("format") not in (None, "trivia_qa"):
            raise wrong("only the format trivia_qa has evidence to cut; remove this field")
        return words
