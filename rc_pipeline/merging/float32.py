"""A model that is held in few bits and computes in float32, as if it were held so too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Widen the weights of one layer at a time, while it runs."""
    hooks = []
    for part in _parts(model):
        held: dict[Any, Any] = {}
        hooks += [
            part.register_forward_pre_hook(partial(_widen, held)),
            part.register_forward_hook(partial(_restore, held), always_call=True),
        ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _parts(model: Any) -> Iterator[Any]:
    """Yield the layers whole, for some look at their parts' precision, and what has weights outside of them."""
    from torch.nn import ModuleList

    layers: list[str] = []
    for name, module in model.named_modules():
        if name.startswith(tuple(layers)):
            continue
        if isinstance(module, ModuleList):
            layers.append(f"{name}.")
            yield from module
        elif next(module.parameters(recurse=False), None) is not None:
            yield module


def _widen(held: dict[Any, Any], module: Any, _: Any) -> None:
    for weight in module.parameters():
        held[weight] = weight.data
        weight.data = weight.data.float()


def _restore(held: dict[Any, Any], *_: Any) -> None:
    for weight, data in held.items():
        weight.data = data
    held.clear()
