"""Scores that somebody else has computed: a matrix of distances, or rows of one that are made as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from psnet.metrics.labels import OwnImages
from psnet.metrics.scores import AnyScores, Near

ROWS_HELD = 1 << 22
"""Distances held at once."""


class RowsOfDistances(Protocol):
    """(Q, G), any float type: a tensor, an array, a memory map, or a `ReRanked`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, queries: slice, /) -> Tensor | NDArray[np.floating]: ...


class GivenScores(AnyScores):
    """Of distances, smaller is nearer.

    Args:
        distances: (Q, G), or (Q, G') of the gallery images that take part alone. own: who takes part.

    Raises:
        ValueError: a distance is not finite; says how many queries have such, and the first.
    """

    def __init__(self, distances: RowsOfDistances, own: OwnImages) -> None:
        self.distances, self.kept = distances, own.kept
        queries, images = distances.shape
        if queries != len(own.begin) - 1 or images not in (own.images, len(own.kept)):
            raise ValueError(
                f"distances are of {queries} queries to {images} gallery images, labels of {len(own.begin) - 1} and "
                f"{own.images}"
            )
        self.query, self.gallery = range(queries), range(len(own.kept))
        self.span, self.euclidean = self._span(), False

    @property
    def compiled(self) -> bool:
        return False

    @property
    def error(self) -> float:
        """Rounding to float32 keeps the order."""
        return 0.0

    def _span(self) -> tuple[float, float]:
        low, high, bad = float("inf"), float("-inf"), []
        for rows, part in self.queries():
            broken = (~part.float().isfinite().all(1)).nonzero().flatten()
            bad += (broken + rows.start).tolist()
            low, high = min(low, -float(part.max())), max(high, -float(part.min()))
        if bad:
            raise ValueError(
                f"{len(bad)} of {len(self.query)} queries have distances that are NaN, or infinite in float32, the "
                f"first is number {bad[0]}; the tool that made them has failed on it"
            )
        return low, high

    def queries(self) -> Iterator[tuple[slice, Tensor]]:
        together = getattr(self.distances, "rows_together", 1)
        step = max(together, ROWS_HELD // len(self.gallery) // together * together)
        for start in range(0, len(self.query), step):
            rows = slice(start, min(start + step, len(self.query)))
            yield rows, self._read(rows)

    def _read(self, rows: slice) -> Tensor:
        read = self.distances[rows]
        part = read if isinstance(read, Tensor) else torch.from_numpy(np.array(read))
        part = part if part.dtype == torch.float64 else part.float()
        return part if part.shape[1] == len(self.kept) else part[:, self.kept]

    def galleries(self, columns: Tensor | None = None) -> Iterator[tuple[slice, Tensor | None]]:
        yield slice(0, len(self.gallery if columns is None else columns)), columns

    def near(self, queries: slice, query: Tensor, galleries: slice, gallery: None) -> Iterator[Near]:
        yield Near(queries, galleries, query, gallery, -query.float())

    def exact(self, query: Tensor, gallery: Tensor | None, row: Tensor, column: Tensor) -> Tensor:
        """The bits of a float64, which are ordered as whole numbers are once those of negative ones are turned."""
        column = column if gallery is None else gallery[column]
        bits = (-query[row, column].double() + 0.0).view(torch.int64)  # + 0.0: no two zeros
        return torch.where(bits < 0, torch.iinfo(torch.int64).min - bits, bits)

    def limits(self, exact: Tensor) -> tuple[Tensor, Tensor]:
        score = self.value(exact).float()
        return score, score

    def value(self, exact: Tensor) -> Tensor:
        bits = torch.where(exact < 0, torch.iinfo(torch.int64).min - exact, exact)
        return bits.view(torch.float64)
