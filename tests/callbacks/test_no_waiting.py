"""The step never waits for the device: what is read of it is read every tenth step, with everything that watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from psnet.callbacks import progress
from psnet.configuration import build
from psnet.csv_log import CSVLog
from psnet.data.datamodule import MLRDataModule
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.models import VDSRCA
from psnet.tasks import PSHRNet
from tests.composed import composed
from tests.tasks.tiny import SIZE, TinyReID, released

METHODS = ("item", "tolist", "numpy", "cpu", "__float__", "__int__", "__bool__", "__index__")
OPERATIONS = ("_local_scalar_dense", "nonzero", "masked_select", "equal")
"""What gives the host a number, or a shape that depends on one: where a GPU is waited for."""


class Reading(TorchDispatchMode):
    """by_step: what was read, by the number of the step in which it was."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.by_step = 0, dict[int, list[str]]()

    def note(self, name: str) -> None:
        if self.step:
            self.by_step.setdefault(self.step, []).append(name)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in OPERATIONS:
            self.note(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))

    def watch(self, patch: pytest.MonkeyPatch, method: str) -> None:
        usual = getattr(torch.Tensor, method)

        def noted(tensor: torch.Tensor, *args: Any, **how: Any) -> Any:
            self.note(method)
            return usual(tensor, *args, **how)

        patch.setattr(torch.Tensor, method, noted)


class Begin(pl.Callback):
    """Before all others: from here on reads count."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.reading.step = trainer.global_step + 1
        self.reading.__enter__()


class End(pl.Callback):
    """After all others. What comes now is the next batch's draw, on the processor."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def on_train_batch_end(self, *_: Any) -> None:
        self.reading.__exit__(None, None, None)
        self.reading.step = 0


def test_only_every_tenth_step(tiny: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "SECONDS", 3600.0)
    torch.manual_seed(0)
    task = PSHRNet(VDSRCA(16, 1), TinyReID(4), TinyReID(4), recipe=released("small"))
    watching = composed("~callbacks.dashboard").callbacks
    data = MLRDataModule(tiny, Preprocess(SIZE), (2, 2), torch.nn.Identity(), workers=0)
    reading = Reading()
    trainer = pl.Trainer(
        max_epochs=6, accelerator="cpu", logger=CSVLog(tmp_path), limit_val_batches=0, enable_checkpointing=False,
        enable_model_summary=False, log_every_n_steps=10, use_distributed_sampler=False, default_root_dir=tmp_path,
        callbacks=[Begin(reading), *(build(one) for one in watching.values()), End(reading)],
    )  # fmt: skip
    for method in METHODS:
        reading.watch(monkeypatch, method)
    trainer.fit(task, datamodule=data)
    assert trainer.global_step == 24
    last_of_an_epoch = {4, 8, 12, 16, 20, 24}
    assert set(reading.by_step) <= {1, 10, 20} | last_of_an_epoch  # the bar's first figures; the tenths
    assert set(reading.by_step) >= last_of_an_epoch  # they are seen
