"""What was found for each query, from the ranks of its matches."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class QueryResults:
    """What was found for each of Q queries, on the CPU. Floats are NaN where `valid` is false.

    hits: (Q, K) float64, 1 where the first match is at rank k or before, k = 1..K. Single-shot: share of draws.
    ap: (Q,) mean of the precision at each match. ap_trapezoid: (Q,) the same with the mean of the precision before and
    at each match (Oxford Buildings' evaluation, and PS-HRNet's released code). inp: (Q,) number of matches / rank of
    the last one (Ye et al., "Deep Learning for Person Re-identification", 2021). first_match: (Q,) float64, rank of the
    first match; single-shot: mean over the draws.
    num_matches, num_candidates: (Q,) int64, gallery images of the same person, and of anybody, that take part.
    valid: (Q,) bool, there is a match at all.
    """

    hits: Tensor
    ap: Tensor
    ap_trapezoid: Tensor
    inp: Tensor
    first_match: Tensor
    num_matches: Tensor
    num_candidates: Tensor
    valid: Tensor

    def __len__(self) -> int:
        return len(self.valid)

    def select(self, queries: Tensor) -> QueryResults:
        """Those of some queries: a mask (Q,) or indices."""
        queries = queries.cpu()
        return QueryResults(**{f.name: getattr(self, f.name)[queries] for f in fields(self)})


def results_of(row: Tensor, rank: Tensor, num_candidates: Tensor, max_rank: int) -> QueryResults:
    """
    Args:
        row, rank: (M,) the query and the rank, from 1, of each match; rank 0 does not count. num_candidates: (Q,).
        max_rank: K of `hits`.
    """
    row, rank, num_candidates = row.cpu(), rank.cpu(), num_candidates.cpu()
    row, rank = row[rank > 0], rank[rank > 0]
    order = rank.sort(stable=True).indices
    order = order[row[order].sort(stable=True).indices]
    row, rank = row[order], rank[order].double()
    matches = torch.bincount(row, minlength=len(num_candidates))
    begin = matches.cumsum(0) - matches
    number = (torch.arange(len(row)) - begin[row] + 1).double()  # 1 for a query's first match
    precision = number / rank
    before = torch.where(rank > 1, (number - 1) / (rank - 1), 1.0)  # before the first item precision counts as 1
    valid = matches > 0
    first, last = (_at(rank, place, valid) for place in (begin, begin + matches - 1))
    hits = (first[:, None] <= torch.arange(1, max_rank + 1)).double()
    hits[~valid] = torch.nan
    return QueryResults(
        hits=hits,
        ap=_mean(precision, begin, matches),
        ap_trapezoid=_mean((precision + before) / 2, begin, matches),
        inp=matches / last,
        first_match=first,
        num_matches=matches,
        num_candidates=num_candidates,
        valid=valid,
    )


def _at(values: Tensor, place: Tensor, valid: Tensor) -> Tensor:
    found = torch.full((len(place),), torch.nan, dtype=torch.float64)
    found[valid] = values[place[valid]]
    return found


def _mean(values: Tensor, begin: Tensor, number: Tensor) -> Tensor:
    """Of consecutive parts; NaN of empty ones."""
    mean = torch.full((len(begin),), torch.nan, dtype=torch.float64)
    some = number > 0
    if len(values):
        sums = np.add.reduceat(values.numpy(), begin[some].numpy())
        mean[some] = torch.from_numpy(sums) / number[some]
    return mean
