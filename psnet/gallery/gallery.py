"""What every gallery does, whatever engine holds it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from psnet.embedder import ImageTable
from psnet.embedder.given import NAMELESS
from psnet.embeddings import MadeBy
from psnet.gallery.conditions import Condition, Value, check
from psnet.gallery.errors import GalleryError

ID, ROOT, VECTOR = "id", "root", "embedding"
"""Columns of a gallery beside those of its tables: a name for the image, where its path begins, its embedding."""

IDS = re.compile("[0-9a-f]{32}")

TYPES: dict[str, type] = {"i": int, "u": int, "f": float, "U": str}
"""Of a column's values, by NumPy's kind."""


class Hit(NamedTuple):
    """An image that was found. score: its cosine with the query. columns: all that is known of it."""

    path: str
    score: float
    columns: Mapping[str, Value]

    @property
    def id(self) -> str:
        """See `Gallery.row`."""
        return id_of(str(self.columns[ROOT]), self.path)


@dataclass(frozen=True)
class About:
    """What a gallery says of itself. made_by: of every embedding in it. model: where the model was when it was made.
    columns: names, and "int", "float" or "str"."""

    made_by: MadeBy
    model: str
    columns: Mapping[str, str]

    @property
    def engine(self) -> str:
        """By which its embeddings are made. Others than these a gallery from elsewhere may not ask for.

        Raises:
            GalleryError: it does.
        """
        if self.made_by.engine not in ("", "int8"):
            raise GalleryError(
                f"the gallery was made by the engine {self.made_by.engine!r}; if you trust it, say --engine"
            )
        return self.made_by.engine or "pytorch"

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> About:
        content = json.loads(text)
        return cls(MadeBy(**content["made_by"]), content["model"], content["columns"])

    @classmethod
    def of(cls, table: ImageTable, model: str) -> About:
        columns = {ROOT: "str"} | {name: _type(name, values).__name__ for name, values in table.columns.items()}
        return cls(table.made_by, model, columns)


class Gallery(ABC):
    """Images of one model, that can be added, deleted and searched by several processes at once.

    An image is known by its root and path together: adding it again replaces it. What was added is there for good when
    `add` returns, whatever kills the process then; what a killed process was adding is there whole or not at all.
    """

    def __init__(self, uri: str, about: About) -> None:
        self.uri, self.about = uri, about

    @property
    def columns(self) -> dict[str, type]:
        """That can be asked for in conditions."""
        kinds: dict[str, type] = {"int": int, "float": float, "str": str}
        return {name: kinds[kind] for name, kind in self.about.columns.items()}

    @abstractmethod
    def __len__(self) -> int: ...

    def add(self, table: ImageTable) -> None:
        """Images, at once.

        Raises:
            GalleryError: they were made by another model or preprocessing, or have other columns.
        """
        self.check(table.made_by)
        _check_names(table)
        root = absolute(table.root)
        columns = {**table.columns, ROOT: np.full(len(table), root)}
        odd = sorted(set(columns) ^ set(self.about.columns))
        if odd:
            where = ("these images", self.uri) if odd[0] in columns else (self.uri, "these images")
            raise GalleryError(
                f"the column {odd[0]!r} is in {where[0]} and not in {where[1]}; give all images the same"
            )
        for name, values in columns.items():
            kind, wanted = _type(name, values).__name__, self.about.columns[name]
            if kind != wanted:
                raise GalleryError(f"the column {name!r} holds {kind} in these images and {wanted} in {self.uri}")
        ids = np.array([id_of(root, path) for path in table.columns["path"].tolist()])
        _, first = np.unique(ids[::-1], return_index=True)
        last = np.sort(len(ids) - 1 - first)  # of one that is there twice, the last
        self._put(ids[last], table.embedding[last], {name: values[last] for name, values in columns.items()})

    def check(self, made_by: MadeBy) -> None:
        """
        Raises:
            GalleryError: embeddings made so cannot be compared with the gallery's.
        """
        if made_by != self.about.made_by:
            raise GalleryError(
                f"{self.uri} was made by {self.about.made_by}, and this is {made_by}: their embeddings cannot be "
                "compared. Take that model, or make another gallery"
            )

    def search(
        self, embedding: NDArray[np.float32], made_by: MadeBy, k: int = 10, where: Sequence[Condition] = ()
    ) -> list[list[Hit]]:
        """The `k` nearest images of each query, best first.

        Args:
            embedding: (Q, D), of unit length. made_by: the model of these. where: conditions that images must meet.

        Raises:
            GalleryError: see `check`; or k is less than 1.
        """
        self.check(made_by)
        if k < 1:
            raise GalleryError(f"k={k} must be at least 1")
        check(where, self.columns)
        return [self._hits(query, self._nearest(query, k, where)) for query in embedding]

    def _hits(self, query: NDArray[np.float32], rows: Sequence[Mapping[str, Any]]) -> list[Hit]:
        """Scores are computed here, so that they are cosines of these embeddings, whatever an engine has rounded."""
        hits = []
        for row in rows:
            score = min(1.0, float(query @ np.asarray(row[VECTOR], dtype=np.float32)))  # rounding goes beyond
            hits.append(Hit(row["path"], score, {name: row[name] for name in self.about.columns}))
        return sorted(hits, key=lambda hit: -hit.score)

    @abstractmethod
    def _put(self, ids: NDArray[np.str_], embedding: NDArray[np.float32], columns: Mapping[str, NDArray[Any]]) -> None:
        """Add, or replace those of the same ids; all or none."""

    @abstractmethod
    def _nearest(self, query: NDArray[np.float32], k: int, where: Sequence[Condition]) -> Sequence[Mapping[str, Any]]:
        """Rows with their columns and embeddings."""

    def delete(self, where: Sequence[Condition]) -> int:
        """All images that meet all conditions; how many they were.

        Raises:
            GalleryError: there is no condition, or one cannot be used.
        """
        if not where:
            raise GalleryError("say which images to delete, such as path=a.jpg or 'time<2026-01-31'")
        check(where, self.columns)
        return self._delete(where)

    @abstractmethod
    def _delete(self, where: Sequence[Condition]) -> int:
        """How many they were."""

    @abstractmethod
    def digests(self) -> dict[str, str]:
        """sha256 of each image, by id."""

    def row(self, id: str) -> Mapping[str, Value] | None:
        """All that is known of an image, by its `Hit.id`; None where there is none."""
        return self._row(id) if IDS.fullmatch(id) else None

    @abstractmethod
    def _row(self, id: str) -> Mapping[str, Value] | None: ...

    def values(self, column: str) -> list[Value]:
        """Each value of a column once, in order.

        Raises:
            GalleryError: there is no such column.
        """
        if column not in self.about.columns:
            raise GalleryError(f"{self.uri} has no column {column!r}; there is {', '.join(self.about.columns)}")
        return sorted(self._values(column))

    @abstractmethod
    def _values(self, column: str) -> set[Any]: ...

    @abstractmethod
    def tidy(self) -> None:
        """What makes searches faster after many additions. Nothing is lost if it is stopped."""


def id_of(root: str, path: str) -> str:
    """By which an image is known, however much of its path is the root: 32 hexadecimal digits."""
    return hashlib.sha256(os.path.normpath(os.path.join(root, path)).encode("utf-8")).hexdigest()[:32]


def absolute(root: str) -> str:
    """Where paths begin, from wherever the program runs."""
    return Path(root).resolve().as_posix()


def _check_names(table: ImageTable) -> None:
    digests = table.columns.get("sha256", np.full(len(table), ""))
    for path, digest in zip(table.columns["path"].tolist(), digests.tolist(), strict=True):
        if not digest and re.fullmatch(NAMELESS.format(r"\d+"), path):
            raise GalleryError(
                f"{path!r} has no name of its own, and the next one in memory would take its place; name these images: "
                "embed(..., names=[...])"
            )


def _type(name: str, values: NDArray[Any]) -> type:
    if values.dtype.kind not in TYPES:
        raise GalleryError(f"the column {name!r} has dtype {values.dtype}; give whole numbers, numbers or text")
    return TYPES[values.dtype.kind]
