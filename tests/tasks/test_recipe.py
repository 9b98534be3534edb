"""Settings that would fail later fail at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from psnet.tasks import Batch, Recipe
from psnet.tasks.schedules import one_cycle


def recipe(**changes: Any) -> Recipe:
    settings = {
        "image_size": (64, 32),
        "epochs": 2,
        "batch": Batch(2, 2),
        "augment": lambda low, high: (low, high),
        "optimizer": partial(torch.optim.SGD, lr=0.1),
        "schedule": one_cycle,
    }
    return Recipe(**{**settings, **changes})


@pytest.mark.parametrize("size", [(96, 48), (64,), (0, 32), (100, 64)])
def test_an_image_size_that_hrnet_cannot_halve(size: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"image_size=.*multiples of 32"):
        recipe(image_size=size)


def test_an_unknown_up_sampling():
    assert recipe().upsampling == "bilinear"
    with pytest.raises(ValueError, match=r"upsampling='lanczos' must be one of bilinear, bicubic"):
        recipe(upsampling="lanczos")


@pytest.mark.parametrize("batch", [(1, 4), (4, 1)])
def test_a_batch_without_triplets(batch: tuple[int, int]):
    with pytest.raises(ValueError, match="at least 2 identities x 2 images"):
        Batch(*batch)
