"""From rows of a manifest to tensors: pairs to train on, images to evaluate.

Images are RGB, bytes as they are loaded and in [0, 1] when a network sees them, see `as_unit`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import Dataset

from psnet.data import images
from psnet.data.cache import ImageCache
from psnet.data.degrade import degrade
from psnet.data.images import Filter, from_pillow, read_image, stack, to_pillow
from psnet.data.manifest import Manifest, Row
from psnet.data.preprocess import Preprocess
from psnet.data.sampler import Draw

Augmentation = Callable[[Tensor], Tensor]
"""Of uint8 images (N, 3, H, W), all N in the same way."""


class PairBatch(NamedTuple):
    """B training pairs (one pair, without the first dimension, before collation).

    low: (B, 3, H, W) in [0, 1] (bytes before `as_unit`), what the student sees, at its manifest's rate. high: of the
    same shape, its sharp twin, what the teacher sees; the same image as low where there is none. has_high: (B,) bool,
    false in that last case. label: (B,) class from 0. is_low: (B,) bool, false of a sharp image, which is its own twin.
    """

    low: Tensor
    high: Tensor
    has_high: Tensor
    label: Tensor
    is_low: Tensor


class EvalBatch(NamedTuple):
    """B images of query and gallery.

    low: (B, 3, H, W) in [0, 1] (bytes before `as_unit`), what the network sees (a sharp image for most of the
    gallery). bicubic: the same image up-sampled by bicubic interpolation, whatever low is, what restoration is compared
    with. high, has_high, is_low: as in PairBatch. pid, camid: (B,). rate: (B,), 1 of a sharp image and where nobody
    knows. is_query: (B,) bool. row: (B,) number of the image, from 0 without gaps.
    """

    low: Tensor
    bicubic: Tensor
    high: Tensor
    has_high: Tensor
    pid: Tensor
    camid: Tensor
    is_low: Tensor
    rate: Tensor
    is_query: Tensor
    row: Tensor


AnyBatch = TypeVar("AnyBatch", PairBatch, EvalBatch)


def collate(items: Sequence[AnyBatch]) -> AnyBatch:
    """Single ones to a batch."""
    columns = zip(*items, strict=True)
    return type(items[0])(*(stack(column) if column[0].ndim == 3 else torch.stack(column) for column in columns))


def as_unit(batch: AnyBatch) -> AnyBatch:
    """Its images as float32 in [0, 1] where they are bytes: where a batch is used, as bytes are loaded and sent in a
    quarter of the time. Others stay as they are."""
    return batch._replace(**{name: images.as_unit(part) for name, part in batch._asdict().items()})


class RowImages:
    """The images of one row, uint8 RGB (3, H, W), low and sharp alike as the network's input."""

    def __init__(self, manifest: Manifest, preprocess: Preprocess) -> None:
        self.manifest = manifest
        self.preprocess = preprocess
        self.read: Callable[[Path], Tensor] = read_image

    def low_native(self, row: Row) -> Tensor:
        """The low image before it is resized to the network's input."""
        return _degraded(self.read(self.manifest.path(row)), row)

    def low(self, row: Row, filter: Filter | None = None) -> Tensor:
        """At the network's size, as the network sees it unless another filter is given."""
        return self.preprocess(self.low_native(row), filter)

    def high(self, row: Row) -> Tensor:
        return self.preprocess(self.read(self.manifest.high_path(row)))

    def pair(self, row: Row) -> tuple[Tensor, Tensor]:
        """(low, high) from one decoding where one file serves both; the same object where they are one image."""
        if row.high:
            return self.low(row), self.high(row)
        source = self.read(self.manifest.path(row))
        high = self.preprocess(source)
        return (self.preprocess(_degraded(source, row)) if row.degradation else high), high


def _degraded(image: Tensor, row: Row) -> Tensor:
    return from_pillow(degrade(to_pillow(image), row.rate, row.degradation)) if row.degradation else image


class PairDataset(Dataset[PairBatch]):
    """Training pairs.

    Args:
        augment: a torchvision v2 transform. It is called once with both images of a pair, so its draws are the same.
        rates_anew: each time an image is shown it takes the rate of a random training image of its set and camera,
            which may be a sharp one. So each camera keeps its share of low images, but which they are and how low
            changes. Files that are low already stay as they are. Off, the rates are those of the manifest.
    """

    def __init__(
        self,
        manifest: Manifest,
        preprocess: Preprocess,
        augment: Augmentation,
        rates_anew: bool = False,
    ) -> None:
        self.rows = manifest.split("train")
        labels = manifest.train_labels()
        self.labels = [labels[row.source, row.pid] for row in self.rows]
        self.images = RowImages(manifest, preprocess)
        self.augment = augment
        self.rates: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for row in self.rows:
            if rates_anew and not row.native_low:
                self.rates[row.source, row.camid].append(row)

    def __len__(self) -> int:
        return len(self.rows)

    def keep_decoded(self) -> None:
        """From now on decode each file once, for all processes that are started later; see `ImageCache`."""
        if not isinstance(self.images.read, ImageCache):
            manifest = self.images.manifest
            paths = (path for row in self.rows for path in (manifest.path(row), manifest.high_path(row)))
            self.images.read = ImageCache(paths)

    def __getitem__(self, draw: Draw) -> PairBatch:
        index, seed = draw
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed sees to devices too, which takes longer
            row = self._at_another_rate(self.rows[index])
            low, high = self.images.pair(row)
            different = [low] if low is high else [low, high]
            varied = self.augment(stack(different)).contiguous(memory_format=torch.channels_last)
        return PairBatch(
            low=varied[0],
            high=varied[-1],
            has_high=torch.tensor(row.has_high),
            label=torch.tensor(self.labels[index]),
            is_low=torch.tensor(row.is_low),
        )

    def _at_another_rate(self, row: Row) -> Row:
        like = self.rates.get((row.source, row.camid), ())
        if not like or row.native_low:
            return row
        other = like[int(torch.randint(len(like), ()))]
        return replace(row, rate=other.rate, degradation=other.degradation)


class EvalDataset(Dataset[EvalBatch]):
    """Query first, then gallery."""

    def __init__(self, manifest: Manifest, preprocess: Preprocess) -> None:
        self.rows = manifest.split("query") + manifest.split("gallery")
        self.images = RowImages(manifest, preprocess)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> EvalBatch:
        row = self.rows[index]
        low, high = self.images.pair(row)
        return EvalBatch(
            low=low,
            bicubic=self.images.low(row, Filter.BICUBIC) if row.is_low else low,
            high=high,
            has_high=torch.tensor(row.has_high),
            pid=torch.tensor(row.pid),
            camid=torch.tensor(row.camid),
            is_low=torch.tensor(row.is_low),
            rate=torch.tensor(row.rate),
            is_query=torch.tensor(row.split == "query"),
            row=torch.tensor(index),
        )
