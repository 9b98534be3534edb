"""Pillow's resizing as two matrix products: the same bytes as Pillow's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from psnet.data.preprocess import Preprocess
from psnet.engines.resize import Resize

SIDES = st.integers(1, 90)


FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def by_pillow(image: torch.Tensor, size: tuple[int, int], upsampling: str) -> torch.Tensor:
    """Rows, then columns: Pillow 13 takes them in the other order for some sizes."""
    rows = Image.fromarray(image.numpy()).resize((size[1], image.shape[0]), FILTERS[upsampling])
    return torch.from_numpy(np.array(rows.resize((size[1], size[0]), FILTERS[upsampling]))).permute(2, 0, 1)


def noise(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["bilinear", "bicubic"]), st.integers(0, 2**16))
def test_it_gives_what_pillow_gives(height: int, width: int, h: int, w: int, upsampling: str, seed: int):
    """But for values that lie on the edge between two bytes, of which small whole numbers have many."""
    image = noise(height, width, seed)
    found, wanted = Resize((h, w), upsampling)(image[None])[0], by_pillow(image, (h, w), upsampling).float()
    assert float((found - wanted).abs().max()) <= 2  # once in either pass
    assert float((found != wanted).sum()) <= 3 + 0.2 * wanted.numel()


@pytest.mark.parametrize("upsampling", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "away"), [((30, 15), 1e-3), ((64, 32), 1e-3), ((300, 200), 0.01), ((720, 405), 0.01)])
def test_it_gives_what_training_saw(size: tuple[int, int], away: float, upsampling: str):
    preprocess, image = Preprocess((256, 128), upsampling), noise(*size)
    found = Resize(preprocess.image_size, preprocess.upsampling)(image[None])[0]
    assert float((found.to(torch.uint8) != preprocess(image.permute(2, 0, 1))).float().mean()) < away


@pytest.mark.parametrize(("upsampling", "most"), [("bilinear", 1), ("bicubic", 24)])
@pytest.mark.parametrize("size", [(1000, 333), (300, 140), (300, 120)])
def test_the_other_order_of_passes_is_not_far(size: tuple[int, int], upsampling: str, most: int):
    """Of noise, where neighbours have nothing in common."""
    preprocess, image = Preprocess((256, 128), upsampling), noise(*size)
    found = Resize(preprocess.image_size, preprocess.upsampling)(image[None])[0]
    assert float((found - preprocess(image.permute(2, 0, 1)).float()).abs().max()) <= most


def test_an_image_of_the_right_size_stays():
    image = torch.stack([noise(64, 32), noise(64, 32, 1)])
    assert torch.equal(Resize((64, 32), "bicubic")(image), image.permute(0, 3, 1, 2).float())
