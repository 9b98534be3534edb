"""Embeddings of images, a row an image, with all that is known of each; and such tables as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from psnet.atomic import check_writable, whole
from psnet.embedder.errors import EmbedderError
from psnet.embeddings import MadeBy
from psnet.embeddings.formats import read_part
from psnet.embeddings.parquet_file import pyarrow

Array = NDArray[Any]

OWN = ("path", "width", "height", "sha256")
"""Columns of every table: name of the file or "image 0", pixels as displayed, and hex of the file's bytes ("" of an
image in memory)."""

SUFFIXES = (".npz", ".parquet")


class Failed(NamedTuple):
    """An image that could not be read. reason: in a few words."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageTable:
    """N images.

    embedding: (N, D) float32, of unit length. columns: (N,) each, by name: `OWN`, and whatever else is known of the
    images, such as pid and camid. made_by: the model. root: of the paths, "" where they are complete. failed: images
    that are not in the table.
    """

    embedding: NDArray[np.float32]
    columns: Mapping[str, Array]
    made_by: MadeBy
    root: str = ""
    failed: tuple[Failed, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.embedding)

    def save(self, path: str | Path) -> Path:
        """Write .npz or .parquet, whole or not at all; `psnet score` and `read_table` read both. Returns the path.

        What failed is not written.

        Raises:
            EmbedderError: another ending. WriteError: the file cannot be written.
        """
        path = checked(path)
        if path.suffix == ".npz":
            with whole(path) as beside, beside.open("wb") as file:
                said = {"made_by": np.array(self.made_by.as_json()), "root": np.array(self.root)}
                columns: dict[str, Any] = {"embedding": self.embedding, **self.columns, **said}
                np.savez(file, **columns)
        else:
            self._write_parquet(path)
        return path

    def _write_parquet(self, path: Path) -> None:
        arrow = pyarrow(path)
        numbers = arrow.array(np.ascontiguousarray(self.embedding).reshape(-1))
        embedding = arrow.FixedSizeListArray.from_arrays(numbers, self.embedding.shape[1])
        table = arrow.table({"embedding": embedding, **{name: arrow.array(v) for name, v in self.columns.items()}})
        said = {"made_by": self.made_by.as_json(), "root": self.root}
        with whole(path) as beside:
            arrow.parquet.write_table(table.replace_schema_metadata(said), beside)


def checked(path: str | Path) -> Path:
    """A path that a table can be written to.

    Raises:
        EmbedderError: it ends otherwise.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise EmbedderError(f"{path} ends in {path.suffix!r}; end it in {' or '.join(SUFFIXES)}")
    return path


def check_target(path: str | Path) -> None:
    """That a table can be written there, before there is one.

    Raises:
        EmbedderError: another ending, or a folder. FileError: a library is missing. WriteError: nothing can be written.
    """
    path = checked(path)
    if path.is_dir():
        raise EmbedderError(f"{path} is a folder; give the name of a file")
    if path.suffix == ".parquet":
        pyarrow(path)
    check_writable(path)


def read_table(path: str | Path) -> ImageTable:
    """What `ImageTable.save` wrote.

    Raises:
        EmbedderError, EmbeddingError: the file is none, or does not say which model made it.
    """
    path = checked(path)
    part = read_part(path)
    arrays, said = {name: load() for name, load in part.arrays.items()}, part.facts
    if "made_by" not in said or "embedding" not in arrays:
        raise EmbedderError(
            f"{path} does not say which model made the embeddings, so nobody knows what they may be compared with; "
            "make it with psnet embed"
        )
    try:
        made_by = MadeBy.from_json(said["made_by"])
    except ValueError as error:
        raise EmbedderError(f"{path}: {error}") from error
    return ImageTable(arrays.pop("embedding"), arrays, made_by, said.get("root", ""))
