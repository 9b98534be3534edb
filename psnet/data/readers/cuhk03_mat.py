"""cuhk-03.mat: a MATLAB 7.3 file, that is HDF5 with all arrays transposed and cells as object references."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from psnet.data.samples import DataError

CACHE_SETTING = "dataset.source.reader.cache"
"""How a user says where else the images may be written; named in errors."""

PAIRS = 5
"""Pairs of cameras, one cell each."""

COLUMNS = 10
"""Places for images of one person: 1 to 5 by the first camera of the pair, 6 to 10 by the second."""


def person_id(pair: int, person: int) -> int:
    """The pid of a person of a pair, both from 1: 1000 * pair + person. No pair has more than 843 people.

    >>> person_id(2, 17)
    2017
    """
    return 1000 * pair + person


@contextmanager
def open_mat(path: Path) -> Iterator[Any]:
    """The opened file.

    Raises:
        DataError: h5py is not installed, or the file is not the one that was published.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"reading {path} needs h5py; install it with pip install -e '.[cuhk03]'") from error
    try:
        mat = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is not a readable MATLAB 7.3 file ({error}); get it again") from error
    with mat:
        missing = [name for name in ("detected", "labeled", "testsets") if name not in mat]
        if missing:
            raise DataError(f"{path} lacks {missing[0]!r}; is it the cuhk-03.mat of cuhk03_release.zip?")
        yield mat


def published_splits(mat: Any, kind: str) -> tuple[frozenset[int], ...]:
    """The test pids of each published split (20 of 100 people).

    Raises:
        DataError: a split names a person that the file does not have.
    """
    people = [cell.shape[0] for cell in _cells(mat, kind)]
    splits = []
    for number, reference in enumerate(_matlab(mat["testsets"]).ravel(), start=1):
        rows = _matlab(mat[reference])
        if rows.ndim != 2 or rows.shape[1] != 2:
            raise DataError(f"{mat.filename}: test set {number} is {rows.shape}, not people x (pair, person)")
        splits.append(frozenset(_test_person(mat, number, int(a), int(b), people) for a, b in rows))
    return tuple(splits)


def _test_person(mat: Any, number: int, pair: int, person: int, people: list[int]) -> int:
    if not (1 <= pair <= PAIRS and 1 <= person <= people[pair - 1]):
        raise DataError(f"{mat.filename}: test set {number} names person {person} of pair {pair}, who is not there")
    return person_id(pair, person)


def write_images(mat: Any, kind: str, folder: Path) -> None:
    """Write each image once, as PAIR_PERSON_VIEW_INDEX.png (1_001_1_01.png), index being its column from 1.

    They are written into a folder beside, which is renamed when it is whole: `folder` is complete or absent.
    A killed run may leave such a folder, with `.part-` in its name, to be deleted.

    Args:
        kind: "detected" or "labeled".

    Raises:
        DataError: the place cannot be written to, or something that is no image stands in place of one.
    """
    beside = folder.with_name(f"{folder.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise DataError(
            f"cannot write the images of {mat.filename} to {folder} ({error.strerror}); "
            f"give a place that can be written to, {CACHE_SETTING}=PATH"
        ) from error
    try:
        people = [
            (pair, row) for pair, cell in enumerate(_cells(mat, kind), start=1) for row in enumerate(cell, start=1)
        ]
        for pair, (person, references) in track(
            people, description=f"CUHK03 {kind}: writing PNGs, once", console=Console(stderr=True)
        ):
            _write_person(mat, beside, f"{pair}_{person:03d}", references)
        _put(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put(beside: Path, folder: Path) -> None:
    try:
        os.rename(beside, folder)
    except OSError:
        if not folder.is_dir():  # otherwise another process was first, with the same images
            raise


def _write_person(mat: Any, folder: Path, name: str, references: NDArray[Any]) -> None:
    for column, reference in enumerate(references, start=1):
        view = 1 if column <= COLUMNS // 2 else 2
        pixels = _image(mat, reference, f"{name}, column {column}")
        if pixels is not None:
            Image.fromarray(pixels).save(folder / f"{name}_{view}_{column:02d}.png")


def _image(mat: Any, reference: Any, where: str) -> NDArray[np.uint8] | None:
    """H x W x 3, or None for an empty cell (which MATLAB stores as a vector of its dimensions, 0 and 0)."""
    stored = mat[reference]
    if stored.attrs.get("MATLAB_empty", 0) or stored.ndim < 3:
        return None
    pixels = _matlab(stored)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise DataError(f"{mat.filename}: person {where} holds {pixels.dtype} {pixels.shape}, not uint8 H x W x 3")
    return np.ascontiguousarray(pixels)


def _cells(mat: Any, kind: str) -> list[NDArray[Any]]:
    """Per pair, people x 10 references."""
    cells = [_matlab(mat[reference]) for reference in _matlab(mat[kind]).ravel()]
    if len(cells) != PAIRS or any(cell.ndim != 2 or cell.shape[1] != COLUMNS for cell in cells):
        raise DataError(
            f"{mat.filename}: {kind} has cells of {[cell.shape for cell in cells]}, "
            f"not {PAIRS} of people x {COLUMNS}; is it the published file?"
        )
    return cells


def _matlab(stored: Any) -> NDArray[Any]:
    """An array with its axes as MATLAB has them."""
    try:
        return np.asarray(stored[()]).T
    except OSError as error:
        raise DataError(f"{stored.file.filename} is damaged at {stored.name} ({error}); get it again") from error
