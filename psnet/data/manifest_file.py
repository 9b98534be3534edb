"""The manifest as a CSV file: written, read, and held against the images it was made from."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from psnet.atomic import whole
from psnet.data.degrade import steps_of
from psnet.data.manifest import COLUMNS, SPLITS, Manifest, Row, astuple_text
from psnet.data.samples import DataError

log = logging.getLogger(__name__)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """One CSV row per image. Written beside and renamed, so that it is whole or absent."""
    with whole(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple_text(row) for row in manifest.rows)


def read_manifest(path: Path, roots: dict[str, Path]) -> Manifest:
    """The set that `write_manifest` wrote; the images lie under `roots`.

    Training images of sets that were joined, and have no root here, are left out; they can be joined again.

    Raises:
        DataError: the file is missing, is no manifest, has one person in training and test, or is that of another set.
    """
    if not path.is_file():
        raise DataError(
            f"manifest {path} does not exist; write one with `psnet build-mlr`, or leave dataset.source.manifest out"
        )
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = tuple(_parse(csv.DictReader(file), path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no manifest ({error}); write one with `psnet build-mlr`") from error
    _check_people(rows, path)
    own = tuple(row for row in rows if row.source in roots)
    others = [row for row in rows if row.source not in roots]
    if others and not (own and all(row.split == "train" for row in others)):
        raise DataError(f"{path} names the source {others[0].source!r}, but the sources given are {sorted(roots)}")
    if others:
        names = sorted({row.source for row in others})
        log.warning("%s: %d training images of the joined %s are left out; join them again", path, len(others), names)
    return Manifest(own, roots)


def _parse(records: Iterable[dict[str, str]], path: Path) -> Iterator[Row]:
    for number, r in enumerate(records, start=2):
        try:
            yield Row(
                path=r["path"],
                pid=int(r["pid"]),
                camid=int(r["camid"]),
                split=_split(r["split"]),
                rate=_rate(r["rate"]),
                degradation=_degradation(r),
                seed=int(r["seed"]),
                sha256=r["sha256"],
                high=r["high"],
                native_low=r["native_low"] == "True",
                source=r["source"],
                high_sha256=r["high_sha256"],
            )
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"{path}, line {number}: not a row of a manifest ({error!r})") from error


def _split(text: str) -> str:
    if text not in SPLITS:
        raise DataError(f"split={text!r} must be one of {', '.join(SPLITS)}")
    return text


def _rate(text: str) -> float:
    rate = float(text)
    if not 1 <= rate < math.inf:
        raise DataError(f"rate={text!r} must be a down-sampling factor of 1 or more")
    return rate


def _check_people(rows: Iterable[Row], path: Path) -> None:
    people: dict[bool, set[tuple[str, int]]] = {True: set(), False: set()}
    for row in rows:
        people[row.split == "train"].add((row.source, row.pid))
    both = sorted(people[True] & people[False])
    if both:
        raise DataError(f"{path}: {len(both)} identities are in train and test, e.g. pid {both[0][1]}; keep them apart")


def _degradation(record: dict[str, str]) -> str:
    text = record["interpolation"] if "interpolation" in record else record["degradation"]  # its name before
    if text:
        steps_of(text)  # what nobody can make is known now
    return text


def check_sources(manifest: Manifest, sha256: dict[str, str]) -> None:
    """Raise if a source image, or a sharp twin, is not the one the manifest was written for.

    Args:
        sha256: by path, of the files as they are now.
    """
    files = {row.path: row.sha256 for row in manifest.rows}
    files |= {row.high: row.high_sha256 for row in manifest.rows if row.high}
    changed = [path for path, expected in files.items() if sha256.get(path) not in (None, expected)]
    lost = [path for path in files if path not in sha256]
    if changed or lost:
        raise DataError(
            f"the images are not those of the manifest: {len(changed)} differ {changed[:3]}, {len(lost)} are missing "
            f"{lost[:3]}. Use the files it was made from, or leave dataset.source.manifest out to make a new one."
        )
