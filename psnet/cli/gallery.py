"""psnet index, psnet search, psnet gallery"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from psnet.cli.embed import add_how, add_images, add_model

URI = "the path of a folder, or http://HOST:19530 of a Milvus"


def add_to(commands: Any) -> None:
    index = commands.add_parser("index", help="build a gallery of images, or add images to it")
    add_images(index)
    index.add_argument("--gallery", required=True, help=URI)
    add_model(index)
    index.set_defaults(run=run_index)
    search = commands.add_parser("search", help="find the person of an image in a gallery")
    search.add_argument("image")
    search.add_argument("--gallery", required=True, help=URI)
    search.add_argument("--model", help="that of the gallery, if it lies elsewhere now")
    add_how(search)
    search.add_argument("-k", type=int, default=10, help="so many images, best first; 10")
    _add_where(search, "images that are searched, such as camid=3 or 'time>=2026-01-31'; all of several must be met")
    search.add_argument("--picture", type=Path, help="write the ranked list as a picture, .png or .jpg")
    search.set_defaults(run=run_search, engine=None)  # that of the gallery
    gallery = commands.add_parser("gallery", help="say what a gallery holds, or delete from it")
    gallery.add_argument("gallery", help=URI)
    _add_where(gallery, "images to delete", "--delete")
    gallery.set_defaults(run=run_gallery)


def _add_where(command: argparse.ArgumentParser, what: str, name: str = "--where") -> None:
    command.add_argument(name, dest="where", action="append", default=[], metavar="CONDITION", help=what)


def run_index(given: argparse.Namespace) -> None:
    from psnet.embedder.command import listing_of, open_model
    from psnet.gallery.command import index

    listing = listing_of(given.images, given.names)
    embedder = open_model(given.model, given.part, given.device, given.precision, given.engine)
    index(listing, embedder, given.gallery, str(embedder.place.resolve()), given.batch_size)


def run_search(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.gallery import open_gallery
    from psnet.gallery.command import model_of, print_hits, search
    from psnet.gallery.picture import checked, write_picture

    if given.picture is not None:
        checked(given.picture)
    gallery = open_gallery(given.gallery)
    embedder = model_of(gallery, given.model, given.device, given.precision, given.engine)
    hits = search(given.image, embedder, gallery, given.k, given.where)
    print_hits(hits, embedder.threshold, Console())
    if given.picture is not None:
        write_picture(given.picture, Path(given.image), hits)


def run_gallery(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.gallery import open_gallery
    from psnet.gallery.command import delete, describe

    gallery = open_gallery(given.gallery)
    if given.where:
        print(f"{delete(gallery, given.where):,} images deleted")
    describe(gallery, Console())
