"""A gallery in a Milvus: for what outgrows one machine, or is shared by many. The same engine opens a file NAME.db of
Milvus Lite, which needs no server, to try it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.gallery.conditions import Condition, Value
from psnet.gallery.errors import GalleryError
from psnet.gallery.gallery import ID, VECTOR, About, Gallery

COLLECTION, SAID = "psnet_images", "psnet_about"
"""Of the images, and of what the gallery says of itself."""

LONGEST = 65_535
"""Bytes of a text, Milvus' limit."""

AT_ONCE = 1_024
"""Rows of one request, which must stay below 64 MiB."""

SURE = "Strong"
"""Milvus' word: a search sees all that was added before it."""

SIGNS = {"=": "=="}
"""Of conditions, where Milvus writes them otherwise."""


def connect(uri: str) -> Any:
    """The client.

    Raises:
        GalleryError: pymilvus is not installed, or there is no Milvus.
    """
    try:
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException
    except ImportError as error:
        raise GalleryError(f"{uri}: Milvus needs pymilvus; install it with pip install -e '.[milvus]'") from error
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs tracebacks of what it raises
    try:
        return MilvusClient(uri)
    except MilvusException as error:
        raise GalleryError(f"there is no Milvus at {uri} ({error.message}); start one, or give another URI") from error


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """What Milvus refuses, in one line."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        raise GalleryError(f"{uri} refuses ({error.message})") from error


class MilvusGallery(Gallery):
    """See `Gallery`. client: of Milvus."""

    def __init__(self, uri: str, about: About, client: Any) -> None:
        super().__init__(uri, about)
        self._client = client

    @staticmethod
    def is_there(uri: str) -> bool:
        if "://" not in uri and not Path(uri).exists():
            return False
        client = connect(uri)
        return bool(client.has_collection(SAID) and client.has_collection(COLLECTION))

    @classmethod
    def open(cls, uri: str) -> MilvusGallery:
        """
        Raises:
            GalleryError: there is none.
        """
        if not cls.is_there(uri):
            raise GalleryError(f"there is no gallery {uri}; make one with psnet index")
        client = connect(uri)
        for collection in (SAID, COLLECTION):
            client.load_collection(collection)
        said = client.query(SAID, filter='id == "psnet"', output_fields=["about"], consistency_level=SURE)
        return cls(uri, About.from_json(said[0]["about"]), client)

    @classmethod
    def create(cls, uri: str, about: About) -> MilvusGallery:
        """An empty one; one that is there is opened."""
        if cls.is_there(uri):
            return cls.open(uri)
        client = connect(uri)
        with _told(uri):
            if not client.has_collection(SAID):  # which a process that was killed may have left
                _create(client, SAID, {"about": "str"}, 2)  # Milvus holds nothing without a vector
            client.upsert(SAID, [{ID: "psnet", VECTOR: [1.0, 0.0], "about": about.as_json()}])
            _create(client, COLLECTION, about.columns, about.made_by.dimensions)
        return cls(uri, about, client)

    def __len__(self) -> int:
        with _told(self.uri):
            return int(self._client.query(COLLECTION, filter="", output_fields=["count(*)"])[0]["count(*)"])

    def _put(self, ids: NDArray[np.str_], embedding: NDArray[np.float32], columns: Mapping[str, NDArray[Any]]) -> None:
        names = list(columns)
        values = zip(*(columns[name].tolist() for name in names), strict=True)
        rows = [
            {ID: one, VECTOR: vector, **dict(zip(names, of_image, strict=True))}
            for one, vector, of_image in zip(ids.tolist(), embedding, values, strict=True)
        ]
        with _told(self.uri):
            for begin in range(0, len(rows), AT_ONCE):
                self._client.upsert(COLLECTION, rows[begin : begin + AT_ONCE])
            if "://" not in self.uri:  # a server has a log that it writes first, a file has not
                self._client.flush(COLLECTION)

    def _nearest(self, query: NDArray[np.float32], k: int, where: Sequence[Condition]) -> Sequence[Mapping[str, Any]]:
        fields = [VECTOR, *self.about.columns]
        how: dict[str, Any] = {"filter": _filter(where), "output_fields": fields, "anns_field": VECTOR}
        how |= {"search_params": {"metric_type": "COSINE"}, "consistency_level": SURE}
        with _told(self.uri):
            found = self._client.search(COLLECTION, data=[query], limit=k, **how)
        return [hit["entity"] for hit in found[0]]

    def _delete(self, where: Sequence[Condition]) -> int:
        with _told(self.uri):
            condition = _filter(where)
            number = self._client.query(COLLECTION, filter=condition, output_fields=["count(*)"])[0]["count(*)"]
            self._client.delete(COLLECTION, filter=condition)
        return int(number)

    def digests(self) -> dict[str, str]:
        return {row[ID]: row["sha256"] for row in self._all(ID, "sha256")}

    def _all(self, *columns: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.query_iterator(COLLECTION, batch_size=AT_ONCE, filter="", output_fields=list(columns))
        while page := pages.next():
            yield from page
        pages.close()

    def _row(self, id: str) -> Mapping[str, Value] | None:
        with _told(self.uri):
            rows = self._client.query(
                COLLECTION, filter=f'{ID} == "{id}"', output_fields=[*self.about.columns], consistency_level=SURE
            )
        return {name: rows[0][name] for name in self.about.columns} if rows else None

    def _values(self, column: str) -> set[Any]:
        with _told(self.uri):
            return {row[column] for row in self._all(column)}

    def tidy(self) -> None:
        """Milvus tidies by itself."""


def _create(client: Any, name: str, columns: Mapping[str, str], dimensions: int) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False)
    schema.add_field(ID, DataType.VARCHAR, max_length=32, is_primary=True)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimensions)
    kinds = {"int": DataType.INT64, "float": DataType.DOUBLE, "str": DataType.VARCHAR}
    for column, kind in columns.items():
        schema.add_field(column, kinds[kind], **({"max_length": LONGEST} if kind == "str" else {}))
    index = client.prepare_index_params()
    index.add_index(VECTOR, index_type="AUTOINDEX", metric_type="COSINE")
    client.create_collection(name, schema=schema, index_params=index, consistency_level=SURE)


def _filter(where: Sequence[Condition]) -> str:
    return " and ".join(
        f"{one.column} {SIGNS.get(one.sign, one.sign)} {json.dumps(one.value, ensure_ascii=False)}" for one in where
    )
