"""From per-query results to the figures of a table, and to what chance alone would give."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from psnet.metrics.results import QueryResults

RANKS = (1, 5, 10, 20)


class NoMatchError(ValueError):
    """No query has a match in the gallery, so there is nothing to score."""


def summarise(results: QueryResults, ranks: Sequence[int] = RANKS) -> dict[str, float]:
    """Means over the queries that have a match, as fractions: rank<k>, mAP, mAP_trapezoid, mINP; and the counts
    queries (all) and queries_without_match.

    Raises:
        NoMatchError: no query has a match.
    """
    valid = results.valid
    if not bool(valid.any()):
        raise NoMatchError(f"none of {len(valid)} queries has a match in the gallery; see why_no_match")
    own = results.select(valid)
    return {
        **{f"rank{k}": float(own.hits[:, k - 1].mean()) for k in ranks},
        "mAP": float(own.ap.mean()),
        "mAP_trapezoid": float(own.ap_trapezoid.mean()),
        "mINP": float(own.inp.mean()),
        "queries": len(valid),
        "queries_without_match": int((~valid).sum()),
    }


def cmc(results: QueryResults) -> list[float]:
    """Share of queries with a match at rank 1, 2, ..., K or before."""
    curve: list[float] = results.hits[results.valid].mean(0).tolist()
    return curve


def per_group(results: QueryResults, labels: Tensor, ranks: Sequence[int] = RANKS) -> dict[float, dict[str, float]]:
    """`summarise` of the queries of each rate, camera, or whatever they are labelled with, in ascending order. A group
    without any match has counts only.

    Args:
        labels: (Q,) numbers.
    """
    table: dict[float, dict[str, float]] = {}
    for label in sorted(set(labels.tolist())):
        own = results.select(labels == label)
        some = bool(own.valid.any())
        table[label] = (
            summarise(own, ranks) if some else {"queries": len(own.valid), "queries_without_match": len(own.valid)}
        )
    return table


def chance(results: QueryResults, ranks: Sequence[int] = RANKS) -> dict[str, float]:
    """Expected rank<k> and mAP of a random ranking of the same candidates.

    With m matches among N candidates, a match is within the first k with probability 1 - C(N-m, k) / C(N, k), and
    E[AP] = (H_N + (m - 1) / (N - 1) * (N - H_N)) / N, H_N being the harmonic number (Bestgen, "Exact Expected Average
    Precision of the Random Baseline", 2015).
    """
    own = results.select(results.valid)
    matches, candidates = own.num_matches.double(), own.num_candidates.double()
    figures = {f"rank{k}": float(_hit_by_chance(matches, candidates, k).mean()) for k in ranks}
    harmonic = torch.cumsum(1 / torch.arange(1, int(candidates.max()) + 1, dtype=torch.float64), 0).to(
        candidates.device
    )
    h = harmonic[own.num_candidates - 1]
    others = torch.where(candidates > 1, (matches - 1) / (candidates - 1).clamp(min=1) * (candidates - h), 0.0)
    return {**figures, "mAP": float(((h + others) / candidates).mean())}


def _hit_by_chance(matches: Tensor, candidates: Tensor, k: int) -> Tensor:
    """1 - product over i < k of (N - m - i) / (N - i), which is 1 once k exceeds the number of non-matches."""
    miss = torch.ones_like(matches)
    for i in range(k):
        miss = miss * ((candidates - matches - i) / (candidates - i).clamp(min=1)).clamp(min=0)
    return 1 - miss
