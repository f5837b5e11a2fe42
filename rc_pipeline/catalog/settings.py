"""How a run is tuned, prompted and decoded."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from rc_pipeline.catalog.validation import STRICT, Language, reference, wrong


def _targets(value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and value and all(isinstance(each, str) and each.strip() for each in value):
        return value
    raise wrong("give all-linear, a pattern, or a list of module names such as [q_proj, v_proj]")


LOW_RANK = ("lora", "qlora", "lora_8bit")
IN_FRONT = ("prefix", "prompt")
MergedAs = Literal["fp32", "fp16", "bf16"]
RATES = {"lora": 2e-4, "qlora": 2e-4, "lora_8bit": 2e-4, "full": 2e-5, "prefix": 1e-2, "prompt": 1e-2}


class Tune(BaseModel):
    """How a model is trained."""

    model_config = STRICT
    method: Literal["lora", "qlora", "lora_8bit", "full", "prefix", "prompt"] = Field(
        default="lora",
        description="lora, qlora (on a base in 4 bits) and lora_8bit add matrices, full trains every weight, "
        "prefix and prompt put trained keys and values, or trained tokens, in front",
    )
    rank: int = Field(default=8, ge=1, le=1024, description="rank of the adapter's matrices (lora, qlora, lora_8bit)")
    alpha: int | None = Field(default=None, ge=1, description="scale of the adapter; twice the rank when left out")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of the adapter's inputs that is dropped")
    targets: Annotated[str | list[str], BeforeValidator(_targets)] = Field(
        default="all-linear", description="modules that get an adapter"
    )
    rslora: bool = Field(default=False, description="scale by alpha over the root of the rank, for high ranks")
    dora: bool = Field(default=False, description="train the length of each weight's columns apart from direction")
    virtual_tokens: int = Field(default=20, ge=1, le=1024, description="trained positions in front (prefix, prompt)")
    learning_rate: float = Field(
        default_factory=lambda data: RATES[data["method"]],
        gt=0,
        le=1,
        description="highest learning rate, after the warm-up; the method's when left out",
    )
    epochs: float = Field(default=1.0, gt=0, description="times that each row is seen")
    batch_size: int = Field(default=16, ge=1, description="examples a step")
    max_tokens: int = Field(default=512, ge=16, description="longest example; the passage is cut to fit")
    warmup: float = Field(default=0.05, ge=0, le=1, description="share of the steps in which the learning rate rises")
    loss_on: Literal["answer", "everything", "weighted"] = Field(
        default="answer", description="tokens that are learned; weighted: everything, the prompt by prompt_loss_weight"
    )
    prompt_loss_weight: float = Field(
        default=0.1, gt=0, lt=1, description="what a token of the prompt counts (loss_on: weighted)"
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="probability spread over all other tokens")
    neftune_alpha: float | None = Field(default=None, gt=0, description="noise on embeddings in training, such as 5")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="AdamW's decay")
    max_grad_norm: float = Field(default=1.0, gt=0, description="gradients are clipped to this norm")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="of the products; auto is bf16 on a GPU and fp32 on a CPU"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="compute activations twice, for less memory; a GPU that must, does so by itself"
    )
    packing: bool = Field(default=False, description="examples end to end without padding, blind to one another")
    eval_share: float = Field(
        default=0.0, ge=0, le=0.5, description="share of the rows, by group, held out to measure the loss on"
    )
    patience: int | None = Field(
        default=None, ge=1, description="stop after so many evaluations without a better loss, and keep the best"
    )

    @field_validator("rslora", "dora")
    @classmethod
    def _has_matrices(cls, wanted: bool, info: ValidationInfo) -> bool:
        method = info.data.get("method")
        if wanted and method not in (None, *LOW_RANK):
            raise wrong(f"method {method} has no matrices of low rank; remove it, or use one of {', '.join(LOW_RANK)}")
        return wanted

    @field_validator("dora")
    @classmethod
    def _reads_the_weights(cls, wanted: bool, info: ValidationInfo) -> bool:
        if wanted and info.data.get("method") == "lora_8bit":
            raise wrong("weights in 8 bits cannot be read back to measure their columns; use method qlora or lora")
        return wanted

    @field_validator("gradient_checkpointing", "packing")
    @classmethod
    def _goes_with_the_method(cls, wanted: bool, info: ValidationInfo) -> bool:
        method = info.data.get("method")
        if wanted and method == "prefix" and info.field_name == "gradient_checkpointing":
            raise wrong("the keys and values of a prefix cannot be computed twice; remove it, or use method prompt")
        if wanted and method in IN_FRONT and info.field_name == "packing":
            raise wrong(f"every example needs the {method} in front of it; remove it, or use another method")
        return wanted

    @field_validator("patience")
    @classmethod
    def _has_something_to_watch(cls, patience: int | None, info: ValidationInfo) -> int | None:
        if patience is not None and info.data.get("eval_share") == 0:
            raise wrong("no rows are held out to tell when it gets worse; add eval_share, such as 0.05")
        return patience


class Mixture(BaseModel):
    """How the datasets of a run are mixed."""

    model_config = STRICT
    rows: int | None = Field(default=None, ge=1, description="rows in all; as many as there are when left out")
    temperature: float = Field(
        default=1.0,
        ge=0.1,
        le=1000,
        description="above 1, small datasets weigh more: n rows as n^(1/temperature)",
    )
    # Where none is named, a fingerprint knows nothing of it.
    languages: Annotated[list[Language], AfterValidator(lambda languages: sorted(set(languages)))] = Field(
        default=[],
        exclude_if=lambda languages: not languages,
        description="take rows only by templates that speak one of these, such as [en]; by all when left out",
    )


class PromptUse(BaseModel):
    """Which prompt template a run uses, and with how many solved examples."""

    model_config = STRICT
    template: Annotated[str, reference("prompts")] | None = Field(
        default=None, description="of catalog/prompts; the model's own when left out"
    )
    shots: int = Field(default=0, ge=0, le=64, description="solved examples in front of each question")
    shots_by: Literal["random", "nearest", "fixed"] = Field(
        default="random", description="how examples are found among the training rows; nearest goes by the question"
    )
    shot_rows: list[str] = Field(
        default=[], validate_default=True, description="fixed: row_id of each example, of every dataset that is asked"
    )

    @field_validator("shot_rows")
    @classmethod
    def _rows_go_with_fixed(cls, rows: list[str], info: ValidationInfo) -> list[str]:
        how, shots = info.data.get("shots_by"), info.data.get("shots")
        if rows and how != "fixed":
            raise wrong(f"shots_by is {how}, which finds its own examples; set it to fixed, or remove these rows")
        if how == "fixed" and shots is not None:
            if len(set(rows)) < len(rows):
                raise wrong("a row is here twice; keep one of them")
            counts = Counter(row.partition("/")[0] for row in rows)
            if not rows or set(counts.values()) != {shots}:
                raise wrong(f"give {shots} rows of each dataset, as shots says; a row_id is <dataset>/<split>/<n>")
        return rows


class Answer(BaseModel):
    """How answers are drawn from a model."""

    model_config = STRICT
    template: Annotated[str, reference("prompts")] | None = Field(
        default=None, description="an experiment: ask with another prompt template than the one that was trained with"
    )
    max_new_tokens: int = Field(default=32, ge=1, description="longest answer in free text")
    batch_size: int = Field(default=32, ge=1, description="questions at a time")
    temperature: float = Field(default=0.0, ge=0, le=10, description="0 writes the likeliest; above, chance has a say")
    top_p: float = Field(default=1.0, gt=0, le=1, description="draw from the likeliest tokens that make up this share")
    samples: int = Field(
        default=1, ge=1, le=64, description="answers drawn for each question, of which the most frequent one counts"
    )
    max_tokens: int | None = Field(
        default=None, ge=16, description="longest prompt and answer; what the model can read when left out"
    )
    beams: int = Field(
        default=1, ge=1, le=32, description="unfinished answers that are followed at once; 1 takes the likeliest token"
    )
    choose_by: list[Literal["likelihood", "letter", "written"]] = Field(
        default=["likelihood"],
        min_length=1,
        description="how an option is chosen: by the likelihood of its text, by that of its letter, or in writing; "
        "the first way counts, the others stand beside it",
    )
    perplexity: bool = Field(default=False, description="measure how likely the right answer is, too")

    @field_validator("beams")
    @classmethod
    def _beams_leave_nothing_to_chance(cls, beams: int, info: ValidationInfo) -> int:
        if beams > 1 and info.data.get("temperature"):
            raise wrong("beams find the likeliest answer, and a temperature draws one; give only one of the two")
        return beams

    @field_validator("choose_by")
    @classmethod
    def _ways_differ(cls, ways: list[str]) -> list[str]:
        if len(set(ways)) < len(ways):
            raise wrong("a way is here twice; keep one of them")
        return ways

    @field_validator("samples")
    @classmethod
    def _samples_differ(cls, samples: int, info: ValidationInfo) -> int:
        if samples > 1 and info.data.get("temperature") == 0:
            raise wrong("without a temperature all samples are the same; add temperature, such as 0.7, or give 1")
        return samples

    @field_validator("max_tokens")
    @classmethod
    def _leaves_room_for_the_prompt(cls, tokens: int | None, info: ValidationInfo) -> int | None:
        new = info.data.get("max_new_tokens")
        if tokens is not None and new is not None and new >= tokens:
            raise wrong(f"max_new_tokens ({new}) leaves no room for the prompt; give more than {new}")
        return tokens
