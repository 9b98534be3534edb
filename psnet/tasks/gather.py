"""What all processes of a run have in a step."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from psnet.data.sampler import rank_and_world


def gather(x: Tensor) -> Tensor:
    """(B, ...) of each process -> (W B, ...) of all W, in their order. Processes are connected.

    B is the same on all. Each process gets back the sum of the gradients that all have for its x.
    """
    gathered: Tensor = _Gather.apply(x)
    return gathered


def mean_divisor(weight: Tensor) -> Tensor:
    """What a weighted mean over B pairs is divided by: the sum of all weights (B,), at least 1, () float32.

    Of W processes it is a W-th of the sum of all. Weighted sums that are divided by it have the mean over processes,
    which DDP makes of gradients, that one process with all pairs has, however the pairs are spread. What a process
    logs is its own share.
    """
    total, world = weight.float().sum(), rank_and_world()[1]
    if world > 1:
        dist.all_reduce(total)
    return total.clamp(min=1) / world


class _Gather(torch.autograd.Function):
    """The collectives of torch take no part in autograd."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
