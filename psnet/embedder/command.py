"""psnet embed: what it does, and what it says of it; and what other commands share with it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from psnet.embedder.embedder import NAMED, Embedder
from psnet.embedder.errors import EmbedderError
from psnet.embedder.given import Listing, files, listed
from psnet.embedder.image_table import OWN, Failed, ImageTable, check_target
from psnet.embedder.labels import check_columns, labels_of, read_list
from psnet.embeddings import DescriptorPart

log = logging.getLogger("psnet")


def open_model(
    model: str,
    part: DescriptorPart = "whole",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "pytorch",
) -> Embedder:
    """By whatever a user calls it: a checkpoint, a folder, or a name on the hub."""
    how = {"part": part, "device": device, "precision": precision, "engine": engine}
    if is_checkpoint(model):
        return Embedder.from_checkpoint(model, **how)  # type: ignore[arg-type]
    return Embedder.from_pretrained(model, **how)  # type: ignore[arg-type]


def is_checkpoint(model: str) -> bool:
    """Rather than a folder or a name on the hub."""
    return Path(model).is_file() or model.endswith(".ckpt")


def embed(images: Sequence[str], embedder: Embedder, out: Path, names: str | None, batch_size: int) -> ImageTable:
    """Embed, write, and say what came of it.

    Args:
        images, names: see `listing_of`.

    Raises:
        EmbedderError: and what `Embedder.embed` raises.
    """
    check_target(out)
    listing = listing_of(images, names)
    log.info("%s", embedder.made_by)
    table = embedder.embed(listing, batch_size=batch_size)
    table.save(out)
    known = [name for name in table.columns if name not in OWN]
    also = f", and {', '.join(known)}" if known else ""
    log.info("%s: %s images, %d numbers each%s", out, f"{len(table):,}", table.made_by.dimensions, also)
    tell_failed(table.failed)
    return table


def listing_of(images: Sequence[str], names: str | None) -> Listing:
    """What people name on a command line: paths, folders, patterns, or one CSV file, see `read_list`.

    Args:
        names: see `labels_of`.

    Raises:
        EmbedderError: nothing is there, or a list or pattern cannot be used.
    """
    if len(images) == 1 and images[0].endswith(".csv"):
        paths, columns = read_list(images[0])
        listing = files(paths)
    else:
        listing, columns = listed(images[0] if len(images) == 1 else images), {}
    if names is not None:
        found = labels_of([given.name for given in listing.given], names)
        both = sorted(columns.keys() & found.keys())
        if both:
            raise EmbedderError(f"{images[0]} has a column {both[0]!r}, and so has --names; take it from one of them")
        columns |= found
    return replace(listing, columns=check_columns(columns, len(listing)))


def tell_failed(failed: Sequence[Failed]) -> None:
    if failed:
        named = "".join(f"\n    {one.path}: {one.reason}" for one in failed[:NAMED])
        more = f"\n    and {len(failed) - NAMED:,} more" if len(failed) > NAMED else ""
        log.warning("%s images could not be read, and are left out:%s%s", f"{len(failed):,}", named, more)
