"""Every image is decoded once before training starts, so that none fails in the middle of an epoch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from psnet.data.images import ImageError, decode
from psnet.data.samples import DataError, SampleSet
from psnet.progress import shown

REMEDY = "dataset.source.on_unreadable=skip"
"""What a user says to go on without such images; named in errors."""

NAMED = 5
"""How many unreadable files an error names."""


class Verified(NamedTuple):
    """What was found out about each image.

    sizes: (width, height) in pixels. sha256: of the file's bytes, in hex. skipped: paths left out, sorted.
    """

    sizes: dict[Path, tuple[int, int]]
    sha256: dict[Path, str]
    skipped: list[Path]


@dataclass(frozen=True)
class _Image:
    path: Path
    size: tuple[int, int] = (0, 0)
    sha256: str = ""
    fault: str = ""


def verify_images(
    images: SampleSet | Iterable[Path], on_unreadable: str = "error", workers: int | None = None
) -> Verified:
    """Decode every image in full.

    Of a SampleSet, sharp twins (`high`) are decoded too, and a sample whose twin is unreadable counts as
    unreadable. Paths in the answer are as given, for a SampleSet relative to its root.

    Args:
        images: a set, or paths.
        on_unreadable: "error", or "skip" to leave such images out of sizes and sha256 and return their paths.
        workers: threads; None for one per processor, at most 8.

    Raises:
        DataError: images are missing, empty, truncated or otherwise unreadable and are not to be skipped, or
            none is readable; or on_unreadable is another word.
    """
    if on_unreadable not in ("error", "skip"):
        raise DataError(f"on_unreadable={on_unreadable!r} must be error or skip")
    root, paths = _paths(images)
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        results = list(shown(pool.map(lambda path: _decode(root, path), paths), len(paths), "Reading every image once"))
    faults = {result.path: result.fault for result in results if result.fault}
    if faults and (on_unreadable == "error" or len(faults) == len(results)):
        raise DataError(_message(faults, len(results), on_unreadable))
    bad = set(faults) | _without_twin(images, set(faults))
    good = [result for result in results if result.path not in bad]
    sizes = {result.path: result.size for result in good}
    return Verified(sizes, {result.path: result.sha256 for result in good}, sorted(bad))


def _paths(images: SampleSet | Iterable[Path]) -> tuple[Path, list[Path]]:
    if not isinstance(images, SampleSet):
        return Path(), list(dict.fromkeys(images))
    paths = [s.path for s in images.samples] + [s.high for s in images.samples if s.high is not None]
    return images.root, list(dict.fromkeys(paths))


def _without_twin(images: SampleSet | Iterable[Path], bad: set[Path]) -> set[Path]:
    if not isinstance(images, SampleSet):
        return set()
    return {s.path for s in images.samples if s.high in bad}


def _decode(root: Path, path: Path) -> _Image:
    if _in_utf8(path) != str(path):
        return _Image(path, fault="its name is not in UTF-8; rename it")
    try:
        data = (root / path).read_bytes()
        _, height, width = decode(data).shape
        return _Image(path, (width, height), hashlib.sha256(data).hexdigest())
    except ImageError as error:
        return _Image(path, fault=str(error))
    except OSError as error:
        return _Image(path, fault=error.strerror or str(error))


def _in_utf8(path: Path) -> str:
    """Its name, with bytes that are none written as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _message(faults: dict[Path, str], total: int, on_unreadable: str) -> str:
    named = ", ".join(f"{_in_utf8(path)} ({fault})" for path, fault in sorted(faults.items())[:NAMED])
    more = f" and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
    remedy = f", or go on without them: {REMEDY}" if on_unreadable == "error" and len(faults) < total else ""
    return f"{len(faults):,} of {total:,} images cannot be read: {named}{more}. Get these files again{remedy}."
