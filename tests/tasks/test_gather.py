"""Two processes with half of the images each take the step of one with all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from psnet.losses import batch_hard_triplet
from tests.tasks.two_processes import WAYS, batch, gradients, pair, task, unlike

ROOT = Path(__file__).parents[2]


Gradients = dict[str, Tensor]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have left what they computed."""
    folder = tmp_path_factory.mktemp("gradients")
    command = [sys.executable, "-m", "tests.tasks.two_processes"]
    both = [subprocess.Popen([*command, str(rank), str(folder)], cwd=ROOT) for rank in range(2)]
    try:
        assert [process.wait(timeout=120) for process in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
    return folder


@pytest.fixture(scope="module")
def by_two(left: Path) -> dict[tuple[bool, bool], Gradients]:
    """By whether batch norm takes the statistics at hand, and triplets are gathered."""
    return dict(zip(WAYS, torch.load(left / "gradients.pt", weights_only=True), strict=True))


def by_one(normalises: bool) -> Gradients:
    made = task(normalises, gathered=True)
    made.training_step(batch(None), 0).backward()
    return gradients(made)


def farthest(one: Gradients, other: Gradients) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_the_gradients_are_those_of_one_process_with_all_images(by_two: dict[tuple[bool, bool], Gradients]):
    """But for batch norm: with its statistics given, to rounding."""
    one = by_one(normalises=False)
    assert max(float(gradient.abs().max()) for gradient in one.values()) > 0.01
    assert farthest(by_two[False, True], one) < 1e-6


def test_so_are_those_of_the_pair_where_twins_are_spread_unevenly(left: Path):
    made = pair()
    made.training_step(unlike(None), 0).backward()
    one = gradients(made)
    assert max(float(gradient.abs().max()) for name, gradient in one.items() if name.startswith("sr.")) > 0.01
    assert farthest(torch.load(left / "pair.pt", weights_only=True), one) < 1e-5


@pytest.mark.parametrize(("normalises", "gathered"), [(True, True), (False, False)])
def test_what_makes_the_difference(by_two: dict[tuple[bool, bool], Gradients], normalises: bool, gathered: bool):
    """Each process's own batch statistics, unless trainer.sync_batchnorm joins them, and triplets within its batch."""
    assert farthest(by_two[normalises, gathered], by_one(normalises)) > 1e-3


def test_anchors_among_others():
    """The rows of all triplets, a part at a time, average to the whole."""
    features, labels = torch.randn(12, 5, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
    parts = [batch_hard_triplet(features[i::2], labels[i::2], 0.3, (features, labels)) for i in range(2)]
    torch.testing.assert_close(torch.stack(parts).mean(), batch_hard_triplet(features, labels, 0.3))
