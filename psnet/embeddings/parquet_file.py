"""Parquet files: one row an image, embeddings as lists of floats."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.naming import EMBEDDING_NAMES
from psnet.embeddings.part import FACTS, FileError, Part, damaged


def pyarrow(path: Path) -> Any:
    """The library, with its parquet module.

    Raises:
        FileError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise FileError(f"{path}: Parquet files need pyarrow; install it with pip install -e '.[parquet]'") from error
    return pyarrow


def read_parquet(path: Path) -> Part:
    """The columns of one file. Nested ones are embeddings, or are passed over with a note.

    Raises:
        FileError: pyarrow is missing or the file is damaged; and when a column is read: embeddings have different
            lengths or gaps.
    """
    arrow = pyarrow(path)
    try:
        with arrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (arrow.ArrowException, OSError) as error:
        raise damaged(path, error) from error
    nested = {field.name for field in schema if field.type.num_fields}  # is_nested of old releases forgets fixed sizes
    plain = [name for name in schema.names if name not in nested]
    matrices = sorted(nested & EMBEDDING_NAMES)
    passed_over = sorted(nested - EMBEDDING_NAMES)
    notes = (f"{path.name}: nested columns are not used: {', '.join(passed_over)}.",) if passed_over else ()
    arrays = {
        **{name: partial(_matrix, path, name) for name in matrices},
        **{name: partial(_column, path, name) for name in plain},
    }
    said = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    return Part(path, arrays, notes, {name: said[name] for name in FACTS if name in said})


def _matrix(path: Path, name: str) -> NDArray[Any]:
    """(N, D), filled batch by batch, so that nothing is held twice."""
    arrow = pyarrow(path)
    rows: NDArray[Any] | None = None
    start = 0
    try:
        with arrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=[name]):
                values = _rows(
                    batch.column(0), None if rows is None else rows.shape[1], f"{path}: column {name!r}", start
                )
                if rows is None:
                    rows = np.empty((file.metadata.num_rows, values.shape[1]), values.dtype)
                rows[start : start + len(values)] = values
                start += len(values)
    except (arrow.ArrowException, OSError) as error:
        raise damaged(path, error) from error
    return np.empty((0, 0), np.float32) if rows is None else rows


def _rows(column: Any, width: int | None, what: str, start: int) -> NDArray[Any]:
    """(C, width) of one batch; its first row is number `start` of the file. width: None in the first batch."""
    lengths = column.value_lengths().fill_null(-1).to_numpy()
    width = int(lengths[0]) if width is None else width
    values = column.flatten()
    gap = np.flatnonzero(lengths < 0)
    if len(gap) or values.null_count:
        where = f"row {start + gap[0]}" if len(gap) else f"rows {start} to {start + len(column) - 1}"
        raise FileError(f"{what} has gaps in {where}; each image needs all its numbers")
    wrong = np.flatnonzero(lengths != width)
    if len(wrong):
        raise FileError(
            f"{what} has {lengths[wrong[0]]} numbers in row {start + wrong[0]} and {width} before; all must come from "
            "one network"
        )
    try:
        return np.asarray(values.to_numpy()).reshape(len(column), width)
    except (ValueError, NotImplementedError) as error:
        raise FileError(f"{what} holds {column.type}; make it lists of floats") from error


def _column(path: Path, name: str) -> NDArray[Any]:
    """(N,), masked where there are gaps."""
    arrow = pyarrow(path)
    try:
        with arrow.parquet.ParquetFile(path) as file:
            column = file.read([name], use_threads=False).column(0)
    except (arrow.ArrowException, OSError) as error:
        raise damaged(path, error) from error
    if arrow.types.is_dictionary(column.type):  # pandas' categories
        column = column.cast(column.type.value_type)
    known = ~column.is_null().to_numpy()
    there = column.drop_null().to_numpy()
    if _is_text(arrow, column.type):
        there = there.astype(str)
    elif not len(there):  # all gaps, of a type that is perhaps unknown
        there = there.astype(np.float64)
    if known.all():
        return np.asarray(there)
    values = np.zeros(len(column), there.dtype)
    values[known] = there
    return np.ma.MaskedArray(values, mask=~known)


def _is_text(arrow: Any, kind: Any) -> bool:
    return bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind))
