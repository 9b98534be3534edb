"""TAR at FAR against scikit-learn's ROC on all pairs, and against sorting everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve

from psnet.metrics import (
    GivenScores,
    Labels,
    Rules,
    Verification,
    accept_rates,
    kernels,
    own_images,
    scores,
    thresholds,
    verify,
)
from psnet.metrics.scores import Distance


def case(seed: int, ties: bool = False, queries: int = 30, gallery: int = 200):  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    make = (lambda *shape: torch.randint(-2, 3, shape).float()) if ties else torch.randn
    pid = torch.randint(0, 9, (queries,)), torch.randint(-1, 9, (gallery,))
    camid = torch.randint(0, 3, (queries,)), torch.randint(0, 3, (gallery,))
    means = torch.randn(10, 12)
    q, g = (make(len(p), 12) + (0 if ties else 1) * means[p] for p in pid)
    return q, g, Labels(pid[0], camid[0]), Labels(pid[1], camid[1])


def all_pairs(q, g, ql, gl, distance: str, camera_rule: bool, junk: int | None):  # type: ignore[no-untyped-def]
    """(score, same person) of every pair that takes part, in float64."""
    score = torch.nn.functional.normalize(q.double()) @ torch.nn.functional.normalize(g.double()).T
    if distance == "euclidean":
        score = -torch.cdist(q.double(), g.double(), compute_mode="donot_use_mm_for_euclid_dist")
    same = ql.pid[:, None] == gl.pid
    left = torch.ones_like(same)
    if camera_rule:
        left &= ~(same & (ql.camid[:, None] == gl.camid))
    if junk is not None:
        left &= gl.pid != junk
    return score[left].numpy(), same[left].numpy()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize(("camera_rule", "junk"), [(True, None), (False, -1)])
def test_against_scikit_learn(distance, camera_rule, junk):  # type: ignore[no-untyped-def]
    data = case(0)
    rates = (1e-3, 1e-2, 0.1, 0.5, 1.0)
    found = verify(*data, far=rates, distance=distance, camera_rule=camera_rule, junk_pid=junk)
    score, label = all_pairs(*data, distance, camera_rule, junk)
    far, tar, _ = roc_curve(label, score, drop_intermediate=False)
    for rate, mine in zip(rates, found.tar, strict=True):
        assert mine == pytest.approx(tar[far <= rate + 1e-12].max())
    assert (found.true_pairs, found.false_pairs) == (label.sum(), (~label).sum())


@pytest.mark.parametrize("path", ["usual", "torch", "small blocks"])
def test_ties_and_paths(path: str, monkeypatch: pytest.MonkeyPatch):
    """With ties no false pair too many is accepted, and each path says the same."""
    if path == "torch":
        monkeypatch.setattr(kernels, "serve", lambda tensor: False)
    if path == "small blocks":
        monkeypatch.setattr(scores, "GALLERY_AT_ONCE", 17)
        monkeypatch.setattr(scores, "HELD", 100)
    data = case(1, ties=True)
    rates = (0.003, 0.02, 0.2)
    found = verify(*data, far=rates, distance="euclidean")
    score, label = all_pairs(*data, "euclidean", True, None)
    false = np.sort(score[~label])[::-1]
    for rate, tar, threshold in zip(rates, found.tar, found.threshold, strict=True):
        worst = false[math.floor(rate * len(false))]
        assert threshold == pytest.approx(worst)
        assert tar == pytest.approx((score[label] > worst + 1e-9).mean())


@pytest.mark.parametrize("kind", ["ties", "real", "nearly equal", "one is long", "given"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_few_may_be_held(kind: str, distance: Distance, monkeypatch: pytest.MonkeyPatch):
    """By leading bits, the very thresholds of sorting."""
    q, g, *labels = case(4, ties=kind == "ties")
    if kind == "nearly equal":
        q, g = (1 + 1e-6 * x for x in (q, g))
    if kind == "one is long":
        g[7] *= 1000
    rates = (0.003, 0.02, 0.021, 0.2, 0.9, 1.0)

    def found() -> Verification:
        if kind != "given":
            return verify(q, g, *labels, far=rates, distance=distance)
        own = own_images(*labels, Rules())
        return accept_rates(GivenScores(1 - torch.cdist(q, g), own), own, rates)

    usual = found()
    monkeypatch.setattr(thresholds, "HELD", 1)
    assert found() == usual
    assert len(set(usual.threshold)) > 3


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """A network that has collapsed, nearly: all scores in one bin, no two equal."""
    torch.manual_seed(0)
    q, g = (1 + 1e-6 * torch.randn(n, 8) for n in (40, 500))
    labels = Labels(torch.arange(40)), Labels(torch.arange(500))
    held = []
    monkeypatch.setattr(thresholds, "HELD", 1000)
    score = thresholds._Sought.score
    monkeypatch.setattr(thresholds._Sought, "score", lambda one: held.append(sum(map(len, one.held))) or score(one))
    verify(q, g, *labels, camera_rule=False)
    assert 0 < max(held) <= 1000 // 4


def test_many_equal_scores_in_one_bin():
    q, g = torch.ones(4, 3), torch.ones(50, 3)
    found = verify(q, g, Labels(torch.zeros(4).long()), Labels(torch.arange(50) % 5), camera_rule=False, far=(0.1, 1))
    assert found.tar == (0.0, 1.0)
    assert found.threshold == (pytest.approx(1.0), float("-inf"))


def test_a_rate_that_needs_more_pairs_is_unknown():
    data = case(2, queries=3, gallery=20)
    found = verify(*data, far=(1e-4, 0.5))
    assert math.isnan(found.tar[0])
    assert 0 <= found.tar[1] <= 1


def test_what_cannot_be_asked():
    data = case(3)
    with pytest.raises(ValueError, match=r"far=\[0\]: false accept rates lie above 0"):
        verify(*data, far=(0,))
    alone = Labels(torch.zeros(2).long()), Labels(torch.ones(2).long())
    with pytest.raises(ValueError, match="0 true and 4 false pairs"):
        verify(torch.ones(2, 2), torch.ones(2, 2), *alone, camera_rule=False)
