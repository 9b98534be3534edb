"""What is frozen does not move, and each part learns at its own rate."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from psnet.tasks import PSHRNet, ReID, Task
from tests.tasks.tiny import TinyReID, released, watched


def recipe(**more: Any) -> Any:
    return replace(released("phase2"), optimizer=partial(torch.optim.SGD, lr=0.01), **more)


def test_what_is_frozen_stays(tmp_path: Path):
    torch.manual_seed(0)
    task = ReID(TinyReID(), recipe=recipe(frozen=["reid.bn", "reid.branches.1"]))
    task.freeze_parts()
    statistics = [buffer.clone() for buffer in task.reid.bn.buffers()]
    seen = watched(task, tmp_path, epochs=2)
    still = {name for name in seen.before[0] if torch.equal(seen.before[0][name], seen.after[-1][name])}
    assert still == {f"reid.{part}.{kind}" for part in ("bn", "branches.1") for kind in ("weight", "bias")}
    assert all(torch.equal(*pair) for pair in zip(statistics, task.reid.bn.buffers(), strict=True))
    assert not task.reid.bn.training
    assert task.reid.fc1.training


def test_each_part_has_its_rate(tmp_path: Path):
    """Plain gradient descent: a step is the rate times the gradient. The longest name decides."""
    torch.manual_seed(0)
    factors = {"reid": 0.5, "reid.branches": 0.1, "reid.branches.2": 2.0}
    task = ReID(TinyReID(), recipe=recipe(lr_factors=factors))
    task.freeze_parts()
    seen = watched(task, tmp_path, epochs=1, batches=1)
    assert sorted(seen.rates[0]) == pytest.approx([3e-5, 1.5e-4, 6e-4])  # of phase 2's 3e-4
    for name, gradient in seen.gradients[0].items():
        factor = 2.0 if name.startswith("reid.branches.2") else 0.1 if "branches" in name else 0.5
        step = seen.before[0][name] - seen.after[0][name]
        torch.testing.assert_close(step, 3e-4 * factor * gradient, rtol=1e-3, atol=1e-7)


def test_beside_a_rate_of_the_restorer(tmp_path: Path):
    task = PSHRNet(nn.Conv2d(3, 3, 1), TinyReID(), sr_lr=0.002, recipe=recipe(lr_factors={"reid.fc1": 0.1}))
    task.freeze_parts()
    seen = watched(task, tmp_path, epochs=6, batches=1)
    assert sorted(seen.rates[0]) == pytest.approx([0.00003, 0.0003, 0.0003])  # the warm-up's is one for all
    assert sorted(seen.rates[-1]) == pytest.approx([0.001, 0.002, 0.01])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"frozen": ["reid.stage1"]}, r"frozen: ReID has no part 'reid\.stage1'; instead of 'stage1' there are .*fc1"),
        ({"lr_factors": {"sr": 0.1}}, r"lr_factors: ReID has no part 'sr'; instead of 'sr' there are .*reid"),
        ({"frozen": ["reid"]}, r"model\.recipe\.frozen=\['reid'\] leaves nothing to train"),
    ],
    ids=["frozen", "factor", "all"],
)
def test_what_cannot_be(more: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        ReID(TinyReID(), recipe=recipe(**more)).freeze_parts()


WRONG: list[dict[str, Any]] = [{"average": 1.0}, {"patience": 0}, {"clip": 0.0}, {"accumulate": 0}]


@pytest.mark.parametrize("value", [*WRONG, {"lr_factors": {"reid": 0.0}}], ids=str)
def test_values_that_cannot_be(value: dict[str, Any]):
    with pytest.raises(ValueError, match=rf"model\.recipe\.{next(iter(value))}="):
        recipe(**value)


def test_without_a_recipe_nothing_is_frozen():
    task: Task = ReID(TinyReID())
    task.freeze_parts()
    assert all(p.requires_grad for p in task.train().parameters())
