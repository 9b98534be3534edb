"""Embeddings of one side, query or gallery, read block by block and turned into integers.

Floating-point inner products depend in their last bits on the device and on how a matrix is cut into blocks. So each
embedding is rounded once to whole multiples of 2^-30, and what decides between two gallery images is computed from
these integers, where sums are exact in any order (`psnet.metrics.scores`).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from psnet.metrics import kernels

Embeddings: TypeAlias = Tensor | NDArray[np.floating]
"""(N, D), any float type. Of a NumPy array, memory-mapped or not, only a block at a time is copied."""

ONE = 1 << 30
"""The integer that stands for 1. Inner products of vectors of norm 1 stay below 2^60, squared distances below 2^62."""

LANES = 64
"""Sums of squares are taken in so many interleaved parts, on every device alike."""

READ = 1 << 22
"""Numbers read at once."""


class Block(NamedTuple):
    """Some rows. whole: (n, D) int32, of which `ONE` is 1. rounded: the same as float32, of norm 1 at most.
    length: (n,) float32, its squared norm, where distances are asked for."""

    whole: Tensor
    rounded: Tensor
    length: Tensor | None

    def part(self, rows: slice) -> Block:
        return Block(self.whole[rows], self.rounded[rows], None if self.length is None else self.length[rows])


class Rows:
    """One side's embeddings.

    Args:
        embeddings: (N, D). Half precision is promoted, float64 kept. what: "query" or "gallery", for messages.
        kept: (n,) ascending numbers of the rows that take part; all, if None.

    Raises:
        ValueError: not (images, dimensions), empty, or not finite: says how many rows, and the first.
    """

    def __init__(self, embeddings: Embeddings, what: str, kept: Tensor | None = None) -> None:
        if embeddings.ndim != 2 or 0 in embeddings.shape:
            raise ValueError(
                f"{what} embeddings have shape {tuple(embeddings.shape)}; give (images, dimensions), not empty"
            )
        self.embeddings, self.what, self.kept = embeddings, what, kept
        self.dimensions = int(embeddings.shape[1])
        self.device = embeddings.device if isinstance(embeddings, Tensor) else torch.device("cpu")
        self.norm = self._norms()
        bad = (~self.norm.isfinite()).nonzero().flatten()
        if len(bad):
            raise ValueError(
                f"{len(bad)} of {len(self)} {what} embeddings hold NaN or infinity, the first is "
                f"number {self.number(int(bad[0]))}; the network has diverged, or its input is broken"
            )

    def __len__(self) -> int:
        return len(self.embeddings) if self.kept is None else len(self.kept)

    def number(self, row: int) -> int:
        """Of a row that takes part, among all."""
        return row if self.kept is None else int(self.kept[row])

    def block(self, rows: slice | Tensor, scale: float | None) -> Block:
        """Rows as integers.

        Args:
            rows: a slice, or numbers (n,). scale: each row is multiplied by it, for distances; None divides each by
                its own norm, for cosines, and leaves zeros zero.
        """
        x, norm = self._read(rows), self.norm[rows]
        divisor = norm.where(norm > 0, 1.0) if scale is None else torch.full_like(norm, 1 / scale)
        if kernels.serve(x):
            whole, rounded = map(torch.from_numpy, kernels.fix(x.numpy(), divisor.numpy(), ONE))
        else:
            multiple = (x.double() / divisor[:, None] * ONE).round()
            whole, rounded = multiple.int(), (multiple / ONE).float()
        return Block(whole, rounded, None if scale is None else sum_of_squares(rounded).float())

    def _read(self, rows: slice | Tensor) -> Tensor:
        if self.kept is not None:
            rows = self.kept[rows]
        if isinstance(self.embeddings, Tensor):
            x = self.embeddings.detach()[rows]
        else:
            x = torch.from_numpy(np.array(self.embeddings[rows if isinstance(rows, slice) else rows.numpy()]))
        return (x if x.dtype == torch.float64 else x.float()).contiguous()

    def _norms(self) -> Tensor:
        step = max(1, READ // self.dimensions)
        parts = [sum_of_squares(self._read(slice(i, i + step))) for i in range(0, len(self), step)]
        return torch.cat(parts).sqrt()


def sum_of_squares(x: Tensor) -> Tensor:
    """(n, D) -> (n,) float64, the same bits on every device: part l adds up the dimensions l, l + LANES, ...; then the
    parts are folded in halves."""
    if kernels.serve(x):
        return torch.from_numpy(kernels.sum_of_squares(x.numpy(), LANES))
    n, dimensions = x.shape
    x = torch.nn.functional.pad(x.double(), (0, -dimensions % LANES)).reshape(n, -1, LANES)
    parts = torch.zeros(n, LANES, dtype=torch.float64, device=x.device)
    for column in x.unbind(1):
        parts = parts + column * column
    while parts.shape[1] > 1:
        half = parts.shape[1] // 2
        parts = parts[:, :half] + parts[:, half:]
    return parts[:, 0]
