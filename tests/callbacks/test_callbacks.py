"""What a person sees of a run: how far it is, how fast, and pictures."""

from __future__ import annotations

import csv
import io
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import rich
import torch
from pytorch_lightning.loggers import CSVLogger
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader

from psnet.callbacks import GradientNorm, Memory, Progress, Throughput, dashboard, throughput
from psnet.callbacks.due import is_due
from psnet.callbacks.memory import peak_bytes
from psnet.callbacks.throughput import cause
from psnet.data.datamodule import MLRDataModule
from psnet.data.dataset import PairBatch
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.report import Crop, Entry, RankedList

STEPS, SIZE = 4, 6


class Line(pl.LightningModule):
    """Fits one number, and validates."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        loss = (self.weight - 1).square()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: PairBatch, batch_idx: int) -> None:
        self.log("val/rank1", torch.tensor(0.25), batch_size=SIZE)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(
    folder: Path, *callbacks: pl.Callback, epochs: int = 2, validate_every: int = 1, resume: Path | None = None
) -> pl.Trainer:
    image = torch.zeros(3, 4, 2)
    pair = PairBatch(image, image, torch.tensor(True), torch.tensor(0), torch.tensor(False))
    loader = DataLoader([pair] * (STEPS * SIZE), batch_size=SIZE)
    bar = any(isinstance(callback, Progress) for callback in callbacks)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=CSVLogger(folder),
        default_root_dir=folder,
        enable_checkpointing=True,
        enable_progress_bar=bar,
        enable_model_summary=False,
        log_every_n_steps=1,
        check_val_every_n_epoch=validate_every,
        num_sanity_val_steps=0,
    )
    trainer.fit(Line(), loader, loader, ckpt_path=resume)
    return trainer


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch):
    """Where rich writes, as a terminal or not."""

    def set_up(terminal: bool) -> io.StringIO:
        out = io.StringIO()
        made = Console(file=out, force_terminal=terminal, width=160)
        monkeypatch.setattr(rich, "_console", made)
        monkeypatch.setattr("pytorch_lightning.callbacks.progress.rich_progress.reconfigure", lambda **_: None)
        return out

    return set_up


def test_a_file_gets_one_line_per_epoch(tmp_path: Path, console, caplog: pytest.LogCaptureFixture):
    console(terminal=False)
    with caplog.at_level(logging.INFO):
        fit(tmp_path, Progress(), epochs=3, validate_every=2)
    lines = [record.getMessage() for record in caplog.records if record.name == "psnet.callbacks.progress"]
    assert len(lines) == 3
    assert re.fullmatch(r"epoch 2 of 3: loss \d\.\d{3}, val/rank1 0\.250; \d:\d\d:\d\d left", lines[1])
    assert not any("rank1" in line for line in (lines[0], lines[2]))  # not validated
    assert lines[2].endswith("; 0:00:00 left")


def test_a_terminal_gets_a_bar_with_the_time_left(tmp_path: Path, console, caplog: pytest.LogCaptureFixture):
    out = console(terminal=True)
    with caplog.at_level(logging.INFO):
        fit(tmp_path, Progress())
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    assert re.search(r"Epoch 1/1 .*4/4.*left: 0:00:00 loss: \d", plain)
    assert "v_num" not in plain
    assert not [record for record in caplog.records if record.name == "psnet.callbacks.progress"]


class Clock:
    """Time that a test makes pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


class Passing(pl.Callback):
    """Every training batch takes `seconds`."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def on_train_batch_start(self, *_: object) -> None:
        self.clock.now += self.seconds

    def on_validation_start(self, *_: object) -> None:
        self.clock.now += 1000.0


def test_time_left_of_a_run_that_goes_on(tmp_path: Path, console, monkeypatch, caplog: pytest.LogCaptureFixture):
    """Steps made before do not count as fast ones."""
    first = fit(tmp_path, epochs=1)
    console(terminal=False)
    clock = Clock()
    monkeypatch.setattr("psnet.callbacks.progress.time", clock)
    monkeypatch.setattr(Passing, "on_validation_start", lambda *_: None)
    with caplog.at_level(logging.INFO):
        assert first.checkpoint_callback is not None
        path = Path(first.checkpoint_callback.best_model_path)  # type: ignore[attr-defined]
        fit(tmp_path, Passing(clock, 10.0), Progress(), epochs=3, resume=path)
    lines = [record.getMessage() for record in caplog.records if record.name == "psnet.callbacks.progress"]
    assert [line.rpartition("; ")[2] for line in lines] == ["0:00:40 left", "0:00:00 left"]


def test_throughput_counts_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    seen: list[float] = []

    class Look(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            if "train/images_per_s" in trainer.callback_metrics:
                seen.append(float(trainer.callback_metrics["train/images_per_s"]))

    fit(tmp_path, Passing(clock, 2.0), Throughput(every_n_steps=3), Look())
    assert set(seen) == {SIZE / 2.0}
    assert len(seen) == 2 + STEPS  # from the third step of the first epoch on


class Slow(nn.Module):
    """An augmentation that takes its time, by the clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, images: Tensor) -> Tensor:
        self.clock.now += self.seconds
        return images


