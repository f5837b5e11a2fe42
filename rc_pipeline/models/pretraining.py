"""Pretraining of rc_tiny: a Llama of under a million weights that can look up a stated fact."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rc_pipeline.corpora.sample_text import Passage, article, natural, story
from rc_pipeline.corpora.sample_world import pretraining_documents
from rc_pipeline.models.tiny_tokenizer import SPECIAL_TOKENS, learn_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

DEFAULT_STEPS = 8500
VOCABULARY = 1024
BATCH_ROWS = 20
ROW_TOKENS = 192
PEAK_RATE = 2.0e-3
WARM_UP_STEPS = 200
WEIGHT_DECAY = 0.02
PREVIOUS_TOKEN_HEADS = 3

Progress = Callable[[dict[str, float]], None]


def pretrain(
    out: Path,
    *,
    seed: int,
    steps: int,
    threads: int | None = None,
    on_progress: Progress | None = None,
) -> dict[str, float]:
    """Pretrain rc_tiny from nothing into `out`; return its last loss and its recall of facts."""
    import torch

    # The products are small: on a shared machine a second thread is mostly waited for.
    torch.set_num_threads(threads or 1)
    torch.manual_seed(seed)
    tokenizer = learn_tokenizer(seed, VOCABULARY)
    model = _new_model(tokenizer)
    optimizer = _optimizer(model)
    near_steps = _near_steps(steps)
    near, far = _near_rows(seed, tokenizer, steps), _far_rows(seed, tokenizer)
    smooth_loss = math.nan
    every = max(1, min(250, steps // 4))
    model.train()
    for step in range(steps):
        if step == near_steps:
            # The second course starts as if from the stored weights of the first.
            for weight in model.parameters():
                weight.data = weight.data.half().float()
            optimizer = _optimizer(model)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        batch = torch.tensor(list(itertools.islice(near if step < near_steps else far, BATCH_ROWS)))
        # bfloat16 products double the speed where the processor has them; weights stay float32.
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        smooth_loss = loss.item() if math.isnan(smooth_loss) else 0.98 * smooth_loss + 0.02 * loss.item()
        if (step + 1) % every == 0 and on_progress is not None:
            recall = stated_fact_recall(model, tokenizer, seed=seed, passages=30)
            save(out, model, tokenizer)
            on_progress({"step": step + 1, "loss": smooth_loss, "recall": recall})
    save(out, model, tokenizer)
    recall = stated_fact_recall(model, tokenizer, seed=seed, passages=100)
    return {"loss": smooth_loss, "recall": recall}


def _near_steps(steps: int) -> int:
    return steps * 9 // 17


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step: each course rises shortly; only the second falls to zero."""
    near_steps = _near_steps(steps)
    if step < near_steps:
        rise = min(1.0, (step + 1) / min(WARM_UP_STEPS, max(1, steps // 5)))
        return PEAK_RATE * rise * 0.5 * (1 + math.cos(math.pi * step / _near_horizon(steps)))
    step, steps = step - near_steps, steps - near_steps
    rise = min(1.0, (step + 1) / min(WARM_UP_STEPS, max(1, steps // 5)))
    fallen = max(0.0, 2 * step / steps - 1)
    return PEAK_RATE * rise * 0.5 * (1 + math.cos(math.pi * fallen))


def _near_horizon(steps: int) -> int:
    """Return where the first course's cosine would reach zero: it is left half-way, still fast."""
    return max(1, _near_steps(steps) * 16 // 9)


def _new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        attention_bias=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    _look_back(model)
    return model


def _look_back(model: LlamaForCausalLM) -> None:
    """Start some heads of the first layer on the tokens one, two and three places back.

    Looking up a fact needs such heads, and finding them from noise is what takes a small model
    longest. With constant queries and keys the rotary score depends on the distance alone.
    """
    import torch

    attention = model.model.layers[0].self_attn
    size = attention.head_dim
    half = size // 2
    turns = 10000.0 ** (-torch.arange(half) / half)
    strength = 5.0
    with torch.no_grad():
        for head in range(PREVIOUS_TOKEN_HEADS):
            at = head * size
            back = head + 1
            # q turned by m and k by n meet at cos((m - n - back) * turn): highest `back` ago.
            attention.q_proj.bias[at : at + half] = strength * torch.cos(back * turns)
            attention.q_proj.bias[at + half : at + size] = -strength * torch.sin(back * turns)
            attention.k_proj.bias[at : at + half] = strength
            attention.k_proj.bias[at + half : at + size] = 0.0


def _optimizer(model: LlamaForCausalLM) -> torch.optim.Optimizer:
    import torch

    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)


def _near_rows(seed: int, tokenizer: PreTrainedTokenizerFast, steps: int) -> Iterator[list[int]]:
    """Yield rows of ROW_TOKENS: documents, and ever fewer rows of repeated random tokens."""
    rng = Random(f"rows {seed}")  # noqa: S311
    texts = pretraining_documents(seed, "near")
    for row in itertools.count():
        if rng.random() < span_share(row // BATCH_ROWS, steps):
            # Whole-span copying comes first; looking a value up by its key builds on it.
            tabled = row >= BATCH_ROWS * _first_steps(steps) and rng.random() < 0.6
            yield (_random_lookups if tabled else _repeated_spans)(rng, len(tokenizer))
        else:
            yield _document_row(tokenizer, texts)


def _far_rows(seed: int, tokenizer: PreTrainedTokenizerFast) -> Iterator[list[int]]:
    rng = Random(f"rows far {seed}")  # noqa: S311
    texts = pretraining_documents(seed, "far")
    while True:
        yield _random_lookups(rng, len(tokenizer)) if rng.random() < 0.04 else _document_row(tokenizer, texts)


def _document_row(tokenizer: PreTrainedTokenizerFast, texts: Iterator[str]) -> list[int]:
    ids: list[int] = []
    while len(ids) < ROW_TOKENS:
        ids += tokenizer(next(texts), truncation=True)["input_ids"]
        ids.append(tokenizer.eos_token_id)
    return ids[:ROW_TOKENS]


def span_share(step: int, steps: int) -> float:
    """Return the share of rows of repeated random spans: all at first, a third, then few.

    Copying is learnt in some 200 steps from such rows alone, and in none of the first thousands
    from documents alone; what documents teach rests on it.
    """
    first = _first_steps(steps)
    if step < first:
        return 1.0
    return max(0.04, 0.36 * (1 - 1.6 * (step - first) / _near_horizon(steps)))


def _first_steps(steps: int) -> int:
    return min(400, _near_horizon(steps) // 10)


def _repeated_spans(rng: Random, vocabulary: int) -> list[int]:
    """Draw a few random spans and repeat them in random order with noise between them."""
    tokens = range(len(SPECIAL_TOKENS), vocabulary)
    spans = [rng.choices(tokens, k=rng.randint(3, 16)) for _ in range(rng.randint(2, 6))]
    ids: list[int] = []
    while len(ids) < ROW_TOKENS:
        ids += rng.choices(tokens, k=rng.randint(0, 3)) + rng.choice(spans)
    return ids[:ROW_TOKENS]


def _random_lookups(rng: Random, vocabulary: int) -> list[int]:
    """Draw pairs of random key and value and name them again and again in a few fixed phrases."""
    tokens = range(len(SPECIAL_TOKENS), vocabulary)
    pairs = [(rng.choices(tokens, k=2), rng.choices(tokens, k=rng.randint(1, 3))) for _ in range(rng.randint(2, 6))]
    phrases = [
        (rng.choices(tokens, k=rng.randint(0, 3)), rng.choices(tokens, k=rng.randint(1, 3)))
        for _ in range(rng.randint(1, 3))
    ]
    end = rng.choices(tokens, k=1)
    ids: list[int] = []
    while len(ids) < ROW_TOKENS:
        before, between = rng.choice(phrases)
        for key, value in rng.sample(pairs, len(pairs)):
            ids += before + key + between + value + end
    return ids[:ROW_TOKENS]


def stated_fact_recall(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, *, seed: int, passages: int
) -> float:
    """Return the share of facts about held-out names that greedy decoding gives rightly."""
    import torch

    rng = Random(f"recall {seed}")  # noqa: S311
    right, asked = 0, 0
    model.eval()  # type: ignore[no-untyped-call]
    for number in range(passages):
        passage = (story, article)[number % 2](rng, "valid")
        prompts, wanted = _recall_prompts(tokenizer, passage)
        for ids, goal in zip(prompts, wanted, strict=True):
            with torch.no_grad():
                # Greedy decoding gives the goal exactly when each goal token is the likeliest.
                logits = model(input_ids=torch.tensor([ids + goal])).logits[0]
            guesses = logits[len(ids) - 1 : -1].argmax(-1).tolist()
            right += guesses == goal
            asked += 1
    model.train()
    return right / asked


def _recall_prompts(tokenizer: PreTrainedTokenizerBase, passage: Passage) -> tuple[list[list[int]], list[list[int]]]:
    """Ask for each fact behind its passage; the answer alone is to be recalled."""
    prompts, wanted = [], []
    for fact in passage.facts:
        asked = fact.asked[0]
        prompts.append(tokenizer(natural(f"{passage.text}\n\n{asked.question} The answer is"))["input_ids"])
        wanted.append(tokenizer(natural(f" {asked.answer}"))["input_ids"])
    return prompts, wanted


def save(out: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write config, float16 weights, tokenizer and generation settings to `out`."""
    import copy

    out.mkdir(parents=True, exist_ok=True)
    stored = copy.deepcopy(model).half()  # type: ignore[no-untyped-call]
    stored.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main(arguments: list[str] | None = None) -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    figures = pretrain(
        given.out,
        seed=given.seed,
        steps=given.steps,
        threads=given.threads,
        on_progress=lambda report: logger.info(json.dumps(report)),
    )
    logger.info(json.dumps(figures))


if __name__ == "__main__":
    main()
