"""The network and the recipe as published: HRNet-W32 behind VDSR-CA, 256 x 128, all terms of the loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

import train as main_job
from psnet.configuration import build
from psnet.data.dataset import PairBatch, as_unit
from psnet.data.manifest import Manifest
from tests.composed import composed

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:You defined a `validation_step`")]

STEPS = 4


class Terms(pl.Callback):
    """What was logged at each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        names = ("loss", "ce", "triplet", "sr", "ps")
        self.steps.append({name: float(trainer.callback_metrics[f"train/{name}"]) for name in names})


def let_statistics_settle(network: nn.Module, images: torch.Tensor) -> None:
    """Running statistics of normalisation as after many steps. Without them deep features of a frozen network that was
    never trained grow without bound."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(images)


def test_a_few_steps_on_one_batch(tiny: Manifest, tmp_path: Path):
    small_batch = ["model.recipe.batch.identities=2", "model.recipe.batch.images=2"]
    cfg = composed("model=ps_hrnet", "model.reid.weights=null", "loader.workers=0", *small_batch)
    run = main_job.Run(cfg, tiny)
    model = main_job.model_of(run)
    torch.manual_seed(1)
    teacher = build(model["teacher"]["reid"])
    task, _, data = main_job.build_phase(run, model, teacher=teacher)
    data.setup("fit")
    batch: PairBatch = as_unit(next(iter(data.train_dataloader())))
    assert batch.low.shape == (4, 3, 256, 128)
    let_statistics_settle(teacher, batch.high)
    teacher.eval()

    seen = Terms()
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = pl.Trainer(
        max_epochs=STEPS, accelerator="cpu", logger=False, callbacks=[seen], default_root_dir=tmp_path, **quiet
    )
    trainer.fit(task, DataLoader([batch], batch_size=None))

    assert len(seen.steps) == STEPS
    assert all(math.isfinite(value) for step in seen.steps for value in step.values())
    assert seen.steps[-1]["loss"] < seen.steps[0]["loss"], seen.steps
