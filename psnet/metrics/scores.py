"""How near a query is to a gallery image: fast for blocks of them, exactly for single pairs.

A block is one matrix product in float32, each of whose numbers is within a known error of the exact score. Only
where that error leaves it open which of two gallery images comes first do the exact scores decide; they are whole
numbers (`psnet.metrics.rows`). So chunks, threads and devices change no rank, and equal scores are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

import torch
from torch import Tensor

from psnet.metrics import kernels
from psnet.metrics.labels import OwnImages
from psnet.metrics.rows import ONE, Block, Embeddings, Rows

Distance = Literal["cosine", "euclidean"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done and what there is to do, in some unit, as work goes on."""

QUERIES_AT_ONCE = 4096
GALLERY_AT_ONCE = 1024
"""Size of a block of scores: 16 MiB. Few images, which stay near the processor while all the queries pass."""

HELD = 1 << 22
"""Numbers of embeddings held as integers at once, for queries and for gallery images each; 8 bytes a number."""

DIMENSIONS_AT_ONCE = 128
"""Products of longer vectors are added up in parts, each of which a matrix product adds to what is there as one number.
So the error of float32 grows with a part's length and with the number of parts, not with their product."""

EPSILON = 2.0**-24
"""Unit roundoff of float32."""


@dataclass(frozen=True, eq=False)
class Near:
    """A block of scores. query, gallery: the rows, of the queries and of the gallery images that take part.
    scores: (C, B) float32, near the exact ones, see `AnyScores.limits`. query_rows, gallery_rows: what
    `AnyScores.exact` takes."""

    query: slice
    gallery: slice
    query_rows: Any
    gallery_rows: Any
    scores: Tensor


class AnyScores(Protocol):
    """What the evaluation needs of scores, wherever they come from; of the gallery, only the images that take part.

    span: between which numbers near scores lie. compiled: whether `psnet.metrics.kernels` can compute them, by
    distances if `euclidean`.
    """

    query: Sized
    gallery: Sized
    span: tuple[float, float]
    euclidean: bool

    @property
    def compiled(self) -> bool: ...

    @property
    def error(self) -> float:
        """How far a near score may be from the exact one."""

    @property
    def comparisons(self) -> int:
        """Of all queries with all gallery images that take part."""
        return len(self.query) * len(self.gallery)

    def check(self, own: OwnImages) -> None:
        """Raises ValueError unless the labels are of as many images."""
        wanted, there = (len(own.begin) - 1, len(own.kept)), (len(self.query), len(self.gallery))
        if wanted != there:
            raise ValueError(f"labels are of {wanted} query and gallery images, scores of {there}; give the same")

    def done(self, queries: slice, galleries: slice) -> int:
        """Comparisons, up to the end of a part of the gallery for a part of the queries."""
        return queries.start * len(self.gallery) + galleries.stop * (queries.stop - queries.start)

    def queries(self) -> Iterator[tuple[slice, Any]]:
        """Parts of the queries, as many as are held at once."""

    def galleries(self, columns: Tensor | None = None) -> Iterator[tuple[slice, Any]]:
        """Parts of the gallery images; of some of them alone, ascending (n,), where `columns` are given."""

    def near(self, queries: slice, query: Any, galleries: slice, gallery: Any) -> Iterator[Near]:
        """The scores of two parts, in blocks."""

    def exact(self, query: Any, gallery: Any, row: Tensor, column: Tensor) -> Tensor:
        """(P,) int64: the order of pairs (row, column) of two parts, greater is nearer, equal is equal."""

    def limits(self, exact: Tensor) -> tuple[Tensor, Tensor]:
        """(low, high), float32: a near score above high belongs to a greater exact one for sure, below low to a
        lesser."""

    def exact_anywhere(self, query: Any, row: Tensor, column: Tensor) -> Tensor:
        """(P,) int64, as `exact`: row of a part of the queries, column among all gallery images that take part. Reads
        those images alone."""
        columns, place = column.unique(return_inverse=True)
        exact = torch.empty_like(column)
        for part, gallery in self.galleries(columns):
            inside = ((place >= part.start) & (place < part.stop)).nonzero().flatten()
            exact[inside] = self.exact(query, gallery, row[inside], place[inside] - part.start)
        return exact

    def value(self, exact: Tensor) -> Tensor:
        """float64, in the unit of the user: a cosine, or a negative distance."""


