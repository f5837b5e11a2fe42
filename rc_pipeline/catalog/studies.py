"""Studies: what to train, evaluate, ablate and compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rc_pipeline.catalog.eval_sets import EvalSets
from rc_pipeline.catalog.problems import nearest
from rc_pipeline.catalog.settings import IN_FRONT, Answer, MergedAs, Mixture, PromptUse, Tune
from rc_pipeline.catalog.validation import (
    STRICT,
    Known,
    Name,
    Owner,
    Title,
    TrainRows,
    Words,
    explained,
    known_of,
    reference,
    wrong,
    wrong_at,
)
from rc_pipeline.catalog.variants import Ablation, Place, Plain, variants, variation_problems
from rc_pipeline.models.families import ENCODER_DECODERS


def _has_rows_to_train_on(name: str, info: ValidationInfo) -> str:
    known = known_of(info)
    dataset = known.datasets.get(name) if known else None
    if dataset is not None and not dataset.train_splits:
        raise wrong("none of its splits is for training; name one in the dataset's train_splits, or take it out")
    return name


def _shares_add_up(rows: dict[str, int | str]) -> dict[str, int | str]:
    shares = {name: float(value[:-1]) for name, value in rows.items() if isinstance(value, str) and value != "all"}
    whole = sum(shares.values())
    if shares and len(shares) == len(rows) and round(whole, 6) != 100:
        raise wrong(f"the shares add up to {whole:g}%; make it 100%, or give one dataset a number of rows")
    if shares and len(shares) < len(rows) and whole >= 100:
        raise wrong(f"the shares add up to {whole:g}% and leave no room for the other datasets; give less")
    return rows


DatasetName = Annotated[str, reference("datasets"), AfterValidator(_has_rows_to_train_on)]
TrainOn = Annotated[dict[DatasetName, TrainRows], AfterValidator(_shares_add_up)]


class RunEntry(BaseModel):
    """One run of a study: a model as it is, or tuned."""

    model_config = STRICT
    title: Title = Field(default="", description="what people read; made from the model and the method when left out")
    model: Annotated[str, reference("models")] = Field(description="base model, of catalog/models")
    tune: Tune | None = Field(default=None, description="how to train an adapter; left out, the model stays as it is")
    prompt: PromptUse = Field(default=PromptUse(), description="prompt template and solved examples")
    answer: Answer = Field(default=Answer(), description="how answers are drawn")
    evaluate_on: list[str] | None = Field(
        default=None, min_length=1, description="some of the study's evaluation sets; all of them when left out"
    )
    train_on: TrainOn | None = Field(default=None, min_length=1, description="dataset: rows; the study's when left out")
    mixture: Mixture | None = Field(
        default=None, description="{rows, temperature, languages}; the study's when left out"
    )
    seed: int | None = Field(default=None, ge=0, description="the study's when left out")

    @model_validator(mode="after")
    def _fits_the_model(self, info: ValidationInfo) -> Self:
        found: list[tuple[Place, Any, str]] = []
        if self.tune is None and self.train_on is not None:
            found.append((("train_on",), self.train_on, "nothing is trained here; add tune, or remove train_on"))
        if self.tune is None and self.mixture is not None:
            found.append((("mixture",), str(self.mixture), "nothing is trained here; add tune, or remove mixture"))
        shared = [rows for rows in (self.train_on or {}).values() if isinstance(rows, str) and rows != "all"]
        if shared and self.mixture is not None and self.mixture.temperature != 1:
            remedy = "the shares in train_on decide the proportions; remove them, or the temperature"
            found.append((("mixture", "temperature"), self.mixture.temperature, remedy))
        known = known_of(info)
        if known is not None and self.mixture is not None:
            found += _unspoken(self.mixture.languages, self.train_on or {}, known)
        card = known.models.get(self.model) if known else None
        if card is not None:
            if self.tune is not None and card.family in ENCODER_DECODERS:
                found += _past_the_decoder(self.model, self.tune)
            limit = card.context_tokens
            for place, tokens in (
                (("tune", "max_tokens"), self.tune.max_tokens if self.tune else None),
                (("answer", "max_tokens"), self.answer.max_tokens),
                (("answer", "max_new_tokens"), self.answer.max_new_tokens + 1),
            ):
                if tokens is not None and tokens > limit:
                    found.append((place, tokens, f"{self.model} reads {limit} tokens at most; give less"))
        if found:
            raise wrong_at(found)
        return self


def _unspoken(languages: Sequence[str], datasets: Iterable[str], known: Known) -> list[tuple[Place, Any, str]]:
    """Return the datasets that have no template to train on in any of the languages."""
    found: list[tuple[Place, Any, str]] = []
    for name in datasets if languages else ():
        dataset = known.datasets.get(name)
        spoken = known.languages.get(dataset.tasks, ()) if dataset else ()
        if spoken and not set(languages) & set(spoken):
            remedy = f"no template that {name} trains with speaks one of these; they speak {', '.join(sorted(spoken))}"
            found.append((("mixture", "languages"), list(languages), remedy))
    return found


def _past_the_decoder(model: str, tune: Tune) -> list[tuple[Place, Any, str]]:
    """Return the settings that only a model that reads and writes one text can follow."""
    found: list[tuple[Place, Any, str]] = []
    if tune.packing:
        remedy = f"the encoder of {model} looks both ways and would see the other examples; remove it"
        found.append((("tune", "packing"), True, remedy))
    if tune.loss_on != "answer":
        remedy = f"{model} reads its prompt with an encoder, which foretells no token of it; use answer"
        found.append((("tune", "loss_on"), tune.loss_on, remedy))
    return found


class Study(BaseModel):
    """One file of catalog/studies; each is a job."""

    model_config = STRICT
    title: Title = Field(min_length=1, description="what people read")
    description: Words = ""
    owners: list[Owner] = Field(default=[], description="e-mail addresses or team:<name>")
    seed: int = Field(default=0, ge=0, description="decides order and samples; another seed is another run")
    train_on: TrainOn = Field(
        default={}, description="dataset: rows to train on, all, or a share; needed by runs that tune"
    )
    mixture: Mixture = Field(
        default=Mixture(), description="{rows, temperature, languages}: how the datasets are mixed"
    )
    evaluate_on: EvalSets = Field(description="<dataset>/<split> names, or names with a number of rows")
    contamination: bool = Field(default=True, description="look for evaluation rows that training has seen")
    runs: dict[Name, RunEntry] = Field(min_length=1, description="name: {model, tune, prompt, answer}")
    ablations: dict[Name, Ablation] = Field(default={}, description="name: {of: <run>, vary: {<field>: [values]}}")
    merge: dict[str, MergedAs] = Field(
        default={}, description="run: fp32, fp16 or bf16; publishes it as a model of its own, in this precision"
    )

    def draft(self, run: str) -> Plain:
        """Return a run of this study as plain data, with what it takes from the study filled in."""
        return draft(self.runs[run], self.train_on, self.mixture, self.seed)

    @field_validator("runs")
    @classmethod
    def _tuned_runs_have_rows(cls, runs: dict[str, RunEntry], info: ValidationInfo) -> dict[str, RunEntry]:
        if info.data.get("train_on") == {}:
            hungry = [name for name, run in runs.items() if run.tune and run.train_on is None]
            if hungry:
                remedy = "there is nothing to train on; add train_on to the study"
                raise wrong_at([((name, "tune"), "", remedy) for name in hungry])
        return runs

    @field_validator("runs", "ablations")
    @classmethod
    def _asked_on_sets_of_the_study(cls, things: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        sets = info.data.get("evaluate_on")
        found: list[tuple[Place, Any, str]] = [
            ((name, "evaluate_on"), one, f"the study does not evaluate on it; {nearest(one, sets)}")
            for name, thing in things.items()
            for one in thing.evaluate_on or ()
            if sets is not None and one not in sets
        ]
        if found:
            raise wrong_at(found)
        return things

    @field_validator("runs")
    @classmethod
    def _runs_agree_with_the_study(cls, runs: dict[str, RunEntry], info: ValidationInfo) -> dict[str, RunEntry]:
        train_on, mixture = info.data.get("train_on", {}), info.data.get("mixture", Mixture())
        found = [
            ((name, *where.split(".")), value, remedy)
            for name, run in runs.items()
            for where, value, remedy in _errors_of(draft(run, train_on, mixture, 0), known_of(info))
        ]
        if found:
            raise wrong_at(found)
        return runs

    @field_validator("ablations")
    @classmethod
    def _variants_are_runs(cls, ablations: dict[str, Ablation], info: ValidationInfo) -> dict[str, Ablation]:
        if "runs" not in info.data:
            return ablations
        runs: dict[str, RunEntry] = info.data["runs"]
        found: list[tuple[Place, Any, str]] = []
        for name, ablation in ablations.items():
            if ablation.of in runs:
                mixture, seed = info.data.get("mixture", Mixture()), info.data.get("seed", 0)
                plain = draft(runs[ablation.of], info.data.get("train_on", {}), mixture, seed)
                problems = variation_problems(ablation, plain, partial(_errors_of, known=known_of(info)))
                found += [((name, *place), value, remedy) for place, value, remedy in problems]
            else:
                found.append(((name, "of"), ablation.of, f"no such run in this study; {nearest(ablation.of, runs)}"))
        if found:
            raise wrong_at(found)
        return ablations

    @field_validator("merge")
    @classmethod
    def _merged_runs_have_weights(cls, merge: dict[str, MergedAs], info: ValidationInfo) -> dict[str, MergedAs]:
        if not {"runs", "ablations"} <= set(info.data):
            return merge
        methods = {name: run.tune.method if run.tune else None for name, run in info.data["runs"].items()}
        for ablation in info.data["ablations"].values():
            of = info.data["runs"][ablation.of]
            for variant in variants(ablation, draft(of, info.data.get("train_on", {}), Mixture(), 0)):
                methods[variant.label] = (variant.plain["tune"] or {}).get("method")
        found = [((name,), dtype, why) for name, dtype in merge.items() if (why := _no_merge(name, methods))]
        if found:
            raise wrong_at(found)
        return merge


def _no_merge(name: str, methods: Mapping[str, str | None]) -> str | None:
    """Return why a run cannot be merged, None where it can."""
    if name not in methods:
        return f"no such run in this study; {nearest(name, methods)}"
    if methods[name] is None:
        return "nothing is trained here, so there is nothing to merge; add tune to the run, or remove it here"
    if methods[name] in IN_FRONT:
        what = f"method {methods[name]} trains what stands in front and no weight of the model"
        return f"{what}; remove it: adapters/{name} is what peft loads as it is"
    return None


def _errors_of(plain: Plain, known: Known | None) -> list[tuple[str, str, str]]:
    try:
        RunEntry.model_validate(plain, context=known)
    except ValidationError as error:
        return explained(error, RunEntry)
    return []


def draft(entry: RunEntry, train_on: Mapping[str, Any], mixture: Mixture, seed: int) -> Plain:
    """Return a run as plain data, with what it takes from its study filled in."""
    data: Plain = entry.model_dump()
    if entry.tune is not None and entry.train_on is None:
        data["train_on"] = dict(train_on) or None
    if entry.tune is not None and entry.mixture is None:
        data["mixture"] = mixture.model_dump()
    if entry.seed is None:
        data["seed"] = seed
    return data
