"""The LightningDataModule of MLR data sets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from psnet.data.dataset import (
    AnyBatch,
    Augmentation,
    EvalBatch,
    EvalDataset,
    PairBatch,
    PairDataset,
    as_unit,
    collate,
)
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.data.sampler import Draw, PKBatchSampler, ShardSampler
from psnet.data.samples import DataError


class MLRDataModule(pl.LightningDataModule):
    """Training pairs in P x K batches; query and gallery, each image once.

    Args:
        manifest: the set, checked: see `MLRSource.prepare`.
        preprocess: to the network's input.
        batch: (identities, images of each) of a training batch. augment: of training pairs. None for evaluation alone.
        eval_batch_size, workers: of the loaders.
        cache: keep decoded training images in memory, see `psnet.data.cache.ImageCache`.
        same_batch: train on the first batch alone, again and again, and vary its images alike each time.
        seed: of batches and augmentation. rates_anew: see `PairDataset`.

    Raises:
        DataError: the set has fewer training identities than a batch, or a number is out of range.
    """

    def __init__(
        self,
        manifest: Manifest,
        preprocess: Preprocess,
        batch: tuple[int, int] | None = None,
        augment: Augmentation | None = None,
        eval_batch_size: int = 64,
        workers: int = 2,
        seed: int = 0,
        rates_anew: bool = False,
        cache: bool = False,
        same_batch: bool = False,
    ) -> None:
        super().__init__()
        if eval_batch_size < 1 or workers < 0:
            raise DataError(
                f"loader.eval_batch_size={eval_batch_size} must be 1 or more images, and loader.workers={workers} 0 or "
                "more processes"
            )
        self.manifest = manifest
        self.eval_batch_size, self.workers = eval_batch_size, workers
        self.waited = 0.0
        """Seconds that training has waited for batches, so far."""
        self.eval_data = EvalDataset(manifest, preprocess)
        if batch is not None and augment is not None:
            self.train_data = PairDataset(manifest, preprocess, augment, rates_anew)
            self.batches = PKBatchSampler(self.train_data.labels, *batch, seed=seed)
            self.cache, self.same_batch = cache, same_batch

    def train_dataloader(self) -> DataLoader[PairBatch]:
        if self.trainer is not None:  # workers fetch the first batches before Lightning tells the sampler its epoch
            begun = self.trainer.fit_loop.epoch_progress.current.ready  # checkpoints are written when an epoch ends
            self.batches.set_epoch(0 if self.same_batch else begun)
        if self.cache:
            self.train_data.keep_decoded()
        return _Timed(self, self.train_data, batch_sampler=self._batch_sampler(), **self._how())

    def _batch_sampler(self) -> Iterable[list[Draw]]:
        return [next(iter(self.batches))] * len(self.batches) if self.same_batch else self.batches

    def on_after_batch_transfer(self, batch: AnyBatch, dataloader_idx: int) -> AnyBatch:
        return as_unit(batch)

    def train_batch(self, number: int) -> tuple[PairBatch, list[str]]:
        """This process's batch of a number, from 0, in the epoch at hand, drawn again; and the paths of its images."""
        draws = next(itertools.islice(self._batch_sampler(), number, None))
        batch = collate([self.train_data[draw] for draw in draws])
        return as_unit(batch), [self.train_data.rows[index].path for index, _ in draws]

    def seconds_an_image(self, images: int = 16) -> tuple[float, float]:
        """What a training pair takes on one core: to read, decode and resize; and to vary. Some are loaded to see."""
        begun = time.perf_counter()
        plain = [self.train_data.images.pair(row) for row in self.train_data.rows[:images]]
        read = (time.perf_counter() - begun) / len(plain)
        begun = time.perf_counter()
        for number in range(len(plain)):
            self.train_data[number, number]
        return read, max(0.0, (time.perf_counter() - begun) / len(plain) - read)

    def val_dataloader(self) -> DataLoader[EvalBatch]:
        sampler = ShardSampler(len(self.eval_data))
        return DataLoader(self.eval_data, batch_size=self.eval_batch_size, sampler=sampler, **self._how())

    def test_dataloader(self) -> DataLoader[EvalBatch]:
        return self.val_dataloader()

    def _how(self) -> dict[str, Any]:
        pinned = torch.cuda.is_available()  # so that a batch is copied while the one before is computed
        return {
            "collate_fn": collate,
            "num_workers": self.workers,
            "persistent_workers": self.workers > 0,
            "pin_memory": pinned,
        }


class _Timed(DataLoader[PairBatch]):
    """Tells a data module how long it was waited for."""

    def __init__(self, module: MLRDataModule, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._module = module

    def __iter__(self) -> Any:
        batches = super().__iter__()
        while True:
            begun = time.perf_counter()
            batch = next(batches, None)
            self._module.waited += time.perf_counter() - begun
            if batch is None:
                return
            yield batch