class Scores(AnyScores):
    """Of queries and gallery images by their embeddings.

    Args:
        query, gallery: (Q, D), (G, D). distance: "cosine": inner products of normalised embeddings; "euclidean":
            negative squared distances. kept: the gallery images that take part, see `OwnImages.kept`.

    Raises:
        ValueError: embeddings are not finite, or shapes do not fit.
    """

    def __init__(self, query: Embeddings, gallery: Embeddings, distance: Distance, kept: Tensor | None = None) -> None:
        if distance not in get_args(Distance):
            raise ValueError(f"distance={distance!r} must be one of {', '.join(get_args(Distance))}")
        if kept is not None and len(kept) == len(gallery):
            kept = None
        self.query, self.gallery = Rows(query, "query"), Rows(gallery, "gallery", kept)
        if self.query.dimensions != self.gallery.dimensions:
            raise ValueError(
                f"query embeddings have {self.query.dimensions} numbers, gallery embeddings {self.gallery.dimensions}"
            )
        self.euclidean = distance == "euclidean"
        self.scale = self._scale() if self.euclidean else None
        self.span = (-4.0, 0.0) if self.euclidean else (-1.0, 1.0)
        self.unit = (ONE * ONE) * (self.scale or 1) ** 2
        """The exact score that stands for a cosine, or a negative squared distance, of 1."""

    def _scale(self) -> float:
        """A power of 2 that brings the longest embedding to a norm of 1/2 to 1: whole numbers stay whole numbers."""
        longest = torch.maximum(self.query.norm.max(), self.gallery.norm.max())
        return float(torch.exp2(-torch.frexp(longest).exponent.double())) if longest > 0 else 1.0

    @property
    def error(self) -> float:
        """Of a block's scores, as fractions of ONE^2, by the standard bound of sums in any order (Higham, "Accuracy and
        Stability of Numerical Algorithms", 2002, section 3.1): the vectors are of norm 1 at most."""
        dimensions = self.query.dimensions
        steps = min(dimensions, DIMENSIONS_AT_ONCE) + dimensions // DIMENSIONS_AT_ONCE + 4
        product = 1.01 * steps * EPSILON
        return 2 * product + 16 * EPSILON if self.euclidean else product

    @property
    def compiled(self) -> bool:
        return kernels.serve(self.query.norm)

    def queries(self) -> Iterator[tuple[slice, Block]]:
        for rows in self._parts(len(self.query)):
            yield rows, self.query.block(rows, self.scale)

    def galleries(self, columns: Tensor | None = None) -> Iterator[tuple[slice, Block]]:
        for rows in self._parts(len(self.gallery if columns is None else columns), GALLERY_AT_ONCE):
            yield rows, self.gallery.block(rows if columns is None else columns[rows], self.scale)

    def _parts(self, number: int, most: int = HELD) -> Iterator[slice]:
        step = max(1, min(HELD // self.query.dimensions, most))
        return (slice(start, min(start + step, number)) for start in range(0, number, step))

    def exact(self, query: Block, gallery: Block, row: Tensor, column: Tensor) -> Tensor:
        if kernels.serve(row):
            numbers = (x.contiguous().numpy() for x in (query.whole, gallery.whole, row, column))
            return torch.from_numpy(kernels.exact_pairs(*numbers, self.euclidean))
        step = max(1, HELD // self.query.dimensions)
        parts = [row.new_empty(0)]
        for i in range(0, len(row), step):
            a, b = query.whole[row[i : i + step]].long(), gallery.whole[column[i : i + step]].long()
            parts.append(-(a - b).square().sum(1) if self.euclidean else (a * b).sum(1))
        return torch.cat(parts)

    def near(self, queries: slice, query: Block, galleries: slice, gallery: Block) -> Iterator[Near]:
        for start in range(0, len(query.whole), QUERIES_AT_ONCE):
            rows = query.part(slice(start, start + QUERIES_AT_ONCE))
            own = slice(queries.start + start, queries.start + start + len(rows.whole))
            yield Near(own, galleries, rows, gallery, self.products(rows, gallery))

    def products(self, query: Block, gallery: Block) -> Tensor:
        """(C, B) near scores."""
        a, b = query.rounded, gallery.rounded
        if query.length is not None and gallery.length is not None:  # 2 ab - |a|^2 - |b|^2
            return self._sums(2 * a, b).sub_(query.length[:, None]).sub_(gallery.length)
        return self._sums(a, b)

    def _sums(self, a: Tensor, b: Tensor) -> Tensor:
        parts = [slice(i, i + DIMENSIONS_AT_ONCE) for i in range(0, a.shape[1], DIMENSIONS_AT_ONCE)]
        with _full_float32(a.device):
            sums = a[:, parts[0]] @ b[:, parts[0]].T
            for part in parts[1:]:
                sums.addmm_(a[:, part], b[:, part].T)
        return sums

    def limits(self, exact: Tensor) -> tuple[Tensor, Tensor]:
        score, error = exact.double() / (ONE * ONE), self.error
        return (score - error).float(), (score + error).float()

    def value(self, exact: Tensor) -> Tensor:
        fraction = exact.double() / self.unit
        return -(-fraction).clamp(min=0).sqrt() if self.euclidean else fraction


@contextmanager
def _full_float32(device: torch.device) -> Iterator[None]:
    """Neither autocast nor a precision below float32, such as TF32, which the user may have allowed for training."""
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("highest")
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
