"""Training pairs a second on one core, beside Pillow and torchvision's first transforms: python -m benchmarks.loading

All make the same pairs of one set: low and high at 256 x 128, flipped, padded and cropped at random, as float tensors.
They take turns, and ratios are those of a round. Before, what they make is compared without chance in it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate
from torchvision import transforms as first

from benchmarks.composed import composed
from benchmarks.machine import machine, ratios
from psnet.configuration import build
from psnet.data.dataset import PairDataset, as_unit, collate
from psnet.data.degrade import degrade
from psnet.data.manifest import Manifest, Row
from psnet.data.preprocess import Preprocess

SIZE = (256, 128)

BATCH = 32

Images = tuple[Tensor, Tensor]
"""low and high, (B, 3, H, W) in [0, 1]"""


class Reference:
    """As re-ID libraries load: Pillow, and transforms of one image at a time.

    Args:
        files: 2 opens a file for low and one for high, as where low images lie on disk; 1 makes low from high.
    """

    def __init__(self, manifest: Manifest, files: int, varies: bool) -> None:
        self.manifest, self.files = manifest, files
        steps = [first.RandomHorizontalFlip(), first.Pad(10), first.RandomCrop(SIZE)] if varies else []
        self.transform = first.Compose([first.Resize(SIZE), *steps, first.ToTensor()])

    def __call__(self, rows: list[Row]) -> Images:
        low, high = default_collate([self._pair(row, seed) for seed, row in enumerate(rows)])
        return low, high

    def _pair(self, row: Row, seed: int) -> Images:
        sharp = self._open(row)
        low = degrade(self._open(row) if self.files == 2 else sharp, row.rate, row.degradation)
        pair = []
        for image in (low, sharp):
            torch.manual_seed(seed)  # both alike
            pair.append(self.transform(image))
        return pair[0], pair[1]

    def _open(self, row: Row) -> Image.Image:
        with Image.open(self.manifest.path(row)) as image:
            return image.convert("RGB")


class Ours:
    def __init__(self, manifest: Manifest, cache: bool, varies: bool) -> None:
        augment = composed("+recipe@recipe=phase2").recipe.augment
        self.data = PairDataset(manifest, Preprocess(SIZE), build(augment) if varies else torch.nn.Identity())
        if cache:
            self.data.keep_decoded()
        self.index = {row: index for index, row in enumerate(self.data.rows)}

    def __call__(self, rows: list[Row]) -> Images:
        batch = as_unit(collate([self.data[self.index[row], seed] for seed, row in enumerate(rows)]))
        return batch.low, batch.high


def contestants(manifest: Manifest, varies: bool) -> dict[str, Callable[[list[Row]], Images]]:
    return {
        "Pillow, transforms, two files": Reference(manifest, 2, varies),
        "Pillow, transforms, one file": Reference(manifest, 1, varies),
        "psnet": Ours(manifest, False, varies),
        "psnet, loader.cache=true": Ours(manifest, True, varies),
    }


def check(manifest: Manifest, rows: list[Row]) -> str:
    """How far what they make is apart, without flips and crops."""
    one, *others = ([255 * images for images in make(rows)] for make in contestants(manifest, varies=False).values())
    worst = max(float((a - b).abs().max()) for other in others for a, b in zip(one, other, strict=True))
    return f"largest difference of a value, of 255: {worst:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mlr_market751", help="a name of conf/dataset")
    parser.add_argument("--batches", type=int, default=6, help="in a round")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    manifest = build(composed(f"dataset={given.dataset}").dataset.source).prepare()
    low = [row for row in manifest.split("train") if row.is_low]  # a sharp image is one, not a pair
    shuffled = [low[i] for i in torch.randperm(len(low), generator=torch.Generator().manual_seed(0)).tolist()]
    rows = list(itertools.islice(itertools.cycle(shuffled), BATCH * given.batches * given.rounds))
    batches = [rows[begin : begin + BATCH] for begin in range(0, len(rows), BATCH)]
    print(machine())
    rounds = f"{given.rounds} rounds of {given.batches} x {BATCH} pairs"
    print(f"{given.dataset}, {len(low):,} pairs with a low image; one core, {rounds}")
    print(check(manifest, low[:200]))
    makers = contestants(manifest, varies=True)
    for batch in batches:
        makers["psnet, loader.cache=true"](batch)  # from the second epoch on, images are there
    times: dict[str, list[float]] = {name: [] for name in makers}
    for part in range(given.rounds):
        for name, make in makers.items():
            begun = time.perf_counter()
            for batch in batches[part * given.batches : (part + 1) * given.batches]:
                make(batch)
            times[name].append((time.perf_counter() - begun) / (BATCH * given.batches))
    print(f"{'':32} pairs/s, times those of the first   pairs/s")
    unit = times["Pillow, transforms, two files"]
    for name, own in times.items():
        print(f"{name:32} {ratios(unit, own):>36} {1 / sorted(own)[len(own) // 2]:9,.0f}")


if __name__ == "__main__":
    main()
