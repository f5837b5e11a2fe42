"""Several processes, a GPU each, that make the steps of one: each computes a share of every batch.

`torchrun` starts them and tells each its number. The model is whole in every process, and only gradients travel; or it
is spread over them (FSDP), a layer at a time put together, where one GPU could not hold it with what training adds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rc_pipeline.training.batches import micro_batches
from rc_pipeline.worker import processes, rank

if TYPE_CHECKING:
    import torch

# Others wait while one writes a large checkpoint to a slow disk; what hangs for good, the parent process ends.
PATIENCE = timedelta(hours=2)
BUCKET_NUMBERS = 2**24
# Methods whose models can be spread; bases in 8 or 4 bits fit, and what stands in front of an input is small.
SHARDABLE = ("full", "lora")


@dataclass(frozen=True)
class Group:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1
    sharded: bool = False

    @property
    def leads(self) -> bool:
        """Say whether this process is the one that writes and reports."""
        return self.rank == 0

    @property
    def divides_by(self) -> int:
        """Return what gradients are divided by where all processes' are brought together: PyTorch wants means."""
        return self.size if self.sharded else 1

    def passes(self, batch: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
        """Return the parts of a batch that this process computes one by one.

        Rows are dealt out by length, so that all processes have nearly the same to do. A spread model is computed by
        all processes at once: one that has fewer parts than another gets empty ones.
        """
        ordered = sorted(batch, key=lambda i: (lengths[i], i))
        shares = [micro_batches(ordered[at :: self.size], lengths, tokens) for at in range(self.size)]
        own = shares[self.rank]
        return own + [[]] * (max(map(len, shares)) - len(own)) if self.sharded else own

    def sum_up(self, loss: float, weights: Sequence[torch.Tensor], device: torch.device) -> float:
        """Return the loss of all processes together, and leave all their gradients' sum in each."""
        if self.size == 1:
            return loss
        import torch
        from torch.distributed import all_reduce

        told = torch.tensor([loss, *(weight.grad is not None for weight in weights)], dtype=torch.float64)
        told = told.to(device)
        all_reduce(told)
        if not self.sharded:
            reached = [weight for weight, times in zip(weights, told[1:].tolist(), strict=True) if times]
            for bucket in _buckets(reached):
                grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in bucket]
                flat = torch.cat([grad.flatten() for grad in grads])
                all_reduce(flat)
                parts = torch.split(flat, [grad.numel() for grad in grads])
                for each, part in zip(bucket, parts, strict=True):
                    each.grad = part.view_as(each)
        return float(told[0])

    def smallest(self, number: int, device: torch.device) -> int:
        """Return the smallest of the numbers that the processes give."""
        if self.size == 1:
            return number
        import torch
        from torch.distributed import ReduceOp, all_reduce

        told = torch.tensor([number], device=device)
        all_reduce(told, ReduceOp.MIN)
        return int(told)

    def as_leader_says(self, number: int, device: torch.device) -> int:
        """Return the number that the leading process gives."""
        if self.size == 1:
            return number
        import torch
        from torch.distributed import broadcast

        told = torch.tensor([number], device=device)
        broadcast(told, 0)
        return int(told)

    def saves(self, due: bool, device: torch.device) -> bool:
        """Say whether this process has a part in saving now; the clock of the leading one counts."""
        if self.sharded:
            return self.as_leader_says(int(due), device) == 1
        return due and self.leads

    def put_together(self, model: Any) -> None:
        """Make what lies outside the layers of a spread model whole: embeddings are also read by themselves."""
        if self.sharded:
            model.unshard()

    def take_apart(self, model: Any) -> None:
        """Leave of a spread model only this process's parts: a backward pass does so, an evaluation does not."""
        if self.sharded:
            model.reshard()

    def gathered(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return weights that are spread over the processes whole, in the main memory of the leading one."""
        gathered = {}
        for name, weight in weights.items():
            full = whole(weight.detach())
            if self.leads:
                gathered[name] = full.cpu()
        return gathered

    def wait(self) -> None:
        """Wait until all processes have come here."""
        from torch.distributed import barrier

        barrier()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let one process after the other do something that all of them at once had no memory for."""
        from torch.distributed import barrier

        for _ in range(self.rank):
            barrier()
        yield
        for _ in range(self.rank, self.size):
            barrier()


ALONE = Group()


def join(device: str) -> Group:
    """Meet the processes that `torchrun` has started beside this one, if it has."""
    if processes() == 1:
        return ALONE
    import torch
    from torch.distributed import init_process_group, is_initialized

    own = None
    if device == "cuda":
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(own)
    if not is_initialized():
        init_process_group("gloo" if own is None else "nccl", timeout=PATIENCE, device_id=own)
    return Group(rank(), processes())


def leave(group: Group) -> None:
    """Part from the other processes when all is done."""
    if group.size > 1:
        from torch.distributed import destroy_process_group

        destroy_process_group()


def spread(model: Any, group: Group, device: str) -> Any:
    """Spread a model over the processes, so that only the layer that is being computed is whole anywhere."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (group.size,))
    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    layers = set(inner._no_split_modules)
    for module in list(inner.modules()):
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor, of which this process may hold a part; all processes must ask together."""
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


def own_part(tensor: torch.Tensor, like: Any) -> torch.Tensor:
    """Return of a whole tensor what this process holds of the one that it replaces."""
    if not hasattr(like, "full_tensor"):
        return tensor.to(like.device)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def _buckets(weights: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield weights of one kind together: many small messages are slow, and one of all gradients takes memory."""
    bucket: list[torch.Tensor] = []
    for weight in weights:
        full = sum(each.numel() for each in bucket) + weight.numel() > BUCKET_NUMBERS
        if bucket and (full or bucket[0].dtype != weight.dtype):
            yield bucket
            bucket = []
        bucket.append(weight)
    if bucket:
        yield bucket
