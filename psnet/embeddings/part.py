"""What one file holds: arrays by the file's own names, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from psnet.embeddings.embedding_set import EmbeddingError

Loader = Callable[[], NDArray[Any]]
"""Reads one array. A masked array is one with gaps."""


class FileError(EmbeddingError):
    """A file cannot be read as what it is taken for. The message begins with its path."""


FACTS = ("made_by", "root")
"""What a file may say of itself beside its arrays, as text: the model, see `MadeBy.as_json`, and the folder that
paths begin in."""


@dataclass(frozen=True)
class Part:
    """One file or folder. notes: what a person should know of it, a sentence each. facts: by names of `FACTS`."""

    file: Path
    arrays: Mapping[str, Loader]
    notes: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def refuse_pickle(what: str) -> FileError:
    return FileError(
        f"{what} holds pickled Python objects. Unpickling runs whatever code a file holds, so it is refused; save "
        "plain arrays: numbers, or text as np.asarray(names, dtype=str)"
    )


def damaged(path: Path, error: Exception) -> FileError:
    # of torch's long advice only the end is on the file
    reason = str(error).rpartition("WeightsUnpickler error: ")[2].split("\n", 1)[0] or type(error).__name__
    return FileError(f"{path} cannot be read ({reason}): it is damaged, cut off, or of another form; write it again")
