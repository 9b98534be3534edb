"""Files that appear whole or not at all, whatever kills the process that writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriteError(RuntimeError):
    """A file could not be written, for want of room as a rule; the one before it is as it was."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; when the block ends well it is synced and gets the name, in the place of an
    older file. When it fails the older file stays. Folders are made.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "new", "notes.txt")
    >>> with whole(target) as beside:
    ...     print(beside.write_text("all of it"), target.exists())
    9 False
    >>> target.read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def remove_halves(folder: Path) -> None:
    """Remove what a process that was killed had begun to write. Nobody else may be writing there."""
    for beside in folder.glob(".*.part"):
        beside.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> Path:
    """The content as a file; text in UTF-8, undecodable bytes of file names as escapes. Returns the path."""
    with whole(path) as beside:
        beside.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
    return path
