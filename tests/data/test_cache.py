"""Images decoded once are the same images, for all loading processes."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torchvision.transforms import v2

from psnet.data import cache
from psnet.data.cache import ImageCache
from psnet.data.datamodule import MLRDataModule
from psnet.data.images import read_image
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.data.samples import DataError


def files(tiny: Manifest) -> list[Path]:
    return [tiny.path(row) for row in tiny.split("train")]


def test_each_file_is_decoded_once(tiny: Manifest, monkeypatch: pytest.MonkeyPatch):
    paths, decoded = files(tiny), []
    monkeypatch.setattr(cache, "read_image", lambda path: decoded.append(path) or read_image(path))
    kept = ImageCache([*paths, *paths])
    assert len(kept) == 0
    for path in [*paths, *reversed(paths)]:
        assert torch.equal(kept(path), read_image(path))
    assert sorted(decoded) == sorted(paths)
    assert len(kept) == len(paths)


@pytest.mark.parametrize("workers", [0, 2])
def test_training_sees_the_same(tiny: Manifest, workers: int):
    augment = v2.Compose([v2.RandomHorizontalFlip(0.5), v2.ColorJitter(0.5)])
    how = {"preprocess": Preprocess((64, 32)), "batch": (2, 2), "augment": augment, "rates_anew": True}
    plain = MLRDataModule(tiny, workers=0, **how)
    cached = MLRDataModule(tiny, workers=workers, cache=True, **how)
    for epoch in range(2):  # the second from memory
        for module in (plain, cached):
            module.batches.set_epoch(epoch)
        batches = list(zip(plain.train_dataloader(), cached.train_dataloader(), strict=True))
        assert all(torch.equal(a, b) for one, other in batches for a, b in zip(one, other, strict=True))
    read = cached.train_data.images.read
    assert isinstance(read, ImageCache)
    assert len(read) == len(set(files(tiny)))  # this process sees what the others have decoded


def test_no_room(tiny: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(cache, "SHARED", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**10))
    with pytest.raises(DataError, match=r"loader\.cache=true needs \d+ MiB of shared .* has 0; give it more"):
        ImageCache(files(tiny))
