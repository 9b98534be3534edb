"""The LightningDataModule of MLR data sets."""

from __future__ import annotations

import itertools
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from psnet.data.dataset import Augmentation, EvalBatch, EvalDataset, PairBatch, PairDataset
from psnet.data.manifest import Manifest
from psnet.data.sampler import PKBatchSampler, ShardSampler


class MLRDataModule(pl.LightningDataModule):
    """Training pairs in P x K batches; query and gallery, each image once.

    Args:
        manifest: the set, checked: see `MLRSource.prepare`.
        image_size: (height, width) of the network's input.
        batch: (identities, images of each) of a training batch. augment: of training pairs. None for evaluation alone.
        eval_batch_size, workers: of the loaders.
        seed: of batches and augmentation. upsampling: to image_size, a name of `psnet.data.dataset.UPSAMPLINGS`.
        rates_anew: see `PairDataset`.

    Raises:
        DataError: the set has fewer training identities than a batch.
    """

    def __init__(
        self,
        manifest: Manifest,
        image_size: tuple[int, int] = (256, 128),
        batch: tuple[int, int] | None = None,
        augment: Augmentation | None = None,
        eval_batch_size: int = 64,
        workers: int = 2,
        seed: int = 0,
        upsampling: str = "bilinear",
        rates_anew: bool = False,
    ) -> None:
        super().__init__()
        image_size = (int(image_size[0]), int(image_size[1]))
        self.manifest = manifest
        self.eval_batch_size, self.workers = eval_batch_size, workers
        self.eval_data = EvalDataset(manifest, image_size, upsampling)
        if batch is not None and augment is not None:
            self.train_data = PairDataset(manifest, image_size, augment, upsampling, rates_anew)
            self.batches = PKBatchSampler(self.train_data.labels, *batch, seed=seed)

    def train_dataloader(self) -> DataLoader[PairBatch]:
        if self.trainer is not None:  # workers fetch the first batches before Lightning tells the sampler its epoch
            begun = self.trainer.fit_loop.epoch_progress.current.ready  # checkpoints are written when an epoch ends
            self.batches.set_epoch(begun)
        return self._loader(self.train_data, batch_sampler=self.batches)

    def train_batch(self, number: int) -> tuple[PairBatch, list[str]]:
        """This process's batch of a number, from 0, in the epoch at hand, drawn again; and the paths of its images."""
        draws = next(itertools.islice(self.batches, number, None))
        batch = PairBatch(*map(torch.stack, zip(*(self.train_data[draw] for draw in draws), strict=True)))
        return batch, [self.train_data.rows[index].path for index, _ in draws]

    def val_dataloader(self) -> DataLoader[EvalBatch]:
        sampler = ShardSampler(len(self.eval_data))
        return self._loader(self.eval_data, batch_size=self.eval_batch_size, sampler=sampler)

    def test_dataloader(self) -> DataLoader[EvalBatch]:
        return self.val_dataloader()

    def _loader(self, data: Any, **how: Any) -> DataLoader[Any]:
        return DataLoader(data, num_workers=self.workers, persistent_workers=self.workers > 0, **how)
