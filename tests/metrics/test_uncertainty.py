"""Intervals against the closed form and against coverage; p-values against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from psnet.metrics import QueryResults, cmc_band, compare, confidence_intervals, figures_of
from psnet.metrics.results import results_of


def of_ranks(ranks: list[int]) -> QueryResults:
    """One match each; rank 0 is none."""
    return results_of(torch.arange(len(ranks)), torch.tensor(ranks), torch.full((len(ranks),), 100), max_rank=50)


def test_interval_of_a_share_is_the_closed_form():
    """80 of 200 independent queries: the mean's standard error is sqrt(p (1 - p) / n)."""
    hit = torch.tensor([1.0] * 80 + [0.0] * 120, dtype=torch.float64)
    low, high = confidence_intervals({"hit": hit}, torch.arange(200), draws=20_000)["hit"]
    error = 1.96 * math.sqrt(0.4 * 0.6 / 200)
    assert (low, high) == (pytest.approx(0.4 - error, abs=0.006), pytest.approx(0.4 + error, abs=0.006))


def test_queries_of_one_person_count_as_one():
    """Ten equal queries of each person tell no more than one, so the interval must not shrink."""
    hit = torch.tensor([1.0, 0.0] * 20, dtype=torch.float64)
    one = confidence_intervals({"hit": hit}, torch.arange(40), draws=5000)["hit"]
    ten = confidence_intervals({"hit": hit.repeat_interleave(10)}, torch.arange(40).repeat_interleave(10), draws=5000)
    assert ten["hit"] == pytest.approx(one, abs=1e-12)


def test_it_covers_the_truth_about_as_often_as_it_says():
    random = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(200):
        hit = (torch.rand(120, generator=random) < 0.3).double()
        low, high = confidence_intervals({"hit": hit}, torch.arange(120), level=0.9, draws=400)["hit"]
        covered += low <= 0.3 <= high
    assert 0.84 <= covered / 200 <= 0.96


def test_queries_without_a_match_are_left_out():
    results, pid = of_ranks([1, 0, 3, 0, 1]), torch.arange(5)
    with_them = confidence_intervals(figures_of(results), pid)
    without = confidence_intervals(figures_of(results.select(results.valid)), pid[results.valid])
    assert with_them == without
    with pytest.raises(ValueError, match="0 people have a query with a match"):
        confidence_intervals(figures_of(of_ranks([0, 0])), torch.arange(2))
    with pytest.raises(ValueError, match="level=95 must lie between 0 and 1"):
        confidence_intervals(figures_of(results), pid, level=95)


def test_the_band_is_around_the_curve_and_narrows_to_its_end():
    ranks = torch.randint(1, 40, (60,), generator=torch.Generator().manual_seed(1)).tolist()
    results = of_ranks(ranks)
    band, curve = cmc_band(results, torch.arange(60)), results.hits.mean(0).tolist()
    assert all(low <= value <= high for (low, high), value in zip(band, curve, strict=True))
    assert band[-1] == (1, 1)


def test_p_value_is_that_of_scipy():
    """All 2^10 ways to swap the models, where scipy takes them one by one."""
    first, second = of_ranks([3, 2, 5, 1, 9, 4, 2, 8, 3, 7]), of_ranks([1, 2, 2, 1, 3, 5, 1, 2, 3, 1])
    found = compare(first, second, torch.arange(10), draws=40_000)["mAP"]
    difference = (second.ap - first.ap).numpy()
    expected = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert found.difference == pytest.approx(difference.mean())
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.01)
    assert found.interval.low < found.difference < found.interval.high


def test_equal_models_and_opposite_order():
    first, second = of_ranks([3, 2, 5, 1]), of_ranks([1, 2, 2, 4])
    pid = torch.arange(4)
    assert all(x.difference == 0 and x.p_value == 1 for x in compare(first, first, pid).values())
    there, back = compare(first, second, pid)["rank1"], compare(second, first, pid)["rank1"]
    assert there.difference == -back.difference
    assert there.p_value == pytest.approx(back.p_value)


def test_other_queries_cannot_be_compared():
    with pytest.raises(ValueError, match="3 and 2 queries"):
        compare(of_ranks([1, 2, 3]), of_ranks([1, 2]), torch.arange(3))
    with pytest.raises(ValueError, match="the same queries and gallery"):
        compare(of_ranks([1, 2, 3]), of_ranks([1, 0, 3]), torch.arange(3))


def test_draws_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch):
    """A large set of people must not need a table of draws by people."""
    results, pid = of_ranks(list(range(1, 41))), torch.arange(40)
    whole = confidence_intervals(figures_of(results), pid)
    monkeypatch.setattr("psnet.metrics.uncertainty.DRAWS_AT_ONCE", 90)
    parts = confidence_intervals(figures_of(results), pid)
    assert parts == whole
