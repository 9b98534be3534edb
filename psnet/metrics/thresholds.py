"""The exact score of the false pair at a given place, of all false pairs, which are never held.

A first pass counts near scores in equal bins, so that it is known in which few bins each place lies; a last one
computes the exact scores in these alone, and sorts them. Where they would be too many to hold (embeddings that have
collapsed, or one among them a hundred times as long as the others) passes between count exact scores by their leading
bits, as a radix sort does, until few are left or all are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from psnet.metrics.counting import forget_own
from psnet.metrics.labels import OwnImages
from psnet.metrics.scores import AnyScores, Near, Progress

BINS = 1 << 16
"""Of near scores."""

BITS = (46, 28, 10, 0)
"""Of exact scores, those from so many on are known after each pass between."""

HELD = 1 << 24
"""Exact scores held at once, 8 bytes each."""


def thresholds(
    scores: AnyScores, own: OwnImages, places: Sequence[int], false_pairs: int, progress: Progress | None = None
) -> list[int | None]:
    """For each place, from 0 for the best, the exact score of the false pair there; None behind the last."""
    passes = _Passes(scores, own, progress)
    above = passes.near_bins().flip(0).cumsum(0).flip(0).tolist()  # in this bin or a better one
    sought = {place: passes.grid.around(place, above) for place in {*places} if place < false_pairs}
    for bits in BITS:
        crowded = [one for one in sought.values() if one.inside > HELD // len(sought)]
        if not crowded:
            break
        passes.exact(crowded, bits)
        for one in crowded:
            one.narrow(bits)
    if any(one.bits for one in sought.values()):
        passes.exact(list(sought.values()), None)
    return [sought[place].score() if place in sought else None for place in places]


class _Sought:
    """A false pair. place: how many lie before it. bins: first and last in which its near score may be. inside: about
    how many false pairs it may yet be. bits, prefix: of its exact score, the bits from so many on are these.
    before: false pairs found to be better in this pass."""

    def __init__(self, place: int, bins: tuple[int, int], inside: int) -> None:
        self.place, self.bins, self.inside = place, bins, inside
        self.bits, self.prefix, self.before = 64, 0, 0
        self.counts: Tensor | None = None
        self.held: list[Tensor] = []

    def candidates(self, exact: Tensor) -> Tensor:
        """Those that agree with what is known; better ones are counted."""
        if self.bits == 64:
            return exact
        leading = exact >> self.bits
        self.before += int((leading > self.prefix).sum())
        return exact[leading == self.prefix]

    def count(self, exact: Tensor, bits: int) -> None:
        """By their bits from so many to those known."""
        number = 1 << (self.bits - bits)
        value = (self.candidates(exact) >> bits) - self._lowest(bits)
        found = torch.bincount(value, minlength=number)
        self.counts = found if self.counts is None else self.counts + found

    def narrow(self, bits: int) -> None:
        """To what was counted at its place."""
        assert self.counts is not None
        reached = self.counts.flip(0).cumsum(0)  # the best first
        value = len(reached) - 1 - int(torch.searchsorted(reached, self.place - self.before, right=True))
        self.inside = int(self.counts[value]) if bits else 0  # all equal: no need to hold them
        self.bits, self.prefix = bits, value + self._lowest(bits)
        self.counts, self.before = None, 0

    def _lowest(self, bits: int) -> int:
        return -(1 << (63 - bits)) if self.bits == 64 else self.prefix << (self.bits - bits)

    def hold(self, exact: Tensor) -> None:
        if self.bits:
            self.held.append(self.candidates(exact))

    def score(self) -> int:
        if not self.bits:
            return self.prefix
        return int(torch.cat(self.held).sort(descending=True).values[self.place - self.before])


class _Grid:
    """Equal bins over the range of near scores. margin: how many bins away an exact score may lie, and one more."""

    def __init__(self, scores: AnyScores) -> None:
        self.low, high = scores.span
        self.per_unit = BINS / max(high - self.low, 1e-30)
        self.margin = int(2 * scores.error * self.per_unit) + 2

    def bins(self, near: Near) -> Tensor:
        """(C, B) int32; -1 for a query's own images."""
        place = near.scores.sub_(self.low).mul_(self.per_unit).floor_()
        return torch.where(place.isneginf(), -1, place.clamp_(0, BINS - 1)).int()

    def around(self, place: int, above: list[int]) -> _Sought:
        """above: of each bin, how many false pairs are in it or a better one."""
        middle = sum(number > place for number in above) - 1
        first, last = max(middle - self.margin, 0), min(middle + self.margin, BINS - 1)
        return _Sought(place, (first, last), above[first] - (above[last + 1] if last + 1 < BINS else 0))


class _Passes:
    """Over all false pairs, in blocks."""

    def __init__(self, scores: AnyScores, own: OwnImages, progress: Progress | None) -> None:
        self.scores, self.own, self.progress, self.done = scores, own, progress, 0
        self.grid = _Grid(scores)

    def near_bins(self) -> Tensor:
        """(BINS,) how many near scores lie in each."""
        counts = self._empty()
        for near in self._false():
            counts += _histogram(self.grid.bins(near))
        return counts

    def exact(self, sought: list[_Sought], bits: int | None) -> None:
        """Each is given the exact scores of the pairs in its bins, to count them by these bits or to hold them, and how
        many lie in better bins."""
        wanted = torch.zeros(BINS, dtype=torch.bool, device=self.own.row.device)
        for one in sought:
            wanted[one.bins[0] : one.bins[1] + 1] = True
        counts = self._empty()
        for near in self._false():
            bins = self.grid.bins(near)
            counts += _histogram(bins)
            q, g = (wanted[bins.clamp(min=0)] & (bins >= 0)).nonzero(as_tuple=True)
            bins, exact = bins[q, g], self.scores.exact(near.query_rows, near.gallery_rows, q, g)
            for one in sought:
                inside = exact[(bins >= one.bins[0]) & (bins <= one.bins[1])]
                if bits is None:
                    one.hold(inside)
                else:
                    one.count(inside, bits)
        for one in sought:
            one.before += int(counts[one.bins[1] + 1 :].sum())

    def _empty(self) -> Tensor:
        return torch.zeros(BINS, dtype=torch.int64, device=self.own.row.device)

    def _false(self) -> Iterator[Near]:
        """All blocks of scores, those of the query's own images being -infinity."""
        self.done += 1
        for queries, query in self.scores.queries():
            for galleries, gallery in self.scores.galleries():
                for near in self.scores.near(queries, query, galleries, gallery):
                    forget_own(near, self.own)
                    yield near
                if self.progress is not None:
                    all_pairs = self.scores.comparisons
                    done = (self.done - 1) * all_pairs + self.scores.done(queries, galleries)
                    self.progress(done, max(2, self.done) * all_pairs)


def _histogram(bins: Tensor) -> Tensor:
    return torch.bincount(bins.flatten() + 1, minlength=BINS + 1)[1:]
