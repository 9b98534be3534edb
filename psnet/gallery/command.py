"""psnet index, psnet search, psnet gallery: what they do, and what they say of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from psnet.calibration import Threshold
from psnet.embedder import Embedder, EmbedderError, Failed
from psnet.embedder.command import open_model, tell_failed
from psnet.embedder.given import Listing, sha256_of
from psnet.gallery.conditions import check_column, conditions_of
from psnet.gallery.errors import GalleryError
from psnet.gallery.gallery import Gallery, Hit, absolute, id_of
from psnet.gallery.opening import create_gallery, is_there, open_gallery

log = logging.getLogger("psnet")

AT_ONCE = 1024
"""Images that are added together, and lost together if the process is killed while they are embedded."""

HIDDEN = ("path", "sha256", "root", "width", "height")
"""Columns of a hit that are not printed, or not again."""


def index(listing: Listing, embedder: Embedder, uri: str, model: str, batch_size: int) -> Gallery:
    """Embed images and add them, some at a time; those that are there already, unchanged, are passed over.

    Args:
        model: where the embedder was loaded from, kept for those who search.

    Raises:
        GalleryError, EmbedderError.
    """
    gallery = None
    if not is_there(uri):
        for name in listing.columns:
            check_column(name)
    else:
        gallery = open_gallery(uri)
        gallery.check(embedder.made_by)
        listing = _new(listing, gallery)
    failed: list[Failed] = []
    for table in embedder.stream(listing, AT_ONCE, batch_size):
        failed += table.failed
        if len(table):
            gallery = create_gallery(uri, table, model) if gallery is None else gallery
            gallery.add(table)
    tell_failed(failed)
    if gallery is None:
        raise EmbedderError(f"none of {len(listing):,} images can be read")
    if failed and len(failed) == len(listing):
        raise EmbedderError(f"none of the {len(listing):,} images that {uri} does not hold can be read")
    gallery.tidy()
    log.info("%s: %s images added, %s in all", uri, f"{len(listing) - len(failed):,}", f"{len(gallery):,}")
    return gallery


def _new(listing: Listing, gallery: Gallery) -> Listing:
    """Without what the gallery holds."""
    known = gallery.digests()
    rows = []
    for row, given in enumerate(listing.given):
        digest = known.get(id_of(absolute(listing.root), given.name))
        if digest is None or digest != sha256_of(given.file):
            rows.append(row)
    log.info("%s holds %s images, %s of these", gallery.uri, f"{len(known):,}", f"{len(listing) - len(rows):,}")
    return listing.rows(rows)


def model_of(gallery: Gallery, model: str | None, device: str, precision: str, engine: str | None) -> Embedder:
    """The model of a gallery, ready for images to search with.

    Args:
        model: where it lies, if elsewhere than when the gallery was made. engine: None for that of the gallery.

    Raises:
        GalleryError, EmbedderError, EngineError: it cannot be had.
    """
    about = gallery.about
    if model is None and not Path(about.model).exists():
        raise GalleryError(f"{about.model}, the model of {gallery.uri}, is not there; say --model where it lies now")
    return open_model(model or about.model, about.made_by.part, device, precision, engine or about.engine)


def search(image: str, embedder: Embedder, gallery: Gallery, k: int, where: Sequence[str]) -> list[Hit]:
    """What the gallery has of the person in an image.

    Raises:
        GalleryError, EmbedderError.
    """
    conditions = conditions_of(where, gallery.columns)
    query = embedder.embed(image, progress=False)
    tell_failed(query.failed)
    if len(query) != 1:
        raise EmbedderError(f"{image} stands for {len(query):,} images; search for one")
    return gallery.search(query.embedding, query.made_by, k, conditions)[0]


def print_hits(hits: Sequence[Hit], threshold: Threshold | None, console: Console) -> None:
    """In order, with the answer of a threshold where there is one."""
    shown = [name for name in (hits[0].columns if hits else ()) if name not in HIDDEN]
    table = Table()
    for name in ("", "score", *(["same person"] if threshold else []), "image", *shown):
        table.add_column(name, justify="right" if name in ("", "score") else "left", overflow="fold")
    for number, hit in enumerate(hits, 1):
        answer = [("yes" if threshold.decide(hit.score).same else "no")] if threshold else []
        table.add_row(str(number), f"{hit.score:.4f}", *answer, hit.path, *(str(hit.columns[name]) for name in shown))
    console.print(table, markup=False)
    if threshold is None and hits:
        console.print("no yes or no: no threshold is known for the model as it is used here; psnet calibrate finds one")
    if threshold is not None:
        console.print(f"yes from {threshold.value:.4f} on, which {threshold.found}", highlight=False)


def describe(gallery: Gallery, console: Console) -> None:
    columns = ", ".join(f"{name} ({kind})" for name, kind in gallery.about.columns.items())
    for line in (
        f"{gallery.uri}: {len(gallery):,} images",
        f"made by {gallery.about.made_by}",
        f"with the model {gallery.about.model}",
        f"columns: {columns}",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def delete(gallery: Gallery, where: Sequence[str]) -> int:
    """Raises GalleryError: a condition cannot be used, or there is none."""
    return gallery.delete(conditions_of(where, gallery.columns))
