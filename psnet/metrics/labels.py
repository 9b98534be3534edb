"""Who is in which image, and which gallery images are right, wrong or left out for a query."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Labels:
    """pid and camid, (N,) integers each. camid may be None where the camera rule is off."""

    pid: Tensor
    camid: Tensor | None = None

    def __getitem__(self, rows: slice | Tensor) -> Labels:
        return Labels(self.pid[rows], None if self.camid is None else self.camid[rows])


@dataclass(frozen=True, eq=False)
class Rules:
    """Which gallery images take part.

    camera_rule: leave out those with the query's pid *and* camid. junk_pid: gallery images that are neither right nor
    wrong, for any query (Market-1501: -1).
    """

    camera_rule: bool = True
    junk_pid: int | None = None


@dataclass(frozen=True, eq=False)
class OwnImages:
    """The gallery images of each query's own person, as one list.

    row: (M,) int64 the query, ascending. column: (M,) int64 place among the gallery images that take part, ascending
    for each query. removed: (M,) bool, by the camera rule. begin: (Q + 1,) int64, where each query's part begins.
    kept: (G',) int64 numbers of the gallery images that take part, ascending: all but junk. images: G, junk included.
    """

    row: Tensor
    column: Tensor
    removed: Tensor
    begin: Tensor
    kept: Tensor
    images: int

    def span(self, queries: slice) -> slice:
        """Where consecutive queries' images lie in the list."""
        return slice(int(self.begin[queries.start]), int(self.begin[queries.stop]))

    def within(self, queries: slice, galleries: slice) -> Tensor:
        """Numbers in the list, of those that lie in a part of the gallery."""
        span = self.span(queries)
        column = self.column[span]
        return ((column >= galleries.start) & (column < galleries.stop)).nonzero().flatten() + span.start

    @property
    def num_matches(self) -> Tensor:
        """(Q,) int64, without those removed."""
        return torch.zeros(len(self.begin) - 1, dtype=torch.int64, device=self.row.device).scatter_add(
            0, self.row, (~self.removed).long()
        )

    @property
    def num_candidates(self) -> Tensor:
        """(Q,) int64, gallery images of anybody that take part for each query."""
        return len(self.kept) - (self.begin.diff() - self.num_matches)


def own_images(query: Labels, gallery: Labels, rules: Rules) -> OwnImages:
    """
    Raises:
        ValueError: the camera rule lacks cameras, labels are no whole numbers, or junk is all there is.
    """
    for side, name in ((query, "query"), (gallery, "gallery")):
        check_labels(side, name, rules)
    kept = torch.arange(len(gallery.pid), device=gallery.pid.device)
    if rules.junk_pid is not None:
        kept = kept[gallery.pid != rules.junk_pid]
    if len(gallery.pid) == 0:
        raise ValueError("there is no gallery image, so nothing can be found")
    if len(kept) == 0:
        raise ValueError(f"all {len(gallery.pid)} gallery images are junk, pid {rules.junk_pid}; nothing can be found")
    pid, order = gallery.pid[kept].sort(stable=True)
    first = torch.searchsorted(pid, query.pid.contiguous())
    number = torch.searchsorted(pid, query.pid.contiguous(), right=True) - first
    begin = torch.nn.functional.pad(number.cumsum(0), (1, 0))
    row = torch.repeat_interleave(torch.arange(len(number), device=number.device), number)
    column = order[first[row] + torch.arange(len(row), device=row.device) - begin[row]]
    removed = torch.zeros_like(row, dtype=torch.bool)
    if rules.camera_rule:
        assert query.camid is not None
        assert gallery.camid is not None
        removed = query.camid[row] == gallery.camid[kept[column]]
    return OwnImages(row, column, removed, begin, kept, len(gallery.pid))


def check_lengths(query: Sized, gallery: Sized, query_labels: Labels, gallery_labels: Labels) -> None:
    """Raises ValueError unless each embedding has its pid."""
    for rows, labels, name in ((query, query_labels, "query"), (gallery, gallery_labels, "gallery")):
        if len(rows) != len(labels.pid):
            raise ValueError(f"{name} has {len(rows)} embeddings and {len(labels.pid)} pids; give one of each an image")


def nobody_is_left_out(queries: int, images: int, device: torch.device) -> OwnImages:
    """Where people do not matter: nobody is known to be anybody."""
    none = torch.empty(0, dtype=torch.int64, device=device)
    begin = torch.zeros(queries + 1, dtype=torch.int64, device=device)
    return OwnImages(none, none, none.bool(), begin, torch.arange(images, device=device), images)


def check_labels(side: Labels, name: str, rules: Rules) -> None:
    """Raises ValueError."""
    if rules.camera_rule and side.camid is None:
        raise ValueError(f"the same-camera rule needs camids, and {name} has none; give them, or camera_rule=False")
    for what, values in (("pid", side.pid), ("camid", side.camid)):
        if values is not None and (values.ndim != 1 or values.is_floating_point()):
            raise ValueError(
                f"{name} {what}s are {tuple(values.shape)} of {values.dtype}; give whole numbers, one an image"
            )
    if side.camid is not None and len(side.camid) != len(side.pid):
        raise ValueError(f"{name} has {len(side.pid)} pids and {len(side.camid)} camids; give one of each an image")
