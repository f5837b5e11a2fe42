"""Keys and values of what was read, kept so that another token costs no copy of those before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

# Places that a buffer has beyond what is in it when it is made.
ROOM = 64


@cache
def roomy_layer() -> Any:
    """Return the class of layers with room behind what they hold; torch is loaded when it is first asked for."""
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
        """Keys and values as views of buffers with room behind them.

        transformers' own layer copies all that it holds for every token: 1.6 gigabytes a step for 16 prompts of 700
        tokens in a GPT-2.
        """

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self._buffers: list[Any] = [None, None]

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """Add keys and values behind those there are, and return all."""
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self.keys, self.values = key_states[..., :0, :], value_states[..., :0, :]
            keys, values = self._behind(0, self.keys, key_states), self._behind(1, self.values, value_states)
            self.keys, self.values = keys, values
            return keys, values

        def take(self, parts: Sequence[Any]) -> None:
            """Hold the rows of all parts, which give theirs up."""
            places = max(part.keys.shape[-2] for part in parts)
            keys, values = [part.keys for part in parts], [part.values for part in parts]
            for part in parts:
                part.keys = part.values = None
                part._buffers = [None, None]
            self._buffers = [_under_one_another(keys, places + ROOM), _under_one_another(values, places + ROOM)]
            self.keys, self.values = (buffer[..., :places, :] for buffer in self._buffers)

        def _behind(self, which: int, held: Any, new: torch.Tensor) -> torch.Tensor:
            places, total = held.shape[-2], held.shape[-2] + new.shape[-2]
            buffer = self._buffers[which]
            # What was cropped is still the buffer's beginning; what was selected or repeated is a tensor of its own.
            own = buffer is not None and held.data_ptr() == buffer.data_ptr() and len(held) == len(buffer)
            if not own or total > buffer.shape[-2]:
                self._buffers[which] = buffer = new.new_empty(*new.shape[:-2], total + ROOM, new.shape[-1])
                buffer[..., :places, :] = held
            buffer[..., places:total, :] = new
            whole: torch.Tensor = buffer[..., :total, :]
            return whole

    return RoomyLayer


def new_cache(config: PreTrainedConfig, front: Any = None, rows: int = 1) -> Any:
    """Return a cache of the kinds of layers that a model has, begun with what an adapter puts in front of each row."""
    from transformers.cache_utils import EncoderDecoderCache

    made = _decoder_cache(config)
    if front is not None:
        own = front.self_attention_cache if config.is_encoder_decoder else front
        for number, layer in enumerate(own.layers):
            made.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), number)
    return EncoderDecoderCache(made, _decoder_cache(config)) if config.is_encoder_decoder else made


def sees_padding(config: PreTrainedConfig) -> bool:
    """Tell whether a model has layers, such as windows or running states, that padding between tokens would alter."""
    return any(type(layer) is not roomy_layer() for layer in _decoder_cache(config).layers)


def joined(caches: Sequence[Any]) -> Any:
    """Return decoders' caches as one, their rows under one another, shorter ones padded behind; they are used up."""
    for number, layer in enumerate(caches[0].layers):
        layer.take([each.layers[number] for each in caches])
    return caches[0]


def _decoder_cache(config: PreTrainedConfig) -> Any:
    from transformers.cache_utils import DynamicCache, DynamicLayer

    made = DynamicCache(config=config)
    made.layers = [roomy_layer()() if type(layer) is DynamicLayer else layer for layer in made.layers]
    return made


def _under_one_another(parts: Sequence[torch.Tensor], places: int) -> torch.Tensor:
    _, heads, _, width = parts[0].shape
    # Zeros, since what nobody attends to is still multiplied, by 0.
    whole = parts[0].new_zeros(sum(map(len, parts)), heads, places, width)
    at = 0
    for part in parts:
        whole[at : at + len(part), :, : part.shape[-2]] = part
        at += len(part)
    return whole
