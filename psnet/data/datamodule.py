"""The LightningDataModule of MLR data sets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from psnet.data.dataset import Augmentation, EvalBatch, EvalDataset, PairBatch, PairDataset
from psnet.data.manifest import Manifest
from psnet.data.sampler import PKBatchSampler, ShardSampler
from psnet.data.source import MLRSource

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationProtocol:
    """How a set is scored. Numbers of different protocols never share a column.

    shots: "multi", every gallery image of a person counts; "single", one random image per person, `repeats` times.
    """

    shots: Literal["multi", "single"] = "multi"
    repeats: int = 100
    seed: int = 0
    camera_rule: bool = True


@dataclass(frozen=True)
class Batch:
    """P identities x K images."""

    identities: int
    images: int


class MLRDataModule(pl.LightningDataModule):
    """Training pairs in P x K batches; query and gallery, each image once.

    Args:
        name: of the set, as on the command line.
        source: where its images come from.
        image_size: (height, width) of the network's input.
        shots, repeats: see EvaluationProtocol.
        batch, augment: of training; None for evaluation alone.
        join: further sources whose *training* images are added, identities kept apart.
        eval_batch_size, workers: of the loaders.
        seed: of batches and augmentation.
    """

    def __init__(
        self,
        name: str,
        source: MLRSource,
        image_size: tuple[int, int] = (256, 128),
        shots: Literal["multi", "single"] = "multi",
        repeats: int = 100,
        batch: Batch | None = None,
        augment: Augmentation | None = None,
        join: Mapping[str, MLRSource] | None = None,
        eval_batch_size: int = 64,
        workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.name = name
        self.source = source
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.evaluation = EvaluationProtocol(shots, repeats, seed=0, camera_rule=source.camera_rule)
        self.batch, self.augment, self.join = batch, augment, dict(join or {})
        self.eval_batch_size, self.workers, self.seed = eval_batch_size, workers, seed
        self._manifest: Manifest | None = None

    @property
    def manifest(self) -> Manifest:
        """The whole set, read and checked at the first use.

        Raises:
            DataError: see MLRSource.prepare.
        """
        if self._manifest is None:
            manifest = self.source.prepare()
            for other in self.join.values():
                manifest = manifest.joined(other.prepare())
            log.info("%s as an MLR set:\n%s", self.name, manifest.describe())
            self._manifest = manifest
        return self._manifest

    @property
    def num_classes(self) -> int:
        return len(self.manifest.train_labels())

    @property
    def num_eval_images(self) -> int:
        return len(self.manifest.split("query")) + len(self.manifest.split("gallery"))

    def setup(self, stage: str | None = None) -> None:
        self.eval_data = EvalDataset(self.manifest, self.image_size)
        if self.batch is not None and self.augment is not None:
            self.train_data = PairDataset(self.manifest, self.image_size, self.augment)
            self.batches = PKBatchSampler(self.train_data.labels, self.batch.identities, self.batch.images, self.seed)

    def train_dataloader(self) -> DataLoader[PairBatch]:
        return self._loader(self.train_data, batch_sampler=self.batches)

    def val_dataloader(self) -> DataLoader[EvalBatch]:
        return self._loader(self.eval_data, batch_size=self.eval_batch_size, sampler=ShardSampler(self.num_eval_images))

    def test_dataloader(self) -> DataLoader[EvalBatch]:
        return self.val_dataloader()

    def _loader(self, data: Any, **how: Any) -> DataLoader[Any]:
        return DataLoader(data, num_workers=self.workers, persistent_workers=self.workers > 0, **how)
