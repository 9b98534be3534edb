"""The losses of both phases for one batch, computed again with numpy from features that are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from psnet.data.dataset import PairBatch
from psnet.models import VDSRCA, ReIDFeatures
from psnet.tasks import PSHRNet, ReID, Task
from tests.tasks.tiny import TinyReID, tiny_batch

PEOPLE, IMAGES = 5, 3
WIDTHS = (7, 4, 6, 3)
LABELS = np.arange(PEOPLE).repeat(IMAGES)
MEAN, STD = (np.array(x).reshape(1, 3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))


class Gives(nn.Module):
    """Says the same of every image."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Any:
        return self.answer


def features(seed: int) -> ReIDFeatures:
    random = torch.Generator().manual_seed(seed)
    branches = tuple(0.2 * torch.randn(len(LABELS), width, generator=random) for width in WIDTHS)
    neck, logits = (torch.randn(len(LABELS), width, generator=random) for width in (9, PEOPLE))
    return ReIDFeatures(branches, torch.cat(branches, 1), neck, logits)


def images(seed: int) -> Tensor:
    return torch.rand(len(LABELS), 3, 4, 2, generator=torch.Generator().manual_seed(seed))


def pairs(has_high: Tensor) -> PairBatch:
    return PairBatch(images(1), images(2), has_high, torch.from_numpy(LABELS), has_high)


def cross_entropy(logits: np.ndarray, smoothing: float) -> float:
    """The right class has 1 - smoothing, and all classes, that one too, a share of the rest."""
    total = 0.0
    for scores, label in zip(logits, LABELS, strict=True):
        log_p = scores - np.log(np.exp(scores).sum())
        total -= (1 - smoothing) * log_p[label] + smoothing / PEOPLE * log_p.sum()
    return total / len(LABELS)


def triplet(vectors: np.ndarray, margin: float = 0.3) -> float:
    hinges = []
    for anchor, label in zip(vectors, LABELS, strict=True):
        distances = np.sqrt(((vectors - anchor) ** 2).sum(1))
        hinges.append(max(0.0, distances[label == LABELS].max() - distances[label != LABELS].min() + margin))
    assert np.count_nonzero(hinges) > 0
    return float(np.mean(hinges))


def numbers(found: ReIDFeatures) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    return [x.numpy().astype(float) for x in found.branches], found.pooled.numpy(), found.logits.numpy().astype(float)


def loss_of(task: Task, batch: PairBatch) -> float:
    task.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    return task.training_step(batch, 0).item()


@pytest.mark.parametrize("everyone", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"triplet_pooled": False},
        {"triplet_weight": 5.0},  # the sum of five instead of their mean
        {"label_smoothing": 0.0},
        {"ce_weight": 2.0, "sr_weight": 3.0, "ps_weight": 4.0, "margin": 1.0},
    ],
    ids=str,
)
def test_phase_2(settings: dict[str, Any], everyone: bool):
    seen, mine, restored = features(3), features(4), images(5)
    has_high = torch.ones(len(LABELS), dtype=torch.bool) if everyone else torch.arange(len(LABELS)) % 3 > 0
    batch = pairs(has_high)
    task = PSHRNet(Gives(restored), Gives(mine), Gives(seen), **settings)  # type: ignore[arg-type]

    branches, pooled, logits = numbers(mine)
    of_teacher = [*numbers(seen)[0], seen.pooled.numpy(), seen.logits.numpy()]
    vectors = branches if settings.get("triplet_pooled") is False else [pooled, *branches]
    kept = has_high.numpy()
    ce = cross_entropy(logits, settings.get("label_smoothing", 0.1))
    triplets = sum(triplet(x, settings.get("margin", 0.3)) for x in vectors) / len(vectors)
    normalised = [(x.numpy() - MEAN) / STD for x in (restored, batch.high)]
    l_sr = np.abs(normalised[0] - normalised[1])[kept].mean()
    six = list(zip([*branches, pooled, logits], of_teacher, strict=True))
    assert len(six) == 6
    l_ps = sum(np.abs(a - b)[kept].mean() for a, b in six)
    weights = {"ce_weight": 1.15, "triplet_weight": 1.0, "sr_weight": 0.5, "ps_weight": 0.5, **settings}
    expected = weights["ce_weight"] * ce + weights["triplet_weight"] * triplets
    expected += weights["sr_weight"] * l_sr + weights["ps_weight"] * l_ps
    assert loss_of(task, batch) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "settings", [{}, {"label_smoothing": 0.0}, {"ce_weight": 1.15, "triplet_pooled": True}], ids=str
)
def test_phase_1_and_the_row_id(settings: dict[str, Any]):
    """The last is the row ID with the terms of phase 2."""
    mine = features(4)
    branches, pooled, logits = numbers(mine)
    vectors = [pooled, *branches] if settings.get("triplet_pooled") else branches
    ce = cross_entropy(logits, settings.get("label_smoothing", 0.1))
    expected = settings.get("ce_weight", 1.0) * ce + sum(map(triplet, vectors)) / len(vectors)
    task = ReID(Gives(mine), **settings)  # type: ignore[arg-type]
    assert loss_of(task, pairs(torch.ones(len(LABELS), dtype=torch.bool))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("term", ["ce_weight", "triplet_weight", "sr_weight", "ps_weight"])
def test_every_term_reaches_the_restorer(term: str):
    """It is trained by what the network behind it makes of its images, not by L_SR alone."""
    torch.manual_seed(0)
    only = {"ce_weight": 0.0, "triplet_weight": 0.0, "sr_weight": 0.0, "ps_weight": 0.0, term: 1.0}
    task = PSHRNet(VDSRCA(16, 1), TinyReID(), TinyReID(), **only)  # type: ignore[arg-type]
    task.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    task.training_step(tiny_batch(), 0).backward()
    gradients = [p.grad for p in task.sr.parameters() if p.ndim == 4]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
