"""Regions in colour, against the formula, pixel by pixel."""

from __future__ import annotations

import numpy as np
import torch

from psnet.regions import coloured

IMAGE = torch.randint(0, 256, (3, 40, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_nothing_is_coloured_where_nothing_adds():
    assert torch.equal(coloured(IMAGE, torch.zeros(10, 5)), IMAGE)


def test_the_strongest_shows_a_quarter_of_the_image():
    by_hand = np.rint(0.25 * IMAGE.numpy().astype(float) + 0.75 * np.array([255, 70, 0])[:, None, None])
    assert np.abs(coloured(IMAGE, torch.ones(10, 5)).numpy() - by_hand).max() <= 1
    assert coloured(IMAGE, torch.ones(10, 5)).dtype == torch.uint8


def test_a_region_lies_where_it_is():
    strength = torch.zeros(10, 5)
    strength[:5] = 1
    found = coloured(IMAGE, strength)
    assert torch.equal(found[:, 25:], IMAGE[:, 25:])
    assert torch.equal(found[:, :15], coloured(IMAGE, torch.ones(10, 5))[:, :15])
