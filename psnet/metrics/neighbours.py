"""The first gallery images of every query, in the very order by which they are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from psnet.metrics import kernels
from psnet.metrics.labels import OwnImages
from psnet.metrics.scores import AnyScores, Progress

LOOKED_AT = 1 << 22
"""Exact scores of whole galleries held at once."""

SPARE = 16
"""More candidates than asked for are kept, as near scores may swap some at the end of the list."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """index: (Q, K) int64 numbers of gallery images, best first, -1 where there are fewer. score: (Q, K) float64, a
    cosine or a negative distance; -infinity there. farthest: (Q,) int64 exact score of the image that is farthest by
    near scores, whether left out or not."""

    index: Tensor
    score: Tensor
    farthest: Tensor


def nearest(scores: AnyScores, own: OwnImages, k: int, progress: Progress | None = None) -> Neighbours:
    """The first `k` of each query's ranking, without what the rules leave out; equal scores by gallery order.

    Memory is bounded as in `evaluate_ranking`, beside the result.

    Raises:
        ValueError: k is less than 1.
    """
    if k < 1:
        raise ValueError(f"k={k}: ask for at least one neighbour")
    scores.check(own)
    parts = []
    for queries, query in scores.queries():
        found, column, last = _candidates(scores, own, queries, query, min(k + SPARE, len(scores.gallery)))
        exact = _exact(scores, query, column.masked_fill(found.isneginf(), -1))
        unsure = _may_lack(found, k, scores).nonzero().flatten()
        for rows in unsure.split(max(1, LOOKED_AT // len(scores.gallery))):
            exact[rows], column[rows] = _all_exact(scores, own, queries, query, rows, exact.shape[1])
        parts.append((*_first(exact, column, k), _exact(scores, query, last[:, None])[:, 0]))
        if progress is not None:
            progress(queries.stop * len(scores.gallery), scores.comparisons)
    column, exact, farthest = (torch.cat(part) for part in zip(*parts, strict=True))
    there = exact > NONE
    index = torch.where(there, own.kept[column.clamp(min=0)], -1)
    return Neighbours(index, torch.where(there, scores.value(exact), -torch.inf), farthest)


NONE = torch.iinfo(torch.int64).min
"""Exact score of what is left out, or not there."""


def _candidates(
    scores: AnyScores, own: OwnImages, queries: slice, query: Any, number: int
) -> tuple[Tensor, Tensor, Tensor]:
    """(near scores, columns), (n, number) each: at least the best `number` of each query by near scores; and the column
    of the worst of all, (n,)."""
    size = queries.stop - queries.start
    device = own.row.device
    found = torch.full((size, number), -torch.inf, device=device)
    column = torch.full((size, number), -1, device=device)
    low, last = torch.full((size,), torch.inf, device=device), torch.full((size,), -1, device=device)
    for galleries, gallery in scores.galleries():
        for near in scores.near(queries, query, galleries, gallery):
            rows = slice(near.query.start - queries.start, near.query.stop - queries.start)
            worst = near.scores.min(dim=1)
            last[rows] = torch.where(worst.values < low[rows], worst.indices + galleries.start, last[rows])
            low[rows] = torch.minimum(worst.values, low[rows])
            within = own.within(near.query, galleries)
            within = within[own.removed[within]]
            near.scores[own.row[within] - near.query.start, own.column[within] - galleries.start] = -torch.inf
            _keep(near.scores, galleries.start, found[rows], column[rows])
    best = found.sort(dim=1, descending=True)
    return best.values, column.gather(1, best.indices), last


def _keep(near: Tensor, first: int, found: Tensor, column: Tensor) -> None:
    """The best of what was found, (n, K) scores and columns, and of a block (n, B) whose first column is `first`."""
    if kernels.serve(near):
        kernels.keep_greatest(near.numpy(), first, found.numpy(), column.numpy())
        return
    here = near.topk(min(found.shape[1], near.shape[1]))
    best = torch.cat([found, here.values], dim=1).topk(found.shape[1])
    column.copy_(torch.cat([column, here.indices + first], dim=1).gather(1, best.indices))
    found.copy_(best.values)


def _may_lack(found: Tensor, k: int, scores: AnyScores) -> Tensor:
    """(n,) bool: so many candidates are about as near as number k that others may have been dropped."""
    if found.shape[1] == len(scores.gallery) or found.shape[1] <= k:
        return torch.zeros(len(found), dtype=torch.bool, device=found.device)
    last = found[:, -1]
    return (last >= found[:, k - 1] - 2 * scores.error) & ~last.isneginf()


def _exact(scores: AnyScores, query: Any, column: Tensor) -> Tensor:
    """(n, m) exact scores of some columns, `NONE` where the column is -1."""
    exact = torch.full_like(column, NONE)
    row, place = (column >= 0).nonzero(as_tuple=True)
    exact[row, place] = scores.exact_anywhere(query, row, column[row, place])
    return exact


def _all_exact(
    scores: AnyScores, own: OwnImages, queries: slice, query: Any, rows: Tensor, number: int
) -> tuple[Tensor, Tensor]:
    """(exact scores, columns), (n, number) each, of some queries, by looking at everybody."""
    exact = rows.new_empty(len(rows), len(scores.gallery))
    for galleries, gallery in scores.galleries():
        size = galleries.stop - galleries.start
        pairs = torch.cartesian_prod(rows, torch.arange(size, device=rows.device)).unbind(1)
        exact[:, galleries] = scores.exact(query, gallery, *pairs).reshape(len(rows), size)
    for place, row in enumerate((rows + queries.start).tolist()):
        span = own.span(slice(row, row + 1))
        exact[place, own.column[span][own.removed[span]]] = NONE
    best = exact.sort(dim=1, descending=True, stable=True)
    return best.values[:, :number], best.indices[:, :number]


def _first(exact: Tensor, column: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The best k columns, and their exact scores."""
    by_column = column.sort(dim=1, stable=True)
    best = exact.gather(1, by_column.indices).sort(dim=1, descending=True, stable=True)
    return by_column.values.gather(1, best.indices)[:, :k], best.values[:, :k]
