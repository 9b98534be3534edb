"""A gallery in a folder, by LanceDB: no server; each addition is a version of its own, so no crash leaves half of one.

Chosen among embedded engines by `python -m benchmarks.galleries`; docs/gallery.md has the figures and the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.gallery.conditions import Condition, Value
from psnet.gallery.errors import GalleryError
from psnet.gallery.gallery import ID, VECTOR, About, Gallery

TABLE = "images"

ABOUT = b"psnet"
"""Key of the schema's metadata."""

KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Metadata of the column by which two processes that add the same image meet in conflict, and not side by side."""

TRIES = 20
"""Of a change that meets one of another process, before it is given up."""

INDEXED_FROM = 100_000
"""Images. Fewer are compared one by one, exactly."""

PROBES = 4096
"""Parts of an index that are looked at: all, as people lie too far apart for few. What is looked at of an image is its
code, a byte for 16 of its numbers."""

CANDIDATES, REFINED = 5_000, 200
"""At least so many are taken from an index, and this many times as many as are asked for; they are compared exactly.
With a million drawn images of 512 numbers and 10 asked for, 2,000 gave a recall of 0.99 or more; LanceDB's own 20
parts, and 200 candidates, 0.53."""

KEPT = timedelta(hours=1)
"""Versions that a search of another process may still be reading."""


def connect(uri: str) -> Any:
    """The database.

    Raises:
        GalleryError: LanceDB is not installed.
    """
    try:
        import lancedb
    except ImportError as error:
        raise GalleryError(f"{uri}: a gallery needs LanceDB; install it with pip install -e '.[gallery]'") from error
    return lancedb.connect(uri)


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """What LanceDB cannot read is raised as GalleryError."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        if isinstance(error, GalleryError):
            raise
        raise GalleryError(f"{uri} cannot be read ({_short(error)}); is a file of it damaged or gone?") from error


class LanceGallery(Gallery):
    """See `Gallery`. table: an open one of LanceDB."""

    def __init__(self, uri: str, about: About, table: Any) -> None:
        super().__init__(uri, about)
        self._table = table

    @staticmethod
    def is_there(uri: str) -> bool:
        return Path(uri, f"{TABLE}.lance").is_dir()

    @classmethod
    def open(cls, uri: str) -> LanceGallery:
        """
        Raises:
            GalleryError: there is none, or it cannot be read.
        """
        if not cls.is_there(uri):
            raise GalleryError(f"there is no gallery {uri}; make one with psnet index")
        database = connect(uri)
        try:
            table = database.open_table(TABLE)
            about = About.from_json((table.schema.metadata or {})[ABOUT].decode())
        except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
            raise GalleryError(f"{uri} is no gallery of psnet, or is damaged ({_short(error)})") from error
        return cls(uri, about, table)

    @classmethod
    def create(cls, uri: str, about: About) -> LanceGallery:
        """An empty one; one that is there is opened."""
        database = connect(uri)
        import pyarrow as pa

        kinds = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
        fields = [pa.field(ID, pa.string(), nullable=False, metadata=KEY)]
        fields.append(pa.field(VECTOR, pa.list_(pa.float32(), about.made_by.dimensions)))
        fields += [pa.field(name, kinds[kind]) for name, kind in about.columns.items()]
        schema = pa.schema(fields, metadata={ABOUT: about.as_json()})
        if cls.is_there(uri):
            return cls.open(uri)
        try:
            return cls(uri, about, database.create_table(TABLE, schema=schema))
        except ValueError:  # another process was quicker
            return cls.open(uri)

    def __len__(self) -> int:
        with _told(self.uri):
            self._table.checkout_latest()
            return int(self._table.count_rows())

    def _put(self, ids: NDArray[np.str_], embedding: NDArray[np.float32], columns: Mapping[str, NDArray[Any]]) -> None:
        import pyarrow as pa

        numbers = pa.array(np.ascontiguousarray(embedding, dtype=np.float32).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(numbers, embedding.shape[1])
        arrays = {ID: pa.array(ids), VECTOR: vectors, **{name: pa.array(values) for name, values in columns.items()}}
        schema = self._table.schema
        rows = pa.table([arrays[field.name].cast(field.type) for field in schema], schema=schema)
        put = self._table.merge_insert(ID).when_matched_update_all().when_not_matched_insert_all()
        self._again(lambda: put.execute(rows))

    def _nearest(self, query: NDArray[np.float32], k: int, where: Sequence[Condition]) -> Sequence[Mapping[str, Any]]:
        k = max(1, min(k, len(self)))  # LanceDB counts in 32 bits
        with _told(self.uri):
            asked = self._table.search(query, vector_column_name=VECTOR).distance_type("cosine").limit(k)
            if where:
                asked = asked.where(_sql(where), prefilter=True).bypass_vector_index()  # which finds too few of these
            found: list[dict[str, Any]] = (
                asked.nprobes(PROBES).refine_factor(max(REFINED, math.ceil(CANDIDATES / k))).to_list()
            )
        return found

    def _delete(self, where: Sequence[Condition]) -> int:
        return int(self._again(lambda: self._table.delete(_sql(where))).num_deleted_rows)

    def digests(self) -> dict[str, str]:
        with _told(self.uri):
            rows = self._table.search().select([ID, "sha256"]).limit(len(self)).to_arrow()
        return dict(zip(rows[ID].to_pylist(), rows["sha256"].to_pylist(), strict=True))

    def _row(self, id: str) -> Mapping[str, Value] | None:
        with _told(self.uri):
            self._table.checkout_latest()
            rows: list[dict[str, Value]] = (
                self._table.search().where(f"{ID} = '{id}'").select([*self.about.columns]).limit(1).to_list()
            )
        return rows[0] if rows else None

    def _values(self, column: str) -> set[Any]:
        with _told(self.uri):
            rows = self._table.search().select([column]).limit(len(self)).to_arrow()
        return set(rows[column].unique().to_pylist())

    def tidy(self) -> None:
        """Fragments are joined; large galleries get an index, or their index what was added since."""
        if len(self) >= INDEXED_FROM and not any(VECTOR in index.columns for index in self._table.list_indices()):
            from lancedb.index import IvfPq

            self._again(lambda: self._table.create_index(VECTOR, config=IvfPq(distance_type="cosine")))
        self._again(lambda: self._table.optimize(cleanup_older_than=KEPT))

    def _again(self, change: Any) -> Any:
        """A change; tried again where another process was quicker."""
        tries = TRIES
        while True:
            self._table.checkout_latest()
            try:
                return change()
            except (RuntimeError, OSError) as error:
                tries -= 1
                if "onflict" not in str(error) or not tries:
                    raise GalleryError(f"{self.uri} could not be changed ({_short(error)})") from error


def _sql(where: Sequence[Condition]) -> str:
    return " AND ".join(f"`{one.column}` {one.sign} {_literal(one.value)}" for one in where)


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
