"""Decoded images in memory that all loading processes share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from psnet.data.images import read_image, size_of
from psnet.data.samples import DataError

SHARED = Path("/dev/shm")
"""Where Linux counts such memory. Containers are often given 64 MB of it."""

FOR_BATCHES = 64 * 2**20
"""Bytes that are left there for what loading processes send."""


class ImageCache:
    """`decode`, but for each of some files once: whichever process comes first decodes it for all.

    It takes height x width x 3 bytes an image at the size of its file, such as 0.3 GB for Market-1501's training half.
    Each process of a run over several devices has one of its own.

    Args:
        paths: of the files.

    Raises:
        DataError: they would not fit. ImageError: one cannot be read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._places: dict[Path, tuple[int, int, tuple[int, int, int]]] = {}
        end = 0
        for number, path in enumerate(dict.fromkeys(paths)):
            height, width = size_of(path)
            self._places[path] = (number, end, (height, width, 3))
            end += height * width * 3
        _check_room(end)
        self._bytes = torch.empty(end, dtype=torch.uint8).share_memory_()
        self._there = torch.zeros(len(self._places), dtype=torch.bool).share_memory_()

    def __call__(self, path: Path) -> Tensor:
        """(3, H, W), not to be written to."""
        number, begin, (height, width, channels) = self._places[path]
        flat = self._bytes[begin : begin + height * width * channels]
        image = flat.view(height, width, channels).permute(2, 0, 1)
        if not self._there[number]:
            image.copy_(read_image(path))
            self._there[number] = True  # after its pixels; two processes at once write the same ones
        return image

    def __len__(self) -> int:
        """So many are decoded already."""
        return int(self._there.sum())


def _check_room(size: int) -> None:
    needed = size + FOR_BATCHES
    free = shutil.disk_usage(SHARED).free if SHARED.is_dir() else needed
    if free < needed:
        raise DataError(
            f"loader.cache=true needs {needed / 2**20:.0f} MiB of shared memory, and {SHARED} has {free / 2**20:.0f}; "
            "give it more (docker run --shm-size), or leave the cache out"
        )
