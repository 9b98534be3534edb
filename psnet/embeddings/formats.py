"""Which reader a file is for: by its first bytes, else by its name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psnet.embeddings.embedding_set import EmbeddingError
from psnet.embeddings.image_files import holds_images, read_image_files
from psnet.embeddings.mat_file import read_mat
from psnet.embeddings.numpy_files import read_npy, read_npy_folder, read_npz
from psnet.embeddings.parquet_file import read_parquet
from psnet.embeddings.part import FileError, Part, damaged, refuse_pickle
from psnet.embeddings.torch_file import read_torch


@dataclass(frozen=True)
class Format:
    """what: for people. suffixes: of file names; none for a folder. magic: first bytes, where they are its own."""

    read: Callable[[Path], Part]
    what: str
    suffixes: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()


FORMATS = {
    "npz": Format(read_npz, "an archive of np.savez", (".npz",)),
    "npy": Format(read_npy, "one array, by the file's name", (".npy",), (b"\x93NUMPY",)),
    "folder": Format(read_npy_folder, "a folder of .npy files, one an array, mapped into memory"),
    "images": Format(read_image_files, "a folder of .npy files, one an image, named like Market-1501's"),
    "parquet": Format(read_parquet, "a table, one row an image", (".parquet", ".pq"), (b"PAR1",)),
    "torch": Format(read_torch, "a dictionary of tensors, of torch.save", (".pt", ".pth")),
    "mat": Format(read_mat, "a MATLAB file up to version 7", (".mat",), (b"MATLAB 5.0", b"MATLAB 7.3")),
}

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
PICKLE = b"\x80"


def read_part(path: Path, format: str | None = None) -> Part:
    """What a file or folder holds.

    Args:
        format: a key of FORMATS; found out if None.

    Raises:
        FileError: there is no such file, it is empty, of no known format, or not what it is taken for.
    """
    if format is not None and format not in FORMATS:
        raise EmbeddingError(f"format={format!r} is not known; it can be {', '.join(FORMATS)}")
    if not path.exists():
        raise FileError(f"{path} does not exist; give a file or a folder of embeddings")
    form = FORMATS[format or format_of(path)]
    if path.is_dir() == bool(form.suffixes):
        raise FileError(f"{path} is a {'folder' if path.is_dir() else 'file'}, and format={format} is {form.what}")
    if path.is_file() and not path.stat().st_size:
        raise FileError(f"{path} is empty (0 bytes); write it again")
    return form.read(path)


def format_of(path: Path) -> str:
    """The key of FORMATS.

    Raises:
        FileError: there is none; the message lists those there are.
    """
    if path.is_dir():
        return "images" if holds_images(path) else "folder"
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(ZIP):
        return _format_of_zip(path)
    by_content = [name for name, form in FORMATS.items() if form.magic and start.startswith(form.magic)]
    by_suffix = [name for name, form in FORMATS.items() if path.suffix.lower() in form.suffixes]
    if not by_content and start.startswith(PICKLE) and by_suffix != ["torch"]:
        raise refuse_pickle(str(path))
    if by_content or by_suffix:
        return (by_content or by_suffix)[0]
    known = "; ".join(f"{name} ({', '.join(form.suffixes) or 'folder'}): {form.what}" for name, form in FORMATS.items())
    raise FileError(f"{path} is of no known format. Known are: {known}. If it is one of them, say format=NAME")


def _format_of_zip(path: Path) -> str:
    """NumPy and torch both write zip files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise damaged(path, error) from error
    return "torch" if any(name.endswith("data.pkl") for name in names) else "npz"
