"""The losses against slow twins, another library, and their own edges."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner

from psnet.losses import batch_hard_triplet, feature_distance, restoration


def slow_triplet(features: torch.Tensor, labels: torch.Tensor, margin: float) -> float:
    total = 0.0
    points, names = features.tolist(), labels.tolist()
    for a in range(len(points)):
        same = [math.dist(points[a], points[b]) for b in range(len(points)) if names[b] == names[a]]
        other = [math.dist(points[a], points[b]) for b in range(len(points)) if names[b] != names[a]]
        if other:
            total += max(0.0, max(same) - min(other) + margin)
    return total / len(points)


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 2.0]))
def test_triplet_against_a_slow_twin(size: int, dimensions: int, seed: int, margin: float):
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(size, dimensions, generator=random)
    labels = torch.randint(0, 4, (size,), generator=random)
    expected = slow_triplet(features, labels, margin)
    assert batch_hard_triplet(features, labels, margin).item() == pytest.approx(expected, abs=1e-5)


def test_triplet_against_another_library():
    torch.manual_seed(0)
    features, labels = torch.randn(24, 16), torch.arange(6).repeat_interleave(4)
    distance = LpDistance(normalize_embeddings=False)
    theirs = TripletMarginLoss(0.3, distance=distance, reducer=_mean())
    expected = theirs(features, labels, BatchHardMiner(distance=distance)(features, labels))
    torch.testing.assert_close(batch_hard_triplet(features, labels, 0.3), expected)


def _mean():  # type: ignore[no-untyped-def]
    from pytorch_metric_learning.reducers import MeanReducer

    return MeanReducer()  # theirs averages over the triplets that are not 0 unless told otherwise


def test_triplet_of_one_person_is_zero_and_has_a_gradient():
    features = torch.randn(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros(4, 3))


def test_triplet_gradient_of_equal_images_is_finite():
    features = torch.ones(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert torch.isfinite(features.grad).all()


def test_triplet_in_half_precision_keeps_small_distances():
    """Points far from the origin and near each other: what |a|^2 - 2ab + |b|^2 gets wrong."""
    features = (100 + torch.tensor([[0.0], [0.5], [1.5]])).repeat(1, 64)
    labels = torch.tensor([0, 0, 1])
    expected = slow_triplet(features, labels, 0.3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert batch_hard_triplet(features, labels).item() == pytest.approx(expected, rel=1e-5)


def test_restoration_is_the_mean_over_pairs_with_a_twin():
    torch.manual_seed(0)
    restored, high = torch.rand(3, 3, 4, 2), torch.rand(3, 3, 4, 2)
    mask = torch.tensor([True, False, True])
    pixels = [abs(a - b) for i in (0, 2) for a, b in zip(restored[i].flatten(), high[i].flatten(), strict=True)]
    assert restoration(restored, high, mask).item() == pytest.approx(float(sum(pixels)) / len(pixels), rel=1e-5)
    whole = torch.nn.functional.l1_loss(restored, high)
    torch.testing.assert_close(restoration(restored, high, torch.ones(3, dtype=torch.bool)), whole)


def test_restoration_takes_weights():
    restored, high = torch.zeros(2, 3, 2, 2), torch.stack([torch.full((3, 2, 2), 1.0), torch.full((3, 2, 2), 5.0)])
    assert restoration(restored, high, torch.tensor([1.0, 0.5])).item() == pytest.approx((1 + 2.5) / 1.5)


def test_without_twins_both_are_zero_with_a_zero_gradient():
    restored = torch.rand(2, 3, 4, 2, requires_grad=True)
    student = torch.rand(2, 5, requires_grad=True)
    nobody = torch.zeros(2, dtype=torch.bool)
    loss = restoration(restored, torch.rand(2, 3, 4, 2), nobody) + feature_distance(
        [torch.rand(2, 5)], [student], nobody
    )
    loss.backward()
    assert loss.item() == 0
    assert not restored.grad.any()
    assert not student.grad.any()


def test_feature_distance_is_the_sum_of_the_means():
    torch.manual_seed(0)
    lengths = (6, 2, 1, 2, 1, 4)
    teacher, student = [torch.randn(5, n) for n in lengths], [torch.randn(5, n) for n in lengths]
    expected = sum(torch.nn.functional.l1_loss(s, t) for s, t in zip(student, teacher, strict=True))
    everyone = torch.ones(5, dtype=torch.bool)
    torch.testing.assert_close(feature_distance(teacher, student, everyone), expected)
    some = torch.tensor([True, False, True, True, False])
    expected = sum((s[some] - t[some]).abs().mean() for s, t in zip(student, teacher, strict=True))
    torch.testing.assert_close(feature_distance(teacher, student, some), expected)


def test_features_must_match():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        feature_distance([torch.rand(1, 2)] * 2, [torch.rand(1, 2)], torch.tensor([True]))
