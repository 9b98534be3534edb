"""NumPy's own files: .npz, .npy, and a folder of .npy files, which are mapped into memory and not loaded."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.part import FACTS, FileError, Part, damaged, refuse_pickle

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, SyntaxError, UnicodeDecodeError)
"""What NumPy raises on files that are not whole."""


def read_npz(path: Path) -> Part:
    """Each array of an archive is read whole.

    Raises:
        FileError: the archive is damaged; and when an array is read: it is pickled.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):  # NumPy would take it for a pickle, and say how to trust it
                raise zipfile.BadZipFile("no archive of np.savez")
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
    except DAMAGE as error:
        raise damaged(path, error) from error
    facts = {name: str(_entry(path, name)) for name in names if name in FACTS}
    return Part(path, {name: partial(_entry, path, name) for name in names if name not in FACTS}, facts=facts)


def _entry(path: Path, name: str) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            values = archive[name]
    except DAMAGE as error:
        raise _reason(path, f"{path}: {name}", error) from error
    if not isinstance(values, np.ndarray):
        raise FileError(f"{path}: {name} is no array; write the archive with np.savez")
    return values


def read_npy(path: Path) -> Part:
    """One array, by the name of its file, as a memory map."""
    return Part(path, {path.stem: partial(_mapped, path)})


def read_npy_folder(folder: Path) -> Part:
    """One array a file."""
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise FileError(
            f"{folder} holds no .npy files; give a folder such as save_embeddings writes, or its files one by one"
        )
    facts = {file.stem: str(_mapped(file)) for file in files if file.stem in FACTS}
    arrays = {file.stem: partial(_mapped, file) for file in files if file.stem not in FACTS}
    return Part(folder, arrays, facts=facts)


def _mapped(path: Path) -> NDArray[Any]:
    try:
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGE as error:
        raise _reason(path, str(path), error) from error
    return values


def _reason(path: Path, what: str, error: Exception) -> FileError:
    text = str(error).lower()
    return refuse_pickle(what) if "object" in text or "pickle" in text else damaged(path, error)
