"""An EmbeddingSet as a file or a folder, whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.atomic import whole
from psnet.embeddings.embedding_set import SIDES, EmbeddingError, EmbeddingSet
from psnet.embeddings.naming import OWN
from psnet.embeddings.parquet_file import pyarrow

Columns = dict[str, NDArray[Any]]

OUR_FILE = re.compile(r"((query|gallery)_[\w -]+|distances|made_by)\.npy")
"""Of a folder that we wrote, and may replace."""


def save_embeddings(embeddings: EmbeddingSet, path: str | Path) -> Path:
    """Write what `read_embeddings` reads again: .npz, .parquet, or a folder of .npy files where the name has no ending.

    Pids that stand for text are written as this text. source and notes are not written. A file that is there
    already, or a folder that this function wrote, is replaced. Returns the path.

    Raises:
        EmbeddingError: another ending, a folder that holds other things, or what the format cannot hold.
    """
    path = Path(path)
    check_target(path)
    _WRITERS[path.suffix](embeddings, path)
    return path


def check_target(path: str | Path) -> None:
    """That embeddings can be written there, before they are computed.

    Raises:
        EmbeddingError: another ending, a folder that holds other things, or a library is missing.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        raise EmbeddingError(f"{path} ends in {path.suffix!r}; end it in .npz or .parquet, or in nothing for a folder")
    if path.suffix == ".parquet":
        pyarrow(path)
    ours = path.is_dir() and all(OUR_FILE.fullmatch(file.name) for file in path.iterdir())
    if path.is_dir() if path.suffix else path.exists() and not ours:
        kind = "file" if path.suffix else "folder of embeddings"
        raise EmbeddingError(f"{path} is there already, and is no {kind}; give another name")


def _arrays(embeddings: EmbeddingSet) -> Columns:
    """By psnet's names, query and gallery apart."""
    arrays = {f"{side}_{name}": values for side in SIDES for name, values in _columns(embeddings, side).items()}
    if embeddings.distances is not None:
        arrays["distances"] = embeddings.distances
    if embeddings.made_by:
        arrays["made_by"] = np.array(embeddings.made_by.as_json())
    return arrays


def _columns(embeddings: EmbeddingSet, side: str) -> Columns:
    columns = embeddings.sides()[side].columns()
    names = embeddings.pid_names
    return {**columns, "pid": np.array([names[pid] for pid in columns["pid"].tolist()])} if names else columns


def _write_npz(embeddings: EmbeddingSet, path: Path) -> None:
    with whole(path) as beside, beside.open("wb") as file:
        arrays: dict[str, Any] = _arrays(embeddings)
        np.savez(file, **arrays)


def _write_folder(embeddings: EmbeddingSet, path: Path) -> None:
    arrays = _arrays(embeddings)
    strange = [name for name in arrays if not OUR_FILE.fullmatch(f"{name}.npy")]
    if strange:
        raise EmbeddingError(f"{strange[0]!r} cannot be the name of a file; rename that label, or write an .npz")
    beside, older = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        for name, values in arrays.items():
            with whole(beside / f"{name}.npy") as target, target.open("wb") as file:
                np.save(file, values, allow_pickle=False)
        if path.exists():
            os.rename(path, older)
        os.rename(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(older, ignore_errors=True)


def _write_parquet(embeddings: EmbeddingSet, path: Path) -> None:
    """Queries first, in row groups of their own; a column that one side lacks has gaps there."""
    if embeddings.distances is not None:
        raise EmbeddingError(f"{path}: a table has no place for distances; write an .npz or a folder")
    taken = [label for side in embeddings.sides().values() for label in side.labels if label in OWN]
    if taken:
        raise EmbeddingError(f"{path}: a label is named {taken[0]!r}, a column of its own in a table; rename it")
    arrow = pyarrow(path)
    tables = [_table(arrow, _columns(embeddings, side), side) for side in SIDES]
    try:
        schema = arrow.unify_schemas([table.schema for table in tables])
        if embeddings.made_by:
            schema = schema.with_metadata({"made_by": embeddings.made_by.as_json()})
    except arrow.ArrowException as error:
        raise EmbeddingError(f"{path}: query and gallery have columns of different types: {error}") from error
    with whole(path) as beside, arrow.parquet.ParquetWriter(beside, schema) as writer:
        for table in tables:
            lacking = [field for field in schema if field.name not in table.schema.names]
            for field in lacking:
                table = table.append_column(field, arrow.nulls(len(table), field.type))
            writer.write_table(table.select(schema.names))


def _table(arrow: Any, columns: Columns, side: str) -> Any:
    rows = len(columns["pid"])
    plain = {name: arrow.array(values) for name, values in columns.items() if name != "embedding"}
    embedding = np.ascontiguousarray(columns["embedding"])
    numbers = arrow.FixedSizeListArray.from_arrays(arrow.array(embedding.reshape(-1)), embedding.shape[1])
    return arrow.table({"embedding": numbers, "split": arrow.array([side] * rows), **plain})


_WRITERS: dict[str, Callable[[EmbeddingSet, Path], None]] = {
    ".npz": _write_npz,
    ".parquet": _write_parquet,
    "": _write_folder,
}
"""By the ending of a name."""
