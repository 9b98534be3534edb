"""An MLR set as files, for people who use other tools."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

from rich.progress import track

from psnet.data.dataset import RowImages
from psnet.data.images import to_pillow
from psnet.data.manifest import Manifest, Row, exact
from psnet.data.manifest_file import write_manifest
from psnet.data.preprocess import Preprocess
from psnet.data.readers.table import LOW
from psnet.data.samples import NO_CAMERA, DataError

COLUMNS = ("path", "pid", "camid", "split", "rate", "high")
"""Of images.csv: what `psnet.data.readers.read_csv` reads, so `dataset=csv` takes the folder as it is."""


def export(manifest: Manifest, folder: Path) -> Path:
    """Write every image of a set.

    folder/train, query, gallery: what a network sees, under the source's own paths. An image that is made low becomes a
    BMP, whose bytes depend on its pixels alone; any other is copied byte for byte. folder/high: the sharp twins of
    the low images. folder/images.csv: what is what. folder/manifest.csv: the manifest.

    The files gather in `<folder>.part`, which gets its name when all are there. If it was interrupted, the next call
    with the same manifest goes on where it ended.

    Returns:
        images.csv.

    Raises:
        DataError: the folder exists, something else is called `<folder>.part`, or two images would get one name.
    """
    if folder.exists():
        raise DataError(f"{folder} exists; give another folder, or remove it first")
    part = folder.with_name(folder.name + ".part")
    _begin(manifest, part)
    _check_names(manifest)
    images = RowImages(manifest, Preprocess())  # of any size: only native images are asked for
    for row in track(manifest.rows, description=f"Writing {folder.name}", transient=True):
        _write(manifest, images, row, part)
    with (part / "images.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_record(row) for row in manifest.rows)
    os.replace(part, folder)
    return folder / "images.csv"


def _begin(manifest: Manifest, part: Path) -> None:
    """An empty folder, or one that was begun with this manifest; one that was begun with another is removed."""
    begun = part / "manifest.csv"
    if part.exists() and any(part.iterdir()) and not begun.is_file():
        raise DataError(f"{part} is in the way and no unfinished set of ours; rename it, or give another folder")
    trial = part.with_name(part.name + ".csv")
    write_manifest(manifest, trial)
    if begun.is_file() and begun.read_bytes() != trial.read_bytes():
        shutil.rmtree(part)
    part.mkdir(exist_ok=True)
    os.replace(trial, begun)


def _check_names(manifest: Manifest) -> None:
    names: dict[str, str] = {}
    for row in manifest.rows:
        other = names.setdefault(seen_path(row), row.path)
        if other != row.path:
            raise DataError(f"{other} and {row.path} would both be written to {seen_path(row)}; rename one of them")


def seen_path(row: Row) -> str:
    """Where the image that a network sees lies, under the folder."""
    made = ".bmp" if row.degradation and not row.path.endswith(".bmp") else ""
    return f"{row.split}/{row.path}{made}"


def _high_path(row: Row) -> str:
    return f"high/{row.high or row.path}" if row.is_low and row.has_high else ""


def _record(row: Row) -> tuple[str | int, ...]:
    camid = "" if row.camid == NO_CAMERA else row.camid
    rate = LOW if row.is_low and row.rate == 1 else exact(row.rate)
    return (seen_path(row), row.pid, camid, row.split, rate, _high_path(row))


def _write(manifest: Manifest, images: RowImages, row: Row, folder: Path) -> None:
    seen = folder / seen_path(row)
    if not seen.exists():
        if row.degradation:
            beside = _beside(seen)
            to_pillow(images.low_native(row)).save(beside, format="BMP")
            os.replace(beside, seen)
        else:
            _copy(manifest.path(row), seen)
    if high := _high_path(row):
        _copy(manifest.high_path(row), folder / high)


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        beside = _beside(target)
        shutil.copyfile(source, beside)
        os.replace(beside, target)


def _beside(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(target.name + ".part")
