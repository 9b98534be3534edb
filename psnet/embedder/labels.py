"""What is known of images beside their pixels: by a pattern from their names, or by a list in a CSV file."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.data.readers.market import NAMES
from psnet.embedder.errors import EmbedderError
from psnet.embedder.image_table import OWN

Columns = dict[str, NDArray[Any]]

KEPT = {*OWN, "id", "embedding", "made_by", "root", "split", "num_query", "file", "args", "kwds", "allow_pickle"}
"""Names that mean something else in a table of embeddings, or to np.savez."""

WHOLE_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})")
PADDED_NUMBER = re.compile(r"-?\d{1,18}")

PADDED = ("pid", "camid")
"""Columns of which 0012 and 12 are the same number, as in the names of published sets."""


def labels_of(paths: Sequence[str], pattern: str) -> Columns:
    r"""A column for each named group of a pattern that is searched for in each path.

    Args:
        paths: with "/" between folders. pattern: a regular expression, such as ``^(?P<pid>[^/]+)/c(?P<camid>\d+)_``, or
            "market" for names like 0002_c1s1_000451_03.jpg.

    Returns:
        int64 where all values are whole numbers, else text.

    Raises:
        EmbedderError: the pattern is none, has no named group, or one that means something else; or a path does not
            fit.
    """
    try:
        regex = re.compile(NAMES.get(pattern, pattern))
    except re.error as error:
        raise EmbedderError(f"names={pattern!r} is no regular expression ({error})") from error
    groups = list(regex.groupindex)
    if not groups:
        known = ", ".join(NAMES)
        raise EmbedderError(rf"names={pattern!r} has no named group such as (?P<pid>\d+), and is none of {known}")
    _check_names(groups, f"names={pattern!r}")
    values: dict[str, list[str]] = {name: [] for name in groups}
    for path in paths:
        match = regex.search(path)
        if match is None:
            raise EmbedderError(f"names={pattern!r} does not fit {path}; give another pattern, or none")
        for name in groups:
            values[name].append(match[name] or "")
    return {name: as_column(name, given) for name, given in values.items()}


def read_list(path: str | Path) -> tuple[list[Path], Columns]:
    """Images listed in a CSV file (UTF-8, commas, a header): its column `path`, relative to the file's folder, and a
    column each for the others.

    Raises:
        EmbedderError: there is no such file, or a header without `path`, or a row with more or fewer cells.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EmbedderError(f"{path} cannot be read as a CSV file in UTF-8 ({error})") from error
    if "path" not in header or len(set(header)) < len(header):
        raise EmbedderError(f"{path} must begin with a row of names, each once and one of them path; it has {header}")
    others = [name for name in header if name != "path"]
    _check_names(others, str(path))
    rows = [row for row in rows if row]
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise EmbedderError(f"{path}: row {number + 1} has {len(row)} cells, the header {len(header)}")
        if not row[header.index("path")].strip():
            raise EmbedderError(f"{path}: row {number + 1} has an empty path; name its image, or take the row away")
    if not rows:
        raise EmbedderError(f"{path} has a header and no rows; add a row an image")
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    paths = [path.parent / name for name in columns.pop("path")]
    return paths, {name: as_column(name, values) for name, values in columns.items()}


def as_column(name: str, values: Sequence[str]) -> NDArray[Any]:
    """int64 where all values are whole numbers, float64 where all are numbers, else text."""
    whole = PADDED_NUMBER if name in PADDED else WHOLE_NUMBER
    if values and all(whole.fullmatch(value) for value in values):
        return np.array([int(value) for value in values])
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return np.array(values, dtype=np.str_)
    exact = all(repr(number) == value for number, value in zip(numbers.tolist(), values, strict=True))
    return numbers if len(values) and exact else np.array(values, dtype=np.str_)


def check_columns(columns: Mapping[str, Any], rows: int) -> Columns:
    """Columns that are given beside images.

    Raises:
        EmbedderError: a name means something else, or a column has more or fewer entries than there are images.
    """
    _check_names(list(columns), "columns")
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    for name, values in arrays.items():
        if values.dtype.hasobject:
            raise EmbedderError(f"the column {name!r} holds objects, such as None; give numbers or text for each image")
        if values.shape != (rows,):
            raise EmbedderError(f"the column {name!r} has shape {values.shape}, and there are {rows:,} images")
    return arrays


def _check_names(names: Sequence[str], where: str) -> None:
    taken = sorted(KEPT & set(names))
    if taken:
        raise EmbedderError(f"{where} has {taken[0]!r}, which means something else in a table of embeddings; rename it")
