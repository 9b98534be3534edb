"""A loss that is not finite ends the run; what did it can be looked at, and the last checkpoint is whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn

from psnet.callbacks import Finite
from psnet.data.datamodule import MLRDataModule
from psnet.data.dataset import PairBatch
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.losses import DivergedError

BATCHES = 4


class Poisoned(pl.LightningModule):
    """Fits one number, until its term is what it is told to be in one step."""

    def __init__(self, epoch: int, batch: int, value: float, named: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.at, self.value, self.named = (epoch, batch), value, named
        self.seen: PairBatch | None = None
        self.terms: dict[str, Tensor] = {}

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        poison = 0.0
        if (self.current_epoch, batch_idx) == self.at:
            poison, self.seen = self.value, PairBatch(*(part.clone() for part in batch))
        term = (self.weight - 1).square() + poison
        if self.named:
            self.terms = {"ps": term.detach(), "ce": torch.tensor(2.5), "loss": term.detach() + 2.5}
        return term + 2.5

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(task: pl.LightningModule, tiny: Manifest, folder: Path, every_n_steps: int, **more: Any) -> None:
    data = MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), nn.Identity(), workers=0)
    assert len(data.batches) == BATCHES
    how: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    keeper = ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", default_root_dir=folder, limit_val_batches=0,
        use_distributed_sampler=False, callbacks=[keeper, Finite(every_n_steps)], **how, **more,
    )  # fmt: skip
    trainer.fit(task, datamodule=data)


@pytest.mark.parametrize("every_n_steps", [1, 3, 10])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_run_ends_and_says_where(tiny: Manifest, tmp_path: Path, value: float, every_n_steps: int):
    task = Poisoned(1, 2, value)
    told = rf"^ps diverged at step 7, epoch 2, batch 3: ps {value}, ce 2\.5, loss {value}\. The batch is kept in "
    with pytest.raises(DivergedError, match=told):
        fit(task, tiny, tmp_path, every_n_steps)
    kept = torch.load(tmp_path / "diverged.pt", weights_only=True)
    assert (kept["step"], kept["epoch"], kept["batch_idx"]) == (7, 1, 2)
    assert task.seen is not None
    for name, part in task.seen._asdict().items():
        assert torch.equal(kept[name], part), name
    paths = {row.path: row for row in tiny.split("train")}
    assert [paths[path].is_low for path in kept["images"]] == task.seen.is_low.tolist()
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["epoch"] == 0
    assert checkpoint["state_dict"]["weight"].isfinite()


def test_a_training_that_ends_within_an_epoch(tiny: Manifest, tmp_path: Path):
    """Its last steps come before no tenth one, and before no end of an epoch."""
    with pytest.raises(DivergedError, match=r"^ps diverged at step 7, epoch 2, batch 3: "):
        fit(Poisoned(1, 2, math.nan), tiny, tmp_path, 10, max_steps=7)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 0


def test_a_batch_that_cannot_be_kept_does_not_hide_what_happened(tiny: Manifest, tmp_path: Path):
    (tmp_path / "diverged.pt" / "in the way").mkdir(parents=True)
    told = r"^ps diverged at step 2, .*\. The batch, .*\.(png|jpg), could not be kept \(.*diverged\.pt cannot be"
    with pytest.raises(DivergedError, match=told):
        fit(Poisoned(0, 1, math.nan), tiny, tmp_path, 1)


def test_what_others_log_is_no_term(tiny: Manifest, tmp_path: Path):
    """As a gradient's norm, which is infinite where fp16's scale is too large: that step is left out, no more."""

    class Norm(Poisoned):
        def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
            self.log("train/gradient_norm", torch.tensor(math.inf))
            return super().training_step(batch, batch_idx)

    fit(Norm(9, 0, 0.0), tiny, tmp_path, 1)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 2  # it came to its end
    assert not (tmp_path / "diverged.pt").exists()


def test_a_loss_without_a_name(tiny: Manifest, tmp_path: Path):
    with pytest.raises(DivergedError, match=r"^loss diverged at step 1, epoch 1, batch 1: "):
        fit(Poisoned(0, 0, math.nan, named=False), tiny, tmp_path, 10)


def test_any_number_passes(tiny: Manifest, tmp_path: Path):
    fit(Poisoned(1, 2, 1e30), tiny, tmp_path, 1)
    assert not (tmp_path / "diverged.pt").exists()
