"""Figures of a table, and chance against rankings that were really shuffled."""

from __future__ import annotations

import math

import pytest
import torch

from psnet.metrics import Labels, NoMatchError, chance, cmc, evaluate_ranking, per_group, summarise
from psnet.metrics.ranking import QueryResults


def shuffled_rankings(matches: list[int], candidates: list[int], times: int) -> dict[str, float]:
    """Means over `times` random rankings of each query."""
    random = torch.Generator().manual_seed(0)
    figures: dict[str, list[float]] = {"rank1": [], "rank5": [], "mAP": []}
    for m, n in zip(matches, candidates, strict=True):
        order = torch.rand(times, n, generator=random).argsort(1) < m  # which places hold a match
        precision = order.cumsum(1) / torch.arange(1, n + 1)
        figures["mAP"].append(float((precision * order).sum(1).div(m).mean()))
        figures["rank1"].append(float(order[:, 0].double().mean()))
        figures["rank5"].append(float(order[:, :5].any(1).double().mean()))
    return {name: sum(values) / len(values) for name, values in figures.items()}


def results(matches: list[int], candidates: list[int]) -> QueryResults:
    nothing = torch.full((len(matches),), torch.nan, dtype=torch.float64)
    m = torch.tensor(matches)
    return QueryResults(
        nothing[:, None].repeat(1, 50), nothing, nothing, nothing, nothing, m, torch.tensor(candidates), m > 0
    )


def test_chance_against_shuffling():
    matches, candidates = [1, 3, 2, 7], [9, 12, 4, 8]
    expected = shuffled_rankings(matches, candidates, 40_000)
    found = chance(results(matches, candidates))
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.004), name


def test_chance_at_its_edges():
    assert chance(results([1], [1])) == {"rank1": 1, "rank5": 1, "rank10": 1, "rank20": 1, "mAP": 1}
    assert chance(results([3], [3]))["mAP"] == pytest.approx(1)
    assert chance(results([1, 0], [10, 10]))["rank1"] == pytest.approx(0.1)  # without a match: left out


def test_means_are_over_queries_with_a_match():
    q, g = torch.eye(3), torch.eye(3)
    labels = Labels(torch.tensor([0, 1, 9])), Labels(torch.tensor([0, 2, 1]))
    found = summarise(evaluate_ranking(q, g, *labels, camera_rule=False))
    assert found["queries"] == 3
    assert found["queries_without_match"] == 1
    assert found["rank1"] == 0.5
    assert found["rank20"] == 1


def test_cmc_rises_to_one():
    torch.manual_seed(0)
    pid = torch.arange(10)
    curve = cmc(evaluate_ranking(torch.randn(10, 3), torch.randn(10, 3), Labels(pid), Labels(pid), camera_rule=False))
    assert curve == sorted(curve)
    assert curve[9] == 1
    assert len(curve) == 50


def test_per_rate_splits_the_queries():
    torch.manual_seed(0)
    pid = torch.arange(12)
    found = evaluate_ranking(torch.randn(12, 3), torch.randn(12, 3), Labels(pid), Labels(pid), camera_rule=False)
    rates = torch.tensor([2.0, 3.0, 4.0] * 4)
    table = per_group(found, rates)
    assert list(table) == [2.0, 3.0, 4.0]
    assert sum(row["queries"] for row in table.values()) == 12
    mean = sum(row["rank5"] * row["queries"] for row in table.values()) / 12
    assert mean == pytest.approx(summarise(found)["rank5"])
    assert table[3.0]["mAP"] == pytest.approx(found.ap[rates == 3].mean().item())


def test_a_rate_without_any_match_has_counts_only():
    found = evaluate_ranking(
        torch.eye(2), torch.eye(2), Labels(torch.tensor([0, 5])), Labels(torch.tensor([0, 1])), camera_rule=False
    )
    table = per_group(found, torch.tensor([2.0, 3.0]))
    assert table[3.0] == {"queries": 1, "queries_without_match": 1}
    assert not any(math.isnan(value) for value in table[2.0].values())


def test_nothing_to_score():
    labels = Labels(torch.tensor([1])), Labels(torch.tensor([2]))
    with pytest.raises(NoMatchError, match="none of 1 queries has a match"):
        summarise(evaluate_ranking(torch.ones(1, 2), torch.ones(1, 2), *labels, camera_rule=False))
