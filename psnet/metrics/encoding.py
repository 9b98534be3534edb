"""k-reciprocal encoding: compiled loops over sparse vectors.

Sparse vectors of N images are three arrays: those of image i lie at start[i]:start[i + 1] of `column`, ascending, and
of `weight`. Sums are taken in float64 in a fixed order. Sections and equations are those of Zhong, Zheng, Cao, Li,
"Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from psnet.metrics.compiled import kernel


class Sparse(NamedTuple):
    """start: (N + 1,) int64. column: int32, ascending in each vector. weight: float32, above 0."""

    start: np.ndarray
    column: np.ndarray
    weight: np.ndarray


def self_first(rank: np.ndarray) -> None:
    """Puts each image in front of its own neighbours, (N, K), in place; the last gives way where it was not there."""
    _self_first(rank)


def reciprocal_sets(rank: np.ndarray, k: int, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Who has a weight in whose vector (section 3.2).

    R(i, k) are those of the first k + 1 neighbours of i, itself among them, that have i among their first k + 1. Then
    for each j of R(i, k), R(j, half) is added if more than 2/3 of it lie in R(i, k); not in what was added before.

    Args:
        rank: (N, K) int32, neighbours from `self_first`; K may be less than k + 1, and then holds all images.

    Returns:
        start, column as in `Sparse`.
    """
    width, narrow = min(k + 1, rank.shape[1]), min(half + 1, rank.shape[1])
    count = np.empty(len(rank), dtype=np.int64)
    nothing = np.empty(0, dtype=np.int32)
    _expand(rank, width, narrow, count, count, nothing)
    start = _starts(count)
    column = np.empty(start[-1], dtype=np.int32)
    _expand(rank, width, narrow, count, start, column)
    return start, column


def weigh(start: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """exp(-distance), divided by its sum over the image (equation 7): float32 of the (P,) float64 given."""
    weight = np.empty(len(distance), dtype=np.float32)
    _weigh(start, distance, weight)
    return weight


def averaged(vectors: Sparse, rank: np.ndarray, k: int) -> Sparse:
    """Mean of the vectors of the first k neighbours, the image among them (equation 11); of all, if there are fewer."""
    k = min(k, rank.shape[1])
    count = np.empty(len(rank), dtype=np.int64)
    _average(*vectors, rank, k, count, count, np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))
    start = _starts(count)
    column, weight = np.empty(start[-1], dtype=np.int32), np.empty(start[-1], dtype=np.float32)
    _average(*vectors, rank, k, count, start, column, weight)
    return Sparse(start, column, weight)


def rows_of(vectors: Sparse, begin: int, end: int) -> Sparse:
    """Those of images begin..end, without a copy."""
    start = vectors.start[begin : end + 1]
    inside = slice(start[0], start[-1])
    return Sparse(start - start[0], vectors.column[inside], vectors.weight[inside])


def inverted(vectors: Sparse, columns: int) -> Sparse:
    """The inverted index: for each column the vectors that have a weight there, ascending, and the weights."""
    start = _starts(np.bincount(vectors.column, minlength=columns))
    column, weight = np.empty_like(vectors.column), np.empty_like(vectors.weight)
    _invert(*vectors, start[:-1].copy(), column, weight)
    return Sparse(start, column, weight)


def blend(distance: np.ndarray, vectors: Sparse, first: int, index: Sparse, weight: float) -> None:
    """weight * distance + (1 - weight) * Jaccard distance (equations 10 and 12), in place.

    Vectors sum to 1, so that the sum of the larger weights is 2 minus that of the smaller ones.

    Args:
        distance: (C, G) float32. vectors: of the queries; row r of `distance` is of vector first + r. index: `inverted`
            of the gallery.
    """
    _blend(distance, *vectors, first, *index, weight)


def _starts(count: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int64)


@kernel()
def _self_first(rank: np.ndarray) -> None:
    for i in numba.prange(len(rank)):
        place = 0
        while place < rank.shape[1] - 1 and rank[i, place] != i:
            place += 1
        for p in range(place, 0, -1):
            rank[i, p] = rank[i, p - 1]
        rank[i, 0] = i


@numba.njit
def _holds(row: np.ndarray, width: int, item: int) -> bool:
    for p in range(width):  # noqa: SIM110  a loop is what compiles well
        if row[p] == item:
            return True
    return False


