"""One table of all images: its columns, and which rows are query and which gallery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.embedding_set import ROLES, SIDES, EmbeddingError, check_column
from psnet.embeddings.part import Loader

Rows = slice | NDArray[np.int64]

LEFT_OUT = "train"
"""The one other split that a table may have."""


def as_column(values: NDArray[Any], name: str) -> NDArray[Any]:
    """(N,). MATLAB has no vectors, so a single row or column counts as one.

    Raises:
        EmbeddingError: it is none.
    """
    if values.ndim == 2 and 1 in values.shape:
        values = values.ravel()
    if values.ndim != 1:
        raise EmbeddingError(f"'{name}' has shape {values.shape}; give (images,), one value an image")
    return values


def sides_of_table(found: Mapping[str, Loader], notes: list[str]) -> dict[str, dict[str, NDArray[Any]]]:
    """Per side, the columns of its rows. A column that is empty on a whole side is left out there.

    Args:
        found: columns, with `split` or `num_query`. notes: grows.

    Raises:
        EmbeddingError: nothing says which rows are queries, or columns have different lengths.
    """
    if "pid" not in found:
        raise EmbeddingError(f"there is no 'pid'; there is {', '.join(repr(name) for name in sorted(found))}")
    columns = {name: load() for name, load in found.items() if name not in ("split", "num_query")}
    unused = [name for name, values in columns.items() if name not in ROLES and values.ndim != 1]
    if unused:
        notes.append(f"Not used: {', '.join(sorted(unused))}.")
    columns = {
        name: values if name == "embedding" else as_column(values, name)
        for name, values in columns.items()
        if name not in unused
    }
    count = len(columns["pid"])
    if not count:
        raise EmbeddingError("'pid' is empty: there is no image")
    for name, values in columns.items():
        check_column(values, name, count, "pid")
    rows = _rows(found, count, notes)
    sides: dict[str, dict[str, NDArray[Any]]] = {side: {} for side in SIDES}
    for side, name in ((side, name) for side in SIDES for name in columns):
        whole = without_gaps(columns[name][rows[side]], name, side)
        if whole is not None:
            sides[side][name] = whole
    return sides


def _rows(found: Mapping[str, Loader], count: int, notes: list[str]) -> dict[str, Rows]:
    if "split" in found and "num_query" in found:
        raise EmbeddingError("'split' and 'num_query' are both there; leave one out")
    if "split" not in found and "num_query" not in found:
        raise EmbeddingError(
            "nothing says which rows are queries. Give 'split' (query or gallery for each row), or 'num_query' (so "
            "many rows are queries, and come first), or two files named query and gallery"
        )
    if "num_query" in found:
        number = found["num_query"]()
        if number.size != 1 or number.dtype.kind not in "iu" or not 0 < number.item() < count:
            raise EmbeddingError(f"'num_query' is {number.tolist()}; give a whole number from 1 to {count - 1}")
        return {"query": slice(0, number.item()), "gallery": slice(number.item(), count)}
    return _rows_by_split(as_column(found["split"](), "split"), count, notes)


def _rows_by_split(split: NDArray[Any], count: int, notes: list[str]) -> dict[str, Rows]:
    split = np.ma.getdata(split)  # a gap is ""
    split = np.char.decode(split, "utf-8") if split.dtype.kind == "S" else split
    check_column(split, "split", count, "pid")
    counts = {str(name): int(times) for name, times in zip(*np.unique(split, return_counts=True), strict=True)}
    unknown = [name for name in counts if name not in (*SIDES, LEFT_OUT)]
    if unknown:
        raise EmbeddingError(f"'split' is {unknown[0]!r} for some rows; give 'query' or 'gallery'")
    if LEFT_OUT in counts:
        notes.append(f"{counts[LEFT_OUT]:,} rows of split {LEFT_OUT} are left out.")
    for side in SIDES:
        if side not in counts:
            raise EmbeddingError(f"no row has the 'split' {side}; there are {counts}")
    return {side: _as_slice(np.flatnonzero(split == side)) for side in SIDES}


def _as_slice(rows: NDArray[np.int64]) -> Rows:
    """Rows that lie together can be looked at without a copy, in a memory map too."""
    start, stop = int(rows[0]), int(rows[-1]) + 1
    return slice(start, stop) if stop - start == len(rows) else rows


def without_gaps(values: NDArray[Any], name: str, side: str) -> NDArray[Any] | None:
    """A side's column; None if it has nothing but gaps.

    Raises:
        EmbeddingError: it has gaps, and not only gaps.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    gaps = np.flatnonzero(np.ma.getmaskarray(values))
    if len(gaps) == len(values):
        return None
    if len(gaps):
        raise EmbeddingError(f"'{name}' is missing for {len(gaps):,} of {len(values):,} {side} rows; fill the gaps")
    return np.asarray(values.data)
