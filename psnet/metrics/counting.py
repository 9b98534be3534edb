"""The rank of every match, by counting what lies before it. Nothing is sorted but the few matches of each query.

AP, CMC and mINP need no more than that (`psnet.metrics.results`), and a comparison with each match costs far less than
a sort of the gallery.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from psnet.metrics import kernels
from psnet.metrics.labels import OwnImages
from psnet.metrics.scores import AnyScores, Near, Progress

UNSURE_AT_ONCE = 1 << 20
"""Pairs of a gallery image and a match whose order float32 leaves open, looked at together."""


def ranks_of_matches(scores: AnyScores, own: OwnImages, progress: Progress | None = None) -> Tensor:
    """(M,) int64 for each of `own`: its rank from 1 among what takes part for its query; 0 if it is removed.

    Of equal scores the image that stands first in the gallery comes first.
    """
    exact, ahead = torch.zeros_like(own.row), torch.zeros_like(own.row)
    limits = torch.zeros(2, len(own.row), device=own.row.device)
    for queries, query in scores.queries():
        find_exact(scores, own, queries, query, exact)
        limits[:, own.span(queries)] = torch.stack(scores.limits(exact[own.span(queries)]))
        for galleries, gallery in scores.galleries():
            for near in scores.near(queries, query, galleries, gallery):
                count(near, own, exact, limits, scores, ahead)
            if progress is not None:
                progress(scores.done(queries, galleries), scores.comparisons)
    return _rank(own, exact, ahead)


def find_exact(scores: AnyScores, own: OwnImages, queries: slice, query: Any, exact: Tensor) -> None:
    """Fill in the exact scores of the own images of some queries, of all (M,)."""
    span = own.span(queries)
    exact[span] = scores.exact_anywhere(query, own.row[span] - queries.start, own.column[span])


def forget_own(near: Near, own: OwnImages) -> None:
    """Set the near scores of the queries' own people to minus infinity."""
    inside = own.within(near.query, near.gallery)
    near.scores[own.row[inside] - near.query.start, own.column[inside] - near.gallery.start] = -torch.inf


def count(near: Near, own: OwnImages, exact: Tensor, limits: Tensor, scores: AnyScores, ahead: Tensor) -> None:
    """Add to `ahead` how many images of other people in a block lie before each match. Overwrites the near scores.

    exact (M,), limits (2, M): of all `own`, see `AnyScores.limits`.
    """
    span = own.span(near.query)
    low, high = limits[:, span]
    if not scores.compiled:
        ahead[span] += count_by_torch(near, own, exact[span], low, high, scores)
        return
    blocks = near.scores, near.query_rows.whole, near.gallery_rows.whole
    begin = own.begin[near.query.start : near.query.stop + 1] - span.start
    lists = begin[:-1], begin[1:], own.column[span], exact[span], low, high
    kernels.count_ahead(
        *(x.numpy() for x in blocks), near.gallery.start, *(x.numpy() for x in lists), scores.euclidean,
        ahead[span].numpy(),
    )  # fmt: skip


def count_by_torch(near: Near, own: OwnImages, exact: Tensor, low: Tensor, high: Tensor, scores: AnyScores) -> Tensor:
    """The same on any device. Returns what is to be added for the own images of the block's queries.

    Each score is placed among the limits of its query, sorted, by binary search: it lies above the first `sure` and
    reaches the first `possible` of them.
    """
    span = own.span(near.query)
    row, column = own.row[span] - near.query.start, own.column[span]
    forget_own(near, own)

    order = exact.sort(stable=True).indices
    order = order[row[order].sort(stable=True).indices]  # by query, then by score
    place = torch.arange(len(row), device=row.device) - (own.begin[near.query] - span.start)[row[order]]
    size = int(place.max()) + 1 if len(place) else 0
    table = [torch.full((len(near.scores), size), torch.inf, device=row.device) for _ in range(2)]
    for limit, values in zip(table, (low, high), strict=True):
        limit[row[order], place] = values[order]
    possible = torch.searchsorted(table[0], near.scores, right=True)
    sure = torch.searchsorted(table[1], near.scores)
    passed = torch.zeros(len(near.scores), size + 1, dtype=torch.int64, device=row.device)
    passed.scatter_add_(1, sure, torch.ones_like(sure))  # how many scores lie above exactly so many limits
    passed = passed.flip(1).cumsum(1).flip(1)[:, 1:]  # or above more
    added = torch.zeros_like(exact)
    added[order] = passed[row[order], place]

    where = torch.zeros(len(near.scores), size, dtype=torch.int64, device=row.device)
    where[row[order], place] = order
    unsure = (possible > sure).nonzero()
    for part in unsure.split(max(1, UNSURE_AT_ONCE // max(1, size))):
        q, g = part.unbind(1)
        number = possible[q, g] - sure[q, g]
        q, g, first = (x.repeat_interleave(number) for x in (q, g, sure[q, g]))
        step = torch.arange(len(q), device=q.device) - (number.cumsum(0) - number).repeat_interleave(number)
        rival = where[q, first + step]
        other = scores.exact(near.query_rows, near.gallery_rows, q, g)
        before = (other > exact[rival]) | ((other == exact[rival]) & (g + near.gallery.start < column[rival]))
        added.scatter_add_(0, rival, before.long())
    return added


def _rank(own: OwnImages, exact: Tensor, ahead: Tensor) -> Tensor:
    """From others ahead to ranks: the query's other matches count as well."""
    key = torch.where(own.removed, torch.iinfo(torch.int64).min, exact)
    order = key.sort(descending=True, stable=True).indices
    order = order[own.row[order].sort(stable=True).indices]  # by query, best first, removed ones last
    place = torch.arange(len(order), device=order.device) - own.begin[own.row[order]]
    rank = torch.empty_like(ahead)
    rank[order] = ahead[order] + place + 1
    return rank.masked_fill_(own.removed, 0)