def trained(
    data: MLRDataModule, folder: Path, *callbacks: pl.Callback, epochs: int = 2, **more: Any
) -> dict[str, list[float]]:
    """Columns of the log, a row a step."""
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=list(callbacks), logger=CSVLogger(folder, "", "log"),
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
        limit_val_batches=0, num_sanity_val_steps=0, use_distributed_sampler=False, **more,
    )  # fmt: skip
    trainer.fit(Line(), datamodule=data)
    columns: dict[str, list[float]] = {}
    for row in csv.DictReader((folder / "log" / "metrics.csv").open()):
        for name, value in row.items():
            if value:
                columns.setdefault(name, []).append(float(value))
    return columns


@pytest.mark.parametrize(("loading", "step", "told"), [(1.0, 4.0, 1), (1.0, 96.0, 0)])
def test_waiting_for_images(
    tiny: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    loading: float, step: float, told: int,
):  # fmt: skip
    """4 images a batch, each `loading` seconds, beside a step of `step`: the share that waits is what it must be."""
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    monkeypatch.setattr("psnet.data.datamodule.time", clock)
    data = MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), Slow(clock, loading), workers=0)
    assert len(data.batches) == 4
    with caplog.at_level(logging.WARNING, logger="psnet"):
        found = trained(data, tmp_path, Passing(clock, step), Throughput(every_n_steps=1))
    share = 4 * loading / (4 * loading + step)
    middle = found["train/data_wait"][2:3]  # at the ends of an epoch one more, or one less, is loaded ahead
    assert middle == pytest.approx([share])
    warnings = [record.getMessage() for record in caplog.records if "waits for images" in record.getMessage()]
    assert len(warnings) == told
    if told:
        assert re.search(r"of the time training waits for images\. One takes 1000\.0 ms: 0\.0 to read", warnings[0])
        assert "1000.0 to vary (model.recipe.augment)" in warnings[0]


def test_what_to_do_against_waiting(tiny: Manifest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(throughput, "cores", lambda: 4)
    few, all_of_them = (MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), nn.Identity(), workers=n) for n in (1, 4))
    assert cause(few, 0.5).endswith("1 of 4 cores load them: give loader.workers=4")
    assert "on all 4 cores: loader.cache=true keeps decoded images" in cause(all_of_them, 0.5)


def test_memory_is_the_peak_of_the_process(tiny: Manifest, tmp_path: Path):
    before = peak_bytes(torch.device("cpu"))
    assert before is not None
    assert before > 50 * 2**20  # Python with torch
    held = torch.ones(before // 4 + 2**26)  # more than there has been
    data = MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), nn.Identity(), workers=0)
    found = trained(data, tmp_path, Memory(every_n_steps=3), epochs=1)
    assert len(found["train/memory_gib"]) == 2  # the third step, and the last
    assert found["train/memory_gib"][0] * 2**30 > max(before, held.nbytes)
    assert found["train/memory_gib"][0] * 2**30 < 4 * before + 2**30


def test_gradient_norm(tiny: Manifest, tmp_path: Path):
    """Of (w - 1)^2 with steps of a tenth of the gradient: 2 * 0.8^n."""
    data = MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), nn.Identity(), workers=0)
    found = trained(data, tmp_path, GradientNorm(every_n_steps=2), epochs=2)["train/gradient_norm"]
    assert list(dict.fromkeys(found)) == pytest.approx([2 * 0.8**n for n in (1, 3, 5, 7)], rel=1e-5)


def test_figures_are_there_when_loggers_write(tiny: Manifest, tmp_path: Path):
    """Every third step of the run, whatever epochs of four batches make of it, and at the end of each."""
    steps: list[int] = []

    class Look(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            if is_due(trainer, 3):
                steps.append(trainer.global_step)

    data = MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), nn.Identity(), workers=0)
    trained(data, tmp_path, Look(), epochs=3)
    assert steps == [3, 4, 6, 8, 9, 12]


def test_batches_that_make_a_step_together_are_counted_once(tiny: Manifest, tmp_path: Path):
    """Four batches an epoch, two a step: the second step of each epoch is at its end."""
    seen: list[tuple[int, int]] = []

    class Look(pl.Callback):
        def on_train_batch_end(
            self, trainer: pl.Trainer, task: pl.LightningModule, outputs: object, batch: object, batch_idx: int
        ) -> None:
            if is_due(trainer, 1):
                seen.append((trainer.global_step, batch_idx))

    data = MLRDataModule(tiny, Preprocess((64, 32)), (2, 2), nn.Identity(), workers=0)
    trained(data, tmp_path, Look(), epochs=2, accumulate_grad_batches=2)
    assert seen == [(1, 1), (2, 3), (3, 1), (4, 3)]


def test_a_strip_frames_right_and_wrong():
    def crop(value: int) -> Crop:
        return Crop(np.full((8, 4, 3), value, np.uint8), "")

    ranked = RankedList(crop(1), [Entry(crop(2), 0.9, True), Entry(crop(3), 0.8, False)], ap=0.5, first_hit=1)
    picture = dashboard.strip(ranked)
    border = dashboard.BORDER
    width = 4 + 2 * border
    assert picture.shape == (8 + 2 * border, 3 * width, 3)
    assert [tuple(picture[0, i * width]) for i in range(3)] == [(255, 255, 255), dashboard.RIGHT, dashboard.WRONG]
    assert [int(picture[border, i * width + border, 0]) for i in range(3)] == [1, 2, 3]
