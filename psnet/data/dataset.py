"""From rows of a manifest to tensors: pairs to train on, images to evaluate. All images are RGB in [0, 1]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as transform

from psnet.data.degrade import degrade
from psnet.data.manifest import Manifest, Row
from psnet.data.sampler import Draw

Augmentation = Callable[[Tensor], Tensor]
"""Of uint8 images (N, 3, H, W), all N in the same way."""

UPSAMPLINGS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
"""Ways to the network's input; bilinear is the method's."""


class PairBatch(NamedTuple):
    """B training pairs (one pair, without the first dimension, before collation).

    low: (B, 3, H, W) what the student sees, at its manifest's rate. high: (B, 3, H, W) its sharp twin, what the
    teacher sees; the same image as low where there is none. has_high: (B,) bool, false in that last case.
    label: (B,) class from 0. is_low: (B,) bool, false of a sharp image, which is its own twin.
    """

    low: Tensor
    high: Tensor
    has_high: Tensor
    label: Tensor
    is_low: Tensor


class EvalBatch(NamedTuple):
    """B images of query and gallery.

    low: (B, 3, H, W) what the network sees (a sharp image for most of the gallery). bicubic: the same image
    up-sampled by bicubic interpolation, whatever low is, what restoration is compared with. high, has_high,
    is_low: as in PairBatch. pid, camid: (B,). rate: (B,), 1 of a sharp image and where nobody knows.
    is_query: (B,) bool. row: (B,) number of the image, from 0 without gaps.
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


class RowImages:
    """The images of one row at the network's size (height, width).

    Everything, low and sharp, is resized by one filter of Pillow's: `upsampling`, a name of `UPSAMPLINGS`.
    """

    def __init__(self, manifest: Manifest, image_size: tuple[int, int], upsampling: str = "bilinear") -> None:
        self.manifest = manifest
        self.size = (image_size[1], image_size[0])
        self.resampling = UPSAMPLINGS[upsampling]

    def low_native(self, row: Row) -> Image.Image:
        """The low image before it is resized to the network's input."""
        image = open_rgb(self.manifest.path(row))
        return degrade(image, row.rate, row.degradation) if row.degradation else image

    def low(self, row: Row, resampling: Image.Resampling | None = None) -> Image.Image:
        """At the network's size, as the network sees it unless another filter is given."""
        return self.low_native(row).resize(self.size, self.resampling if resampling is None else resampling)

    def high(self, row: Row) -> Image.Image:
        return open_rgb(self.manifest.high_path(row)).resize(self.size, self.resampling)

    def pair(self, row: Row) -> tuple[Image.Image, Image.Image]:
        """(low, high) from one decoding where one file serves both."""
        if row.high:
            return self.low(row), self.high(row)
        source = open_rgb(self.manifest.path(row))
        high = source.resize(self.size, self.resampling)
        if not row.degradation:
            return high, high
        return degrade(source, row.rate, row.degradation).resize(self.size, self.resampling), high


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
        image_size: tuple[int, int],
        augment: Augmentation,
        upsampling: str = "bilinear",
        rates_anew: bool = False,
    ) -> None:
        self.rows = manifest.split("train")
        labels = manifest.train_labels()
        self.labels = [labels[row.source, row.pid] for row in self.rows]
        self.images = RowImages(manifest, image_size, upsampling)
        self.augment = augment
        self.rates: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for row in self.rows:
            if rates_anew and not row.native_low:
                self.rates[row.source, row.camid].append(row)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, draw: Draw) -> PairBatch:
        index, seed = draw
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed sees to devices too, which takes longer
            row = self._at_another_rate(self.rows[index])
            low, high = self.images.pair(row)
            different = [low] if low is high else [low, high]
            images = self.augment(tv_tensors.Image(torch.stack([transform.pil_to_tensor(x) for x in different])))
        return PairBatch(
            low=_to_unit(images[0]),
            high=_to_unit(images[-1]),
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

    def __init__(self, manifest: Manifest, image_size: tuple[int, int], upsampling: str = "bilinear") -> None:
        self.rows = manifest.split("query") + manifest.split("gallery")
        self.images = RowImages(manifest, image_size, upsampling)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> EvalBatch:
        row = self.rows[index]
        low, high = (_to_unit(transform.pil_to_tensor(image)) for image in self.images.pair(row))
        bicubic = low
        if row.is_low:
            bicubic = _to_unit(transform.pil_to_tensor(self.images.low(row, Image.Resampling.BICUBIC)))
        return EvalBatch(
            low=low,
            bicubic=bicubic,
            high=high,
            has_high=torch.tensor(row.has_high),
            pid=torch.tensor(row.pid),
            camid=torch.tensor(row.camid),
            is_low=torch.tensor(row.is_low),
            rate=torch.tensor(row.rate),
            is_query=torch.tensor(row.split == "query"),
            row=torch.tensor(index),
        )


def open_rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _to_unit(image: Tensor) -> Tensor:
    """uint8 -> float32 in [0, 1], as a plain tensor."""
    return image.as_subclass(torch.Tensor).to(torch.float32).div_(255)
