"""The inner loops of the evaluation on a CPU, compiled by Numba at their first call and then kept on disk.

Elsewhere the same is done by torch; tests hold the two against each other. Nothing here allocates more than its result.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit, prange

from psnet.metrics.compiled import kernel

WIDE, NARROW = 256, 16
"""Scores that are counted together before it is asked whether one of them lies too near to tell; and then, which."""


def serve(tensor: torch.Tensor) -> bool:
    """Whether there are kernels for where a tensor lies."""
    return tensor.device.type == "cpu"


@kernel()
def sum_of_squares(x, lanes):  # type: ignore[no-untyped-def]
    """(n, D) -> (n,) float64. See `psnet.metrics.rows.sum_of_squares`. lanes: a power of 2."""
    n, dimensions = x.shape
    sums = np.empty(n, np.float64)
    for i in prange(n):
        part = np.zeros(lanes, np.float64)
        for start in range(0, dimensions, lanes):
            for k in range(min(lanes, dimensions - start)):
                value = np.float64(x[i, start + k])
                part[k] += value * value
        half = lanes // 2
        while half > 0:
            for k in range(half):
                part[k] += part[half + k]
            half //= 2
        sums[i] = part[0]
    return sums


@kernel()
def fix(x, divisor, one):  # type: ignore[no-untyped-def]
    """((n, D) int32, (n, D) float32): x / divisor in multiples of 1 / one, rounded half to even."""
    whole, rounded = np.empty(x.shape, np.int32), np.empty(x.shape, np.float32)
    for i in prange(x.shape[0]):
        for k in range(x.shape[1]):
            value = np.rint(np.float64(x[i, k]) / divisor[i] * one)
            whole[i, k] = np.int32(value)
            rounded[i, k] = np.float32(value / one)
    return whole, rounded


@njit(inline="always")
def exact(a, b, euclidean):  # type: ignore[no-untyped-def]
    """The integer score of two rows: inner product, or negative squared distance."""
    total = np.int64(0)
    if euclidean:
        for k in range(a.shape[0]):
            difference = np.int64(a[k]) - np.int64(b[k])
            total -= difference * difference
    else:
        for k in range(a.shape[0]):
            total += np.int64(a[k]) * np.int64(b[k])
    return total


@kernel()
def exact_pairs(query, gallery, row, column, euclidean):  # type: ignore[no-untyped-def]
    """(P,) int64, scores of the pairs (row, column) of two blocks of integers."""
    scores = np.empty(row.shape[0], np.int64)
    for p in prange(row.shape[0]):
        scores[p] = exact(query[row[p]], gallery[column[p]], euclidean)
    return scores


@njit(inline="always")
def counts(scores, least, most):  # type: ignore[no-untyped-def]
    """How many scores lie above `most`, and how many not below `least`.

    Of a whole array, whose places cannot be negative, and in int32: else the compiler makes no vectors, or short ones.
    """
    above, reached = np.int32(0), np.int32(0)
    for k in range(scores.shape[0]):
        above = np.int32(above + np.int32(scores[k] > most))
        reached = np.int32(reached + np.int32(scores[k] >= least))
    return above, reached


@kernel()
def count_ahead(near, query, gallery, first, begin, end, column, score, low, high, euclidean, ahead):  # type: ignore[no-untyped-def]
    """Add to `ahead` how many images of other people in a block lie before each match.

    Args:
        near: (C, B) float32 scores, overwritten where the person is the query's own. query (C, D), gallery (B, D): the
            integers. first: number of the block's first gallery image. begin, end: (C,) where each query's own people
            lie in `column`, ascending numbers of gallery images. score: their exact scores; low, high: float32, what
            near scores must stay below or exceed to be certain. ahead: as `column`, int64.
    """
    size = near.shape[1]
    for i in prange(near.shape[0]):
        scores = near[i]
        for m in range(begin[i], end[i]):
            if 0 <= column[m] - first < size:
                scores[column[m] - first] = -np.inf
        for m in range(begin[i], end[i]):
            count, least, most = 0, low[m], high[m]
            for start in range(0, size, WIDE):
                wide = scores[start : start + WIDE]
                sure, possible = counts(wide, least, most)
                count += sure
                if sure == possible:
                    continue
                for offset in range(0, wide.shape[0], NARROW):
                    narrow = wide[offset : offset + NARROW]
                    sure, possible = counts(narrow, least, most)
                    if sure == possible:
                        continue
                    for k in range(narrow.shape[0]):
                        if least <= narrow[k] <= most:
                            j = start + offset + k
                            other = exact(query[i], gallery[j], euclidean)
                            if other > score[m] or (other == score[m] and first + j < column[m]):
                                count += 1
            ahead[m] += count


@kernel()
def count_ahead_drawn(near, query, gallery, first, begin, draw, column, score, low, high, euclidean, ahead):  # type: ignore[no-untyped-def]
    """The same for many galleries at once, each of which is a part of the block's images.

    Args:
        begin: (B + 1,) where each image's galleries lie in `draw`, numbers from 0 to R - 1. column, score, low, high,
            ahead: (C, R), of the query's match in each gallery; low and high are infinite where there is none.
    """
    for i in prange(near.shape[0]):
        for j in range(near.shape[1]):
            near_score, other, known = near[i, j], np.int64(0), False
            for k in range(begin[j], begin[j + 1]):
                r = draw[k]
                if near_score > high[i, r]:
                    ahead[i, r] += 1
                elif near_score >= low[i, r]:
                    if not known:
                        other, known = exact(query[i], gallery[j], euclidean), True
                    if other > score[i, r] or (other == score[i, r] and first + j < column[i, r]):
                        ahead[i, r] += 1


@kernel()
def keep_greatest(near, first, score, column):  # type: ignore[no-untyped-def]
    """Put the scores of a block among the K greatest so far of each query.

    Args:
        near: (C, B) float32. first: number of the block's first gallery image. score, column: (C, K) float32 and int64,
            a heap each, whose root is the least; minus infinity at first. Of equal scores any may be kept.
    """
    size = score.shape[1]
    for i in prange(near.shape[0]):
        heap, number = score[i], column[i]
        for j in range(near.shape[1]):
            value = near[i, j]
            if value <= heap[0]:
                continue
            place, child = 0, 1
            while child < size:
                if child + 1 < size and heap[child + 1] < heap[child]:
                    child += 1
                if value <= heap[child]:
                    break
                heap[place], number[place] = heap[child], number[child]
                place, child = child, 2 * child + 1
            heap[place], number[place] = value, first + j
