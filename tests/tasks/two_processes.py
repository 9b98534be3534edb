"""One of two processes that take steps together: python -m tests.tasks.two_processes RANK FOLDER

Each has half of the images. The first leaves the gradients of both, as DDP averages them, for each of `WAYS` and of
`pair`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from psnet.data.dataset import PairBatch
from psnet.tasks import PSHRNet, ReID, Task
from tests.tasks.tiny import TinyReID, tiny_batch

WAYS = [(normalises, gathered) for normalises in (False, True) for gathered in (False, True)]
"""Arguments of `task`."""


def batch(rank: int | None) -> PairBatch:
    """Half of the images, or with None all. The same people are in both halves, and each has two images in each."""
    whole = PairBatch(*(torch.cat(parts) for parts in zip(tiny_batch(seed=0), tiny_batch(seed=1), strict=True)))
    half = len(whole.label) // 2
    return whole if rank is None else PairBatch(*(part[rank * half : (rank + 1) * half] for part in whole))


def task(normalises: bool, gathered: bool) -> Task:
    """The same weights each time. normalises: batch norm takes the statistics of the images at hand."""
    torch.manual_seed(0)
    made = ReID(TinyReID(), triplet_pooled=True, triplet_gathered=gathered)
    made.log_terms = lambda *_: None  # type: ignore[method-assign]
    made.reid.bn.train(normalises)  # type: ignore[attr-defined]
    return made


def unlike(rank: int | None) -> PairBatch:
    """`batch`, where one half has no sharp twin, and the other one."""
    images = batch(None)
    images = images._replace(has_high=torch.arange(len(images.label)) == 1)
    half = len(images.label) // 2
    return images if rank is None else PairBatch(*(part[rank * half : (rank + 1) * half] for part in images))


def pair() -> Task:
    """All terms of the method, without what each process has for itself."""
    torch.manual_seed(0)
    made = PSHRNet(nn.Conv2d(3, 3, 3, padding=1), TinyReID(), TinyReID(), sr_weight=5.0)  # type: ignore[arg-type]
    made.log_terms = lambda *_: None  # type: ignore[method-assign]
    made.reid.bn.eval()
    return made


def gradients(made: Task) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in made.named_parameters() if parameter.grad is not None}


class Step(torch.nn.Module):
    """DDP watches what is called."""

    def __init__(self, made: Task) -> None:
        super().__init__()
        self.made = made

    def forward(self, images: PairBatch) -> Tensor:
        return self.made.training_step(images, 0)  # type: ignore[no-any-return]


def main(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    found = []
    for way in WAYS:
        made = task(*way)
        step = DistributedDataParallel(Step(made))  # which must outlive the step, or nothing is averaged
        step(batch(rank)).backward()
        found.append(gradients(made))
    made = pair()
    step = DistributedDataParallel(Step(made))
    step(unlike(rank)).backward()
    if rank == 0:
        torch.save(gradients(made), folder / "pair.pt")
        torch.save(found, folder / "gradients.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
