"""Base models and adapters from local folders: native classes, safetensors, never any code of theirs."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rc_pipeline.models.architectures import ModelLoadError, architecture
from rc_pipeline.models.families import ENCODER_DECODERS, NATIVE

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load a tokenizer.json as it is, without importing torch."""
    if not (folder / "tokenizer.json").is_file():
        raise ModelLoadError(
            f"{folder}: there is no tokenizer.json. Put that of the model there; or name the folder as the source of "
            "a model in catalog/models, whose artifact gets one that is made from its tokenizer.model."
        )
    from transformers import PreTrainedTokenizerFast

    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, clean_up_tokenization_spaces=False
    )
    if tokenizer.eos_token_id is None:
        tokenizer.eos_token = _end_by_config(folder, tokenizer)
    if tokenizer.eos_token_id is None:
        raise ModelLoadError(
            f"{folder}/tokenizer_config.json: `eos_token` is not set, so an answer would have no end. "
            "Name the token that ends a text there, or its id as `eos_token_id` in config.json."
        )
    return tokenizer


def _end_by_config(folder: Path, tokenizer: PreTrainedTokenizerFast) -> str | None:
    """Return the token that the model's config ends a text with; GPT-2's tokenizer files name none."""
    path = folder / "config.json"
    told = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.is_file() else None
    return tokenizer.backend_tokenizer.id_to_token(told) if isinstance(told, int) else None


def load_model(  # noqa: PLR0913
    folder: Path,
    *,
    family: str,
    adapter: Path | None = None,
    dtype: str = "auto",
    bits: int | None = None,
    device: str | None = None,
) -> PreTrainedModel:
    """Load a base model, and an adapter on it, ready to evaluate on a device, the best there is if none is named.

    `dtype` auto is float32 on a CPU and bfloat16 on a GPU; `bits`, 4 or 8, is what the base's weights are held in.
    """
    import torch
    from transformers.utils.logging import disable_progress_bar

    if adapter is not None and (adapter / "model.safetensors").is_file():
        # Every weight was trained.
        folder, adapter = adapter, None
    disable_progress_bar()  # type: ignore[no-untyped-call]
    best = best_device()
    device = device or best
    precision = getattr(torch, dtype) if dtype != "auto" else torch.float32 if best == "cpu" else torch.bfloat16
    options: dict[str, Any] = {"dtype": precision, "attn_implementation": "sdpa"}
    if bits is not None:
        options |= {"quantization_config": _quantised(bits, precision), "device_map": {"": device}}
    model, report = _from_files(architecture(family, _model_type(family, folder)), folder, options)
    _refuse_partial_weights(folder, report)
    if bits is not None:
        _keep_gradients_right(model)
    else:
        model.to(device)
    if family not in ENCODER_DECODERS:
        # Prompts are padded at the right, where no mask is needed; GPT-2 would warn of the padding that it sees.
        model.config.pad_token_id = None
    if adapter is not None:
        model = _with_adapter(model, adapter, merge=precision == torch.float32 and bits is None)
    return model.eval()  # type: ignore[no-any-return]


