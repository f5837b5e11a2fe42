"""Datasets: where the raw files are, and what is in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

from rc_pipeline.catalog.formats import FACTS, FORMATS, KIT_KINDS, Format, FormatFacts, Kind
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.sources import SOURCES, DatasetSource, HubSource, IdentitySource, SampleSource
from rc_pipeline.catalog.validation import STRICT, Homepage, Language, Owner, Title, Words, known_of, wrong

SAMPLED = ("cosmos_qa", "trivia_qa")


# The table of records has these columns of its own, or makes them from others.
TAKEN = ("row_id", "split", "group", "gold_answers", "answers", "history", "source_file", "source_line")


def _column(name: str) -> str:
    if not name.isidentifier() or name.startswith("_"):
        raise wrong("templates could not name it; use letters, digits and _, and begin with a letter")
    if name in TAKEN:
        raise wrong("the table has a column of this name itself; call it something else")
    return name


ColumnName = Annotated[str, AfterValidator(_column)]


class Languages(BaseModel):
    """The two sides of parallel text."""

    model_config = STRICT
    source: Language = Field(description="code of the language on the left")
    target: Language = Field(description="code of the language on the right")


class Passages(BaseModel):
    """How much of long documents a question is given."""

    model_config = STRICT
    tokens: int = Field(default=512, ge=16, le=32_768, description="estimated tokens of evidence a question")
    window_tokens: int = Field(default=100, ge=8, le=4096, description="length of the pieces that are chosen from")


class Dataset(BaseModel):
    """One file of catalog/datasets."""

    model_config = STRICT
    title: Title = Field(min_length=1, description="what people read")
    description: Words = ""
    homepage: Homepage = ""
    license: Title = ""
    owners: list[Owner] = Field(default=[], description="e-mail addresses or team:<name>")
    format: Format = Field(description=f"how the raw files are laid out: {', '.join(FORMATS)}")
    source: DatasetSource = Field(description="one of " + ", ".join(SOURCES))
    columns: dict[ColumnName, Annotated[str, Field(min_length=1)]] = Field(
        default={}, validate_default=True, description="records: name in templates: column of the file"
    )
    languages: Languages | None = Field(
        default=None, validate_default=True, description="parallel: {source, target} language codes"
    )
    tolerated_bad_rows: float = Field(default=0.01, ge=0, le=1, description="share of rows that may be quarantined")
    expected_rows: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={}, description="split: rows that the publisher counts; another number is a warning"
    )
    tasks: str = Field(default="", description="folder of catalog/tasks; the dataset's own name when left out")
    train_splits: list[str] = Field(
        default_factory=lambda data: _trained_on(data["format"]), description="splits to train on"
    )
    holdout: dict[Literal["valid", "test"], Annotated[float, Field(gt=0, lt=1)]] = Field(
        default={},
        description="valid, test: share of the training passages to keep for evaluation, where files lack it",
    )
    duplicates: Literal["keep", "drop_exact", "drop_near"] = Field(
        default="keep",
        description="training rows that repeat another one: keep them, or drop exact or nearly equal ones",
    )
    passages: Passages | None = Field(
        default=None, description="trivia_qa: {tokens, window_tokens} of evidence that a question is given"
    )
    scored_as: Kind | None = Field(
        default=None, description="how answers are scored; as the format or the kit of templates has it when left out"
    )

    @property
    def facts(self) -> FormatFacts:
        """What the catalog knows of the format."""
        return FACTS[self.format]

    @property
    def kind(self) -> Kind | None:
        """How its answers are scored, None where nothing tells."""
        return self.scored_as or self.facts.scored_as or KIT_KINDS.get(self.tasks)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the format has, and those that are held out of its training rows."""
        return (*self.facts.splits, *(split for split in self.holdout if split not in self.facts.splits))

    @property
    def template_columns(self) -> tuple[str, ...]:
        """The columns that templates may name."""
        return self.facts.columns or tuple(sorted(self.columns))

    @property
    def passage_column(self) -> str:
        """The column that is cut when a prompt is too long, empty when there is none."""
        return self.facts.passage or ("passage" if "passage" in self.columns else "")

    @field_validator("source")
    @classmethod
    def _source_has_the_format(cls, source: Any, info: ValidationInfo) -> Any:
        fmt = info.data.get("format")
        if fmt is None:
            return source
        if isinstance(source, SampleSource) and fmt not in SAMPLED:
            raise wrong(f"the sample world has no {fmt} files; use another source, or format {' or '.join(SAMPLED)}")
        if isinstance(source, IdentitySource) != (fmt == "identity"):
            raise wrong("format identity and source identity go together; change one of them")
        if isinstance(source, HubSource) and fmt == "trivia_qa":
            raise wrong("the evidence is in the publisher's archive only; use files or download")
        return source

    @field_validator("columns")
    @classmethod
    def _records_name_their_columns(cls, columns: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        return _only_for("records", columns, info, "name at least one column, such as {question: Question}")

    @field_validator("languages")
    @classmethod
    def _parallel_text_has_languages(cls, languages: Languages | None, info: ValidationInfo) -> Languages | None:
        if languages and languages.source == languages.target:
            raise wrong("source and target are one language; give two")
        return _only_for("parallel", languages, info, "say which they are, such as {source: en, target: zh}")

    @field_validator("expected_rows")
    @classmethod
    def _counted_splits_exist(cls, expected: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        for split in expected:
            _require_split(split, info)
        return expected

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
        for split in splits:
            facts = _require_split(split, info)
            if facts and split in facts.unanswered:
                raise wrong(f"{split} has no answers to train on; take it out")
            if splits.count(split) > 1:
                raise wrong(f"{split} is here twice; keep one of them")
        return splits

    @field_validator("holdout")
    @classmethod
    def _held_out_rows_have_answers(cls, holdout: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        facts = FACTS.get(info.data.get("format", ""))
        for split in holdout:
            if facts and split in facts.unanswered:
                raise wrong(f"{split} is the publisher's own split in this format; remove it")
        if holdout and info.data.get("train_splits") == []:
            raise wrong("there are no training rows to hold out of; add train_splits, or remove it")
        if sum(holdout.values()) >= 1:
            raise wrong("these shares leave nothing to train on; give less than 1 in all")
        return holdout

    @field_validator("scored_as")
    @classmethod
    def _score_fits_the_format(cls, kind: Kind | None, info: ValidationInfo) -> Kind | None:
        fmt = info.data.get("format")
        for only, where in (("translation", "parallel"), ("identity", "identity")):
            if kind == only and fmt not in (None, where):
                raise wrong(f"only the format {where} says what this compares with; choose another, or leave it out")
        return kind

    @field_validator("passages")
    @classmethod
    def _format_has_evidence(cls, passages: Passages | None, info: ValidationInfo) -> Passages | None:
        if passages is not None and info.data.get("format") not in (None, "trivia_qa"):
            raise wrong("only the format trivia_qa has evidence to choose from; remove this field")
        return passages


T = TypeVar("T")


def _trained_on(fmt: str) -> list[str]:
    return [FACTS[fmt].train] if FACTS[fmt].train else []


def _require_split(split: str, info: ValidationInfo) -> FormatFacts | None:
    facts = FACTS.get(info.data.get("format", ""))
    if facts and split not in facts.splits:
        raise wrong(f"no split {split} in the format; {nearest(split, facts.splits)}")
    return facts


def _only_for(fmt: str, value: T, info: ValidationInfo, remedy: str) -> T:
    """Require a field of the one format that it belongs to, and refuse it in every other."""
    found = info.data.get("format")
    if value and found not in (None, fmt):
        raise wrong(f"only the format {fmt} has this field; remove it")
    if not value and found == fmt:
        raise wrong(f"missing; {remedy}")
    return value