@numba.njit
def _reciprocal(rank: np.ndarray, i: int, width: int, out: np.ndarray) -> int:
    """Writes R(i, width - 1) into `out`; returns its size."""
    size = 0
    for p in range(width):
        if _holds(rank[rank[i, p]], width, i):
            out[size] = rank[i, p]
            size += 1
    return size


@numba.njit
def _distinct(items: np.ndarray, size: int) -> int:
    """Sorts the first `size` items and drops doubles, in place; returns how many are left."""
    items[:size].sort()
    kept = 0
    for p in range(size):
        if kept == 0 or items[p] != items[kept - 1]:
            items[kept] = items[p]
            kept += 1
    return kept


@kernel()
def _expand(
    rank: np.ndarray, width: int, narrow: int, count: np.ndarray, start: np.ndarray, column: np.ndarray
) -> None:
    """Fills `count`, or `column` where that has room."""
    for i in numba.prange(len(rank)):
        found, other = np.empty(width * (narrow + 1), dtype=np.int32), np.empty(narrow, dtype=np.int32)
        own = _reciprocal(rank, i, width, found)
        size = own
        for p in range(own):
            more = _reciprocal(rank, found[p], narrow, other)
            common = 0
            for q in range(more):
                common += _holds(found, own, other[q])
            if 3 * common > 2 * more:
                found[size : size + more] = other[:more]
                size += more
        size = _distinct(found, size)
        if len(column) == 0:
            count[i] = size
        else:
            column[start[i] : start[i] + size] = found[:size]


@kernel()
def _weigh(start: np.ndarray, distance: np.ndarray, weight: np.ndarray) -> None:
    for i in numba.prange(len(start) - 1):
        total = 0.0
        for p in range(start[i], start[i + 1]):
            total += math.exp(-distance[p])
        for p in range(start[i], start[i + 1]):
            weight[p] = math.exp(-distance[p]) / total


@kernel()
def _average(
    start: np.ndarray,
    column: np.ndarray,
    weight: np.ndarray,
    rank: np.ndarray,
    k: int,
    count: np.ndarray,
    out_start: np.ndarray,
    out_column: np.ndarray,
    out_weight: np.ndarray,
) -> None:
    """Fills `count`, or the vectors where they have room."""
    for i in numba.prange(len(rank)):
        room = 0
        for p in range(k):
            room += start[rank[i, p] + 1] - start[rank[i, p]]
        items = np.empty(room, dtype=np.int32)
        size = 0
        for p in range(k):
            for v in range(start[rank[i, p]], start[rank[i, p] + 1]):
                items[size] = column[v]
                size += 1
        size = _distinct(items, size)
        if len(out_column) == 0:
            count[i] = size
            continue
        total = np.zeros(size)
        for p in range(k):
            place = 0
            for v in range(start[rank[i, p]], start[rank[i, p] + 1]):
                while items[place] != column[v]:  # both ascend
                    place += 1
                total[place] += weight[v]
        for p in range(size):
            out_column[out_start[i] + p] = items[p]
            out_weight[out_start[i] + p] = total[p] / k


@kernel(parallel=False)
def _invert(
    start: np.ndarray,
    column: np.ndarray,
    weight: np.ndarray,
    place: np.ndarray,
    out_column: np.ndarray,
    out_weight: np.ndarray,
) -> None:
    for i in range(len(start) - 1):
        for p in range(start[i], start[i + 1]):
            where = place[column[p]]
            out_column[where], out_weight[where] = i, weight[p]
            place[column[p]] += 1


@kernel()
def _blend(
    distance: np.ndarray,
    start: np.ndarray,
    column: np.ndarray,
    weight: np.ndarray,
    first: int,
    index_start: np.ndarray,
    index_column: np.ndarray,
    index_weight: np.ndarray,
    share: float,
) -> None:
    rows, gallery = distance.shape
    for r in numba.prange(rows):
        smaller = np.zeros(gallery)
        for p in range(start[first + r], start[first + r + 1]):
            for v in range(index_start[column[p]], index_start[column[p] + 1]):
                smaller[index_column[v]] += min(weight[p], index_weight[v])
        for g in range(gallery):
            jaccard = 1 - smaller[g] / (2 - smaller[g])
            distance[r, g] = share * distance[r, g] + (1 - share) * jaccard
