"""Files that appear whole or not at all, whatever kills the process that writes them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class WriteError(OSError):
    """A file could not be written; the one before it is as it was."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> WriteError:
        """Says what it is and what to do."""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "Make room, and go on" if full else "Give a place that can be written to"
        return cls(f"{path} cannot be written ({error.strerror or error}). {remedy}")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; when the block ends well it is synced and gets the name, in the place of an
    older file. When it fails the older file stays. Folders are made.

    Raises:
        WriteError: for each OSError, in the block too.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "new", "notes.txt")
    >>> with whole(target) as beside:
    ...     print(beside.write_text("all of it"), target.exists())
    9 False
    >>> target.read_text()
    'all of it'
    """
    beside = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except WriteError:  # of a file within what is written
        raise
    except OSError as error:
        raise WriteError.of(path, error) from error
    finally:
        with suppress(OSError):  # where the file cannot be, it is not
            beside.unlink()


def _beside(path: Path) -> Path:
    """This process's, as `remove_halves` knows it."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def check_writable(path: Path) -> None:
    """Try to write beside a file that takes long to make.

    Raises:
        WriteError: it could not be written.
    """
    beside = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise WriteError.of(path, error) from error


def remove_halves(folder: Path) -> None:
    """Remove what a process that was killed had begun to write, in a folder and in those in it. Nobody else may be
    writing there."""
    for beside in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
        beside.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> Path:
    """The content as a file; text in UTF-8, undecodable bytes of file names as escapes. Returns the path."""
    with whole(path) as beside:
        beside.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
    return path
