"""What every reader returns: query and gallery, with what can be wrong between their arrays checked once.

Messages write the names of arrays in quotes, as 'query_pid'; a reader puts the file's own names in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.made_by import MadeBy

Array = NDArray[Any]

SIDES = ("query", "gallery")

ROLES = ("embedding", "pid", "camid", "rate", "path")
"""What an image can have; anything else is a label."""

KINDS = {"pid": np.int64, "camid": np.int64, "rate": np.float64}

FLOATS = (np.float16, np.float32, np.float64)


class EmbeddingError(ValueError):
    """The embeddings cannot be used as given. The message names the thing, its value and the remedy."""


@dataclass(frozen=True, eq=False)
class EmbeddingSide:
    """Query or gallery: N images.

    embedding: (N, D) float16, float32 or float64, possibly a memory map that can only be read; None where the set has
    ready distances. pid: (N,) int64. camid: (N,) int64. rate: (N,) float64 from 1, the factor of down-sampling, 1 for
    a sharp image. labels: (N,) each, anything else that is known of an image. path: (N,) text.
    """

    embedding: Array | None
    pid: NDArray[np.int64]
    camid: NDArray[np.int64] | None = None
    rate: NDArray[np.float64] | None = None
    labels: Mapping[str, Array] = field(default_factory=dict)
    path: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.pid)

    def columns(self) -> dict[str, Array]:
        """All that is there, by name; labels last."""
        own = {role: getattr(self, role) for role in ROLES}
        return {**{role: values for role, values in own.items() if values is not None}, **self.labels}


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Query and gallery as they are evaluated.

    source: the files, for people. pid_names: the text that stands behind each pid, empty where pids were numbers.
    distances: (Q, G), smaller is nearer, instead of embeddings. notes: what a person should know about this reading,
    a sentence each. made_by: None where nobody knows.

    Raises:
        EmbeddingError: shapes, lengths or types do not fit. Values are not looked at.
    """

    query: EmbeddingSide
    gallery: EmbeddingSide
    source: str = ""
    pid_names: Mapping[int, str] = field(default_factory=dict)
    distances: Array | None = None
    notes: tuple[str, ...] = ()
    made_by: MadeBy | None = None

    def __post_init__(self) -> None:
        for name, side in self.sides().items():
            _check_side(side, name)
        _check_both(self.query, self.gallery)
        _check_distances(self)
        if self.pid_names:
            _check_names(self)

    def sides(self) -> dict[str, EmbeddingSide]:
        return dict(zip(SIDES, (self.query, self.gallery), strict=True))


def _check_side(side: EmbeddingSide, name: str) -> None:
    if not len(side):
        raise EmbeddingError(f"'{name}_pid' is empty: there is no {name} image")
    taken = [label for label in side.labels if label in ROLES]
    if taken:
        raise EmbeddingError(f"a label is named {taken[0]!r}, which means something else; give it another name")
    for column, values in side.columns().items():
        check_column(values, f"{name}_{column}", len(side), f"{name}_pid")
        if values.dtype != KINDS.get(column, values.dtype):
            raise EmbeddingError(f"'{name}_{column}' has dtype {values.dtype}; make it {np.dtype(KINDS[column])}")
    if side.embedding is not None:
        _check_floats(side.embedding, f"{name}_embedding")


def check_column(values: Array, name: str, rows: int, counted: str) -> None:
    """Of any column: (rows, D) of embeddings, (rows,) of others; no objects.

    Args:
        name: of the column, for errors and to know embeddings by. counted: name of the column with so many rows.

    Raises:
        EmbeddingError: it is another.
    """
    ndim = 2 if name.endswith("embedding") else 1
    if values.ndim != ndim:
        form = "(images, dimensions)" if ndim == 2 else "(images,), one value an image"
        raise EmbeddingError(f"'{name}' has shape {values.shape}; give {form}")
    if values.dtype.hasobject:
        raise EmbeddingError(f"'{name}' has dtype {values.dtype}; make it numbers, or text (dtype str)")
    if len(values) == rows:
        return
    hint = "each image has one entry in both"
    if ndim == 2 and values.shape[1] == rows:
        hint = "it looks transposed, so save it as (images, dimensions)"
    raise EmbeddingError(f"'{name}' has {len(values):,} rows and '{counted}' has {rows:,}; {hint}")


def _check_floats(values: Array, name: str) -> None:
    if values.dtype not in FLOATS:
        raise EmbeddingError(f"'{name}' has dtype {values.dtype.str}; save it as float16, float32 or float64")
    if 0 in values.shape:
        raise EmbeddingError(f"'{name}' has shape {values.shape}: it is empty")


def _check_both(query: EmbeddingSide, gallery: EmbeddingSide) -> None:
    if (query.camid is None) != (gallery.camid is None):
        there, lacking = SIDES if gallery.camid is None else SIDES[::-1]
        raise EmbeddingError(
            f"'{there}_camid' is there and '{lacking}_camid' is missing. The same-camera rule needs both; give it, or "
            "leave both out to score without the rule"
        )
    if query.embedding is None or gallery.embedding is None:
        return
    widths = query.embedding.shape[1], gallery.embedding.shape[1]
    if widths[0] != widths[1]:
        raise EmbeddingError(
            f"'query_embedding' has {widths[0]} dimensions and 'gallery_embedding' {widths[1]}; both must come from "
            "one network"
        )


def _check_names(whole: EmbeddingSet) -> None:
    pids = np.concatenate([whole.query.pid, whole.gallery.pid])
    nameless = pids[~np.isin(pids, list(whole.pid_names))]
    if len(nameless):
        raise EmbeddingError(f"pid_names has no name for pid {nameless[0]}; name all pids, or none")


def _check_distances(whole: EmbeddingSet) -> None:
    lacking = [f"'{name}_embedding'" for name, side in whole.sides().items() if side.embedding is None]
    if whole.distances is None:
        if lacking:
            raise EmbeddingError(f"there is no {' and no '.join(lacking)}, and no 'distances' either; give one of both")
        return
    if len(lacking) < len(SIDES):
        raise EmbeddingError(
            "there are 'distances' and embeddings too, and these can rank differently; leave out what is not scored"
        )
    shape, wanted = whole.distances.shape, (len(whole.query), len(whole.gallery))
    if shape != wanted:
        hint = "; it looks transposed" if shape == wanted[::-1] and wanted[0] != wanted[1] else ""
        raise EmbeddingError(f"'distances' has shape {shape}; give (queries, gallery images), here {wanted}{hint}")
    _check_floats(whole.distances, "distances")