def _from_files(model_class: Any, folder: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from huggingface_hub.errors import StrictDataclassError

    log = logging.getLogger("transformers.modeling_utils")
    log.addFilter(_says_nothing_of_t5)
    try:
        loaded: tuple[Any, dict[str, Any]] = model_class.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
    except StrictDataclassError as error:
        raise ModelLoadError(
            f"{folder / 'config.json'}: {' '.join(str(error).split())} Fetch the one that belongs to the weights."
        ) from error
    finally:
        log.removeFilter(_says_nothing_of_t5)
    return loaded


def _says_nothing_of_t5(record: logging.LogRecord) -> bool:
    # Its class takes a head of its own for a mistake in config.json, whatever stands there, and then keeps it.
    return "tie shared.weight to lm_head.weight" not in record.getMessage()


def best_device() -> str:
    """Return `cuda` where there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def prepare_process(*, bitsandbytes: bool) -> None:
    """Set up a process of its own before torch is imported, so that it starts fast and shares the cores well."""
    # Threads that spin while they wait cost four times the training time, and more, when others use the cores too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
        # Passes differ in size; blocks that grow leave no gaps between them, which small GPUs run out of memory by.
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    if not bitsandbytes:
        # PEFT imports it whenever it is there, which takes almost a second.
        sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Hide that PEFT asks transformers for a property by its old name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def use_threads(threads: int | None) -> None:
    """Hold PyTorch to a number of CPU threads; None leaves its own choice."""
    if threads is not None:
        import torch

        torch.set_num_threads(max(1, threads))


def adapter_prompt(adapter: Path) -> dict[str, Any]:
    """Return the prompt template that an adapter was trained with."""
    path = adapter / "prompt.json"
    if not path.is_file():
        raise ModelLoadError(
            f"{path}: missing, so nobody knows which prompt this adapter was trained with. Build the adapter again."
        )
    prompt: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return prompt


def _model_type(family: str, folder: Path) -> str:
    if family != NATIVE:
        return ""
    return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type"))


def _quantised(bits: int, compute: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        bnb_4bit_quant_storage="uint8",
    )


def _keep_gradients_right(model: Any) -> None:
    """Stop bitsandbytes from repacking nf4 weights in a forward pass without gradients.

    On AVX512-BF16 processors it does so, and training after it gets wrong gradients without any error.
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):  # type: ignore[attr-defined]
            module.support_avx512bf16_for_cpu = False


def _refuse_partial_weights(folder: Path, report: dict[str, Any]) -> None:
    """Missing weights would be filled with noise, so they end the load."""
    missing = sorted(report.get("missing_keys") or ())
    mismatched = sorted(str(item[0]) for item in report.get("mismatched_keys") or ())
    if missing or mismatched:
        names = ", ".join([*missing, *mismatched][:5])
        raise ModelLoadError(
            f"{folder}: {len(missing)} weights are missing and {len(mismatched)} have another shape than config.json "
            f"says ({names}). Fetch the checkpoint again, whole, with the config.json that belongs to it."
        )


def _with_adapter(model: Any, adapter: Path, *, merge: bool) -> Any:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise ModelLoadError(f"{adapter / name}: missing. Build the adapter again.")
    from peft import PeftModel

    with quiet_peft():
        adapted = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
        if adapted.active_peft_config.is_prompt_learning:
            return _with_front(adapted)
    # In float32 a merge is exact to a millionth and halves the number of products; in bfloat16 it would round.
    return adapted.merge_and_unload() if merge and not _adapts_tied(adapted.get_base_model()) else adapted


def _adapts_tied(model: Any) -> bool:
    """Tell whether one of two tied weights has an adapter: merged in place, it would change the other too."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    tied = {name.rpartition(".")[0] for pair in model.all_tied_weights_keys.items() for name in pair}
    return any(name in tied and isinstance(part, BaseTunerLayer) for name, part in model.named_modules())


def read_encoder(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what an encoder makes of prompts padded at the right, and which of its positions are real.

    Tokens that prompt tuning has trained come first; a prefix is `model.in_front`, which the decoder goes on from.
    """
    import torch

    embedded = model.get_input_embeddings()(ids)
    trained = getattr(model, "read_in_front", None)
    if trained is not None:
        embedded = torch.cat([trained.expand(len(ids), -1, -1), embedded], dim=1)
        mask = torch.cat([mask.new_ones(len(ids), trained.shape[1]), mask], dim=1)
    return model.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state, mask


def _with_front(adapted: Any) -> Any:
    """Return the base with what an adapter puts in front of every input: PEFT would forget any other cache for it."""
    import torch

    base = adapted.get_base_model()
    with torch.no_grad():
        trained = adapted.get_prompt(1)
        if adapted.active_peft_config.peft_type == "PREFIX_TUNING":
            base.in_front = trained
        elif base.config.is_encoder_decoder:
            base.read_in_front = trained.to(base.dtype)
        else:
            base.in_front = base(inputs_embeds=trained.to(base.dtype), use_cache=True).past_key_values
    return base
