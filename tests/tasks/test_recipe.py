"""Settings that would fail later fail at once, and the published optimiser against its equations."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from psnet.models import VDSRCA
from psnet.tasks import Batch, PSHRNet, Recipe
from psnet.tasks.schedules import one_cycle
from tests.tasks.tiny import TinyReID, released, watched


def recipe(**changes: Any) -> Recipe:
    settings = {
        "image_size": (64, 32),
        "epochs": 2,
        "batch": Batch(2, 2),
        "augment": lambda images: images,
        "optimizer": partial(torch.optim.SGD, lr=0.1),
        "schedule": one_cycle,
    }
    return Recipe(**{**settings, **changes})


@pytest.mark.parametrize("size", [(96, 48), (64,), (0, 32), (100, 64)])
def test_an_image_size_that_hrnet_cannot_halve(size: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"image_size=.*multiples of 32"):
        recipe(image_size=size)


@pytest.mark.parametrize("name", ["epochs", "validate_every"])
def test_no_epoch(name: str):
    with pytest.raises(ValueError, match=rf"model\.recipe\.{name}=0 must be 1 or more epochs"):
        recipe(**{name: 0})


def test_an_unknown_up_sampling():
    assert recipe().upsampling == "bilinear"
    with pytest.raises(ValueError, match=r"upsampling='lanczos' must be one of bilinear, bicubic"):
        recipe(upsampling="lanczos")


@pytest.mark.parametrize("batch", [(1, 4), (4, 1)])
def test_a_batch_without_triplets(batch: tuple[int, int]):
    with pytest.raises(ValueError, match="at least 2 identities x 2 images"):
        Batch(*batch)


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
def test_steps_of_the_published_optimiser(tmp_path: Path):
    """SGD with Nesterov momentum 0.9 and decay 5e-4 on every parameter, biases and batch norm too:
    d = g + decay * w, v <- 0.9 * v + d, w <- w - rate * (d + 0.9 * v)."""
    torch.manual_seed(0)
    task = PSHRNet(VDSRCA(16, 1), TinyReID(), TinyReID(), recipe=released("phase2"))  # type: ignore[arg-type]
    seen = watched(task, tmp_path, epochs=1, batches=3, precision="64-true")  # decay is a ten-millionth of a weight
    assert len(seen.after) == 3
    assert any("bn" in name for name in seen.before[0])
    for name, first in seen.before[0].items():
        weight, speed = first, torch.zeros_like(first)
        for gradients, after in zip(seen.gradients, seen.after, strict=True):
            step = gradients[name] + 5e-4 * weight
            speed = 0.9 * speed + step
            weight = weight - 3e-4 * (step + 0.9 * speed)
            torch.testing.assert_close(after[name], weight, rtol=1e-12, atol=1e-14)
