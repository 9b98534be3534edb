"""A folder of one .npy file an image, named as Market-1501 and DukeMTMC-reID name their images."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.numpy_files import read_npy
from psnet.embeddings.part import FileError, Loader, Part

PATTERN = re.compile(r"(?P<pid>-?\d+)_c(?P<camid>\d+)[^.]*\.npy")
EXAMPLE = "0001_c1s1_000151_00.npy"


def holds_images(folder: Path) -> bool:
    """Some file is named after an image."""
    return any(PATTERN.fullmatch(file.name) for file in folder.glob("*.npy"))


def read_image_files(folder: Path) -> Part:
    """The rows of a table, in the order of names. Each file holds (D,) or (1, D) numbers.

    Raises:
        FileError: a name does not parse, or a file does not fit the others.
    """
    files = sorted(folder.glob("*.npy"))
    matches = [PATTERN.fullmatch(file.name) for file in files]
    wrong = [file.name for file, match in zip(files, matches, strict=True) if match is None]
    if wrong or not files:
        named = f"{wrong[0]} is not named" if wrong else "there is no .npy file named"
        raise FileError(f"{folder}: {named} like {EXAMPLE}, person and camera first; name all of them so")
    labels = [(int(match["pid"]), int(match["camid"])) for match in matches if match]
    for file, numbers in zip(files, labels, strict=True):
        if max(numbers) >= 2**63:
            raise FileError(f"{file}: {max(numbers)} is beyond 2**63 - 1; number persons and cameras anew")
    pid, camid = np.array(labels, dtype=np.int64).T
    path = np.array([file.name for file in files])
    arrays: dict[str, Loader] = {
        "embedding": partial(_stacked, files),
        "pid": lambda: pid,
        "camid": lambda: camid,
        "path": lambda: path,
    }
    return Part(folder, arrays)


def _stacked(files: list[Path]) -> NDArray[Any]:
    first = _vector(files[0])
    rows = np.empty((len(files), len(first)), first.dtype)
    for row, file in zip(rows, files, strict=True):
        values = _vector(file)
        if (values.dtype, values.shape) != (first.dtype, first.shape):
            raise FileError(
                f"{file} holds {len(values)} numbers of {values.dtype} and {files[0].name} holds {len(first)} of "
                f"{first.dtype}; all must come from one network"
            )
        row[:] = values
    return rows


def _vector(file: Path) -> NDArray[Any]:
    values = read_npy(file).arrays[file.stem]()
    if values.size != max(values.shape, default=0):
        raise FileError(f"{file} has shape {values.shape}; give one embedding a file, (dimensions,)")
    return values.ravel()
