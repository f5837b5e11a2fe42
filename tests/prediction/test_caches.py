from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, MistralConfig
from transformers.cache_utils import DynamicCache

from rc_pipeline.prediction.caches import ROOM, joined, new_cache, sees_padding

CONFIG = LlamaConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2)


def fed(cache: Any, rows: int, places: int, seed: int) -> None:
    torch.manual_seed(seed)
    for layer in range(2):
        cache.update(torch.randn(rows, 2, places, 4), torch.randn(rows, 2, places, 4), layer)


def same(ours: Any, theirs: Any) -> bool:
    return all(
        torch.equal(mine.keys, other.keys) and torch.equal(mine.values, other.values)
        for mine, other in zip(ours.layers, theirs.layers, strict=True)
    )


def test_it_holds_what_the_cache_of_transformers_holds() -> None:
    ours, theirs = new_cache(CONFIG), DynamicCache()
    steps = [
        lambda cache: fed(cache, 3, 5, 1),
        lambda cache: fed(cache, 3, 1, 2),
        lambda cache: cache.crop(-4),
        lambda cache: fed(cache, 3, 2, 3),
        lambda cache: cache.batch_select_indices(torch.tensor([2, 0])),
        lambda cache: fed(cache, 2, 1, 4),
        lambda cache: cache.batch_repeat_interleave(2),
        lambda cache: fed(cache, 4, 1, 5),
        lambda cache: fed(cache, 4, ROOM + 1, 6),
    ]
    for number, step in enumerate(steps):
        step(ours)
        step(theirs)
        assert same(ours, theirs), number


def test_another_token_copies_nothing_while_there_is_room() -> None:
    cache = new_cache(CONFIG)
    fed(cache, 2, 5, 1)
    before = cache.layers[0].keys.data_ptr()
    for step in range(ROOM):
        fed(cache, 2, 1, step)
    assert cache.layers[0].keys.data_ptr() == before
    fed(cache, 2, 1, 0)
    assert cache.layers[0].keys.data_ptr() != before


def test_rows_that_were_read_apart_are_one_cache_and_go_on_without_a_copy() -> None:
    parts = [new_cache(CONFIG), new_cache(CONFIG)]
    fed(parts[0], 2, 7, 1)
    fed(parts[1], 1, 4, 2)
    first, second = parts[0].layers[1].keys.clone(), parts[1].layers[1].keys.clone()

    whole = joined(parts)

    keys = whole.layers[1].keys
    assert torch.equal(keys[:2], first)
    assert torch.equal(keys[2:, :, :4], second)
    assert not keys[2:, :, 4:].any()
    assert parts[1].layers[1].keys is None
    fed(whole, 3, 1, 3)
    assert whole.layers[1].keys.data_ptr() == keys.data_ptr()


def test_windows_see_padding_and_whole_attention_does_not() -> None:
    assert sees_padding(MistralConfig(num_hidden_layers=1, sliding_window=8))
    assert not sees_padding(MistralConfig(num_hidden_layers=1, sliding_window=None))
    assert not sees_padding(CONFIG)
