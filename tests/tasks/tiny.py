"""Networks so small that a real training takes a moment, and a callback that watches the optimiser at work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from psnet.configuration import build
from psnet.data.dataset import PairBatch
from psnet.models import ReIDFeatures
from psnet.tasks import Recipe, Task
from tests.composed import composed

SIZE = (8, 4)


class TinyReID(nn.Module):
    """Four vectors of a linear map, a neck with batch norm, and a classifier: the parts of HRNet-ReID."""

    def __init__(self, people: int = 4) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Linear(3 * SIZE[0] * SIZE[1], width) for width in (5, 4, 3, 2))
        self.fc1, self.bn, self.fc2 = nn.Linear(14, 6), nn.BatchNorm1d(6), nn.Linear(6, people)

    def forward(self, images: Tensor) -> ReIDFeatures:
        branches = tuple(F.relu(branch(images.flatten(1))) for branch in self.branches)
        pooled = torch.cat(branches, dim=1)
        neck = self.bn(self.fc1(pooled))
        return ReIDFeatures(branches, pooled, neck, self.fc2(neck))


def tiny_batch(people: int = 4, seed: int = 0) -> PairBatch:
    """`people` x 2, each a sharp image and a low one."""
    random = torch.Generator().manual_seed(seed)
    high = torch.rand(2 * people, 3, *SIZE, generator=random)
    is_low = torch.tensor([False, True] * people)
    low = torch.where(is_low[:, None, None, None], high.flip(0), high)
    label = torch.arange(people).repeat_interleave(2)
    return PairBatch(low, high, torch.ones(2 * people, dtype=torch.bool), label, is_low)


def released(name: str) -> Recipe:
    """A recipe of conf/, as composed."""
    recipe: Recipe = build(composed(f"+recipe@x={name}").x)
    return recipe


class Watch(pl.Callback):
    """epochs, rates: (E, groups) learning rates at each step. before, gradients, after: parameters by step."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.rates: list[list[float]] = []
        self.before: list[dict[str, Tensor]] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.after: list[dict[str, Tensor]] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, task: pl.LightningModule, optimizer: Any) -> None:
        self.epochs.append(trainer.current_epoch)
        self.rates.append([group["lr"] for group in optimizer.param_groups])
        self.before.append({name: p.detach().clone() for name, p in task.named_parameters()})
        self.gradients.append({n: p.grad.clone() for n, p in task.named_parameters() if p.grad is not None})

    def on_train_batch_end(self, trainer: pl.Trainer, task: pl.LightningModule, *_: Any) -> None:
        self.after.append({name: p.detach().clone() for name, p in task.named_parameters()})


def watched(
    task: Task,
    folder: Path,
    epochs: int,
    batches: int = 2,
    precision: Any = "32-true",
    callbacks: Sequence[pl.Callback] = (),
    checkpoints: bool = False,
    **more: Any,
) -> Watch:
    """What the optimiser does in a real training. more: of the trainer."""
    seen = Watch()
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": checkpoints}
    where = {"accelerator": "cpu", "logger": False, "default_root_dir": folder, "precision": precision}
    trainer = pl.Trainer(max_epochs=epochs, callbacks=[seen, *callbacks], **where, **quiet, **more)
    trainer.fit(task, DataLoader([tiny_batch(seed=n) for n in range(batches)], batch_size=None))
    return seen
