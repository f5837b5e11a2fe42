from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rc_pipeline.training.batches import micro_batches, plan_batches

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=200)


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, batch_size=st.integers(1, 17), epochs=st.integers(1, 3))
def test_every_epoch_shows_every_example_once(lengths: list[int], batch_size: int, epochs: int) -> None:
    batches = plan_batches(lengths, batch_size=batch_size, epochs=epochs, seed=1)

    shown = sorted(i for batch in batches for i in batch)
    assert shown == sorted(list(range(len(lengths))) * epochs)
    assert max(map(len, batches)) <= batch_size


def test_the_plan_is_a_function_of_the_seed() -> None:
    lengths = [(i * 37) % 101 for i in range(400)]

    first, again, other = (plan_batches(lengths, batch_size=8, epochs=2, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert first[:50] != first[50:]


def test_part_of_an_epoch_is_part_of_its_steps() -> None:
    assert len(plan_batches([5] * 100, batch_size=10, epochs=0.25, seed=0)) == 3
    assert len(plan_batches([5] * 3, batch_size=10, epochs=0.01, seed=0)) == 1


def test_batches_hold_rows_of_nearly_one_length() -> None:
    lengths = [(i * 37) % 200 + 1 for i in range(2000)]

    batches = plan_batches(lengths, batch_size=16, epochs=1, seed=0)

    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert padded / sum(lengths) < 1.05


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, tokens=st.integers(1, 2000))
def test_micro_batches_keep_every_row_and_the_budget(lengths: list[int], tokens: int) -> None:
    parts = micro_batches(range(len(lengths)), lengths, tokens)

    assert sorted(i for part in parts for i in part) == list(range(len(lengths)))
    assert all(len(part) == 1 or max(lengths[i] for i in part) * len(part) <= tokens for part in parts)
