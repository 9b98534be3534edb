"""Which engine a URI means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psnet.embedder import ImageTable
from psnet.gallery.conditions import check_column
from psnet.gallery.errors import GalleryError
from psnet.gallery.gallery import About, Gallery


def open_gallery(uri: str) -> Gallery:
    """A gallery that is there. uri: the path of a folder, which LanceDB holds; or http://HOST:19530 of a
    Milvus, or NAME.db of a Milvus Lite.

    Raises:
        GalleryError: there is none, or its engine is not installed or out of reach.
    """
    uri = _expanded(uri)
    return _engine(uri).open(uri)


def is_there(uri: str) -> bool:
    """Whether `open_gallery` would find one.

    Raises:
        GalleryError: its engine is not installed or out of reach.
    """
    uri = _expanded(uri)
    return bool(_engine(uri).is_there(uri))


def create_gallery(uri: str, table: ImageTable, model: str) -> Gallery:
    """A gallery for images like these, which are not added yet; one that is there is opened, and must be for such.

    Args:
        model: where the model of the embeddings is.

    Raises:
        GalleryError: see `open_gallery`; or the one that is there is of another model.
    """
    if not is_there(uri):
        for name in table.columns:
            check_column(name)
    uri = _expanded(uri)
    gallery: Gallery = _engine(uri).create(uri, About.of(table, model))
    gallery.check(table.made_by)
    return gallery


def _expanded(uri: str) -> str:
    """Engines differ in what ~ means to them."""
    return uri if "://" in uri else str(Path(uri).expanduser())


def _engine(uri: str) -> Any:
    scheme, separator, _ = uri.partition("://")
    if not separator and not uri.endswith(".db"):
        from psnet.gallery.lance import LanceGallery

        return LanceGallery
    if not separator or scheme in ("http", "https"):
        from psnet.gallery.milvus import MilvusGallery

        return MilvusGallery
    raise GalleryError(f"{uri} begins with {scheme}://; give the path of a folder, or http://HOST:19530 of a Milvus")
