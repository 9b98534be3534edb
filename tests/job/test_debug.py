"""The presets for finding faults do what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from psnet.losses import DivergedError
from psnet.tasks import ReID
from tests.job.world import Ran, World, logged, run


def debugged(world: World, name: str, *overrides: str) -> Ran:
    return run(world, f"debug-{name}", "hrnet_reid_small", f"debug={name}", *overrides, epochs=100)


def test_fast(world: World):
    ran = debugged(world, "fast")
    assert torch.load(ran.folder / "last.ckpt", weights_only=True)["global_step"] == 2
    assert (ran.folder / "report.html").is_file()
    assert not (ran.folder / "wandb").exists()


def test_overfit_learns_its_batch_by_heart(world: World):
    """Two people, four images."""
    calm = ["model.reid.dropout=0", "model.label_smoothing=0", "model.recipe.optimizer.lr=1e-4"]
    ran = debugged(world, "overfit", "trainer.precision=32-true", *calm)
    columns = logged(ran.folder)
    assert torch.load(ran.folder / "last.ckpt", weights_only=True)["global_step"] == 100
    assert columns["train/ce"][-1] < 0.4 < 1 < columns["train/ce"][0]
    assert columns["train/triplet"][-1] < columns["train/triplet"][0]


def test_profile(world: World):
    ran = debugged(world, "profile")
    told = (ran.folder / "fit-profile.txt").read_text()
    assert "run_training_batch" in told


def test_anomaly(world: World, monkeypatch: pytest.MonkeyPatch):
    """A NaN in the backward pass alone: PyTorch says which operation, before any weight has it."""
    step = ReID.training_step

    def poisoned(self: ReID, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = step(self, batch, batch_idx)
        return loss + torch.sqrt((loss - loss.detach()).abs())  # 0, with a gradient of 0 / 0

    monkeypatch.setattr(ReID, "training_step", poisoned)
    with pytest.raises((RuntimeError, DivergedError), match="Backward0' returned nan values"):
        debugged(world, "anomaly", "logger=none")
    assert not (Path(world.folder) / "debug-anomaly" / "last.ckpt").exists()
