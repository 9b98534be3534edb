"""How far to trust a figure: confidence intervals, and whether one model is better than another.

Queries of one person resemble each other, so people are drawn, not queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from psnet.metrics.results import QueryResults
from psnet.metrics.summary import RANKS

DRAWS_AT_ONCE = 1 << 22
"""Random numbers held at once."""


class Interval(NamedTuple):
    """Ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Of one figure of two models. difference: second minus first. interval: of the difference. p_value: how likely one
    at least as large, either way, would be if the models were equally good."""

    difference: float
    interval: Interval
    p_value: float


def figures_of(results: QueryResults, ranks: Sequence[int] = RANKS) -> dict[str, Tensor]:
    """What `summarise` takes the means of: (Q,) float64 each, NaN for queries without a match."""
    hits = {f"rank{k}": results.hits[:, k - 1] for k in ranks}
    return {**hits, "mAP": results.ap, "mAP_trapezoid": results.ap_trapezoid, "mINP": results.inp}


def confidence_intervals(
    figures: Mapping[str, Tensor], pid: Tensor, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Of the mean of each figure, by the bootstrap over people (Efron, "Bootstrap Methods", 1979; percentiles).

    Args:
        figures: (Q,) per query each, as of `figures_of`; NaN leaves a query out. pid: (Q,) whose queries they are.
        level: share of repetitions of the experiment, with other people, whose figure the interval is to cover.

    Raises:
        ValueError: level outside of 0..1; fewer than two people have a query with a match.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, such as 0.95")
    sums, counts = _by_person(torch.stack(list(figures.values()), dim=1), pid)
    means = torch.cat([times @ sums / (times @ counts)[:, None] for times in _resamples(len(counts), draws, seed)])
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.quantile(means, ends, dim=0)
    return {name: Interval(float(low[i]), float(high[i])) for i, name in enumerate(figures)}


def cmc_band(
    results: QueryResults, pid: Tensor, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> list[Interval]:
    """`confidence_intervals` of Rank-1, Rank-2, ..., each by itself."""
    ranks = range(1, results.hits.shape[1] + 1)
    curve = {str(k): results.hits[:, k - 1] for k in ranks}
    return list(confidence_intervals(curve, pid, level=level, draws=draws, seed=seed).values())


def compare(
    first: QueryResults, second: QueryResults, pid: Tensor, *, draws: int = 10_000, seed: int = 0
) -> dict[str, Comparison]:
    """Two models on the same queries, in the same order.

    The p-value is that of a permutation test that swaps the models person by person at random (Fisher, 1935); its least
    value is 1 / (draws + 1).

    Raises:
        ValueError: the queries differ in number, or in which of them have a match.
    """
    if len(first) != len(second) or not torch.equal(first.num_matches, second.num_matches):
        raise ValueError(
            f"{len(first)} and {len(second)} queries, or other matches among them: models can only be compared on the "
            "same queries and gallery, in the same order"
        )
    of = figures_of(first), figures_of(second)
    difference = {name: of[1][name] - of[0][name] for name in of[0]}
    sums, counts = _by_person(torch.stack(list(difference.values()), dim=1), pid)
    found = sums.sum(0) / counts.sum()
    random = torch.Generator().manual_seed(seed)
    extreme = torch.zeros(len(found), dtype=torch.float64)
    step = max(1, DRAWS_AT_ONCE // len(counts))
    for start in range(0, draws, step):
        size = min(step, draws - start), len(counts)
        signs = torch.randint(0, 2, size, generator=random).double() * 2 - 1
        extreme += ((signs @ sums / counts.sum()).abs() >= found.abs() - 1e-12).sum(0)
    intervals = confidence_intervals(difference, pid, seed=seed)
    p_value = (extreme + 1) / (draws + 1)
    return {name: Comparison(float(found[i]), intervals[name], float(p_value[i])) for i, name in enumerate(difference)}


def _by_person(values: Tensor, pid: Tensor) -> tuple[Tensor, Tensor]:
    """(sums (P, K), counts (P,)) over the queries that have a match."""
    known = ~values.isnan().any(1)
    people, person = torch.unique(pid.cpu()[known], return_inverse=True)
    if len(people) < 2:
        raise ValueError(f"{len(people)} people have a query with a match; how far they differ takes two at least")
    sums = torch.zeros(len(people), values.shape[1], dtype=torch.float64).index_add_(0, person, values[known])
    return sums, torch.bincount(person).double()


def _resamples(people: int, draws: int, seed: int) -> list[Tensor]:
    """How often each person was drawn, (n, people) float64, in parts that make `draws` together."""
    random = torch.Generator().manual_seed(seed)
    step = max(1, DRAWS_AT_ONCE // people)
    parts = []
    for start in range(0, draws, step):
        drawn = torch.randint(0, people, (min(step, draws - start), people), generator=random)
        times = torch.zeros(drawn.shape, dtype=torch.float64)
        parts.append(times.scatter_add_(1, drawn, torch.ones_like(times)))
    return parts
