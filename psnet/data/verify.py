"""Every image is decoded once before training starts, so that none fails in the middle of an epoch."""

from __future__ import annotations

import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from rich.console import Console
from rich.progress import Progress

from psnet.data.samples import DataError, SampleSet

REMEDY = "dataset.source.on_unreadable=skip"
"""What a user says to go on without such images; named in errors."""

NAMED = 5
"""How many unreadable files an error names."""

SLOW_SECONDS = 2.0
"""A progress bar appears after this time."""

# What Pillow's decoders raise for broken files; SyntaxError is its word for a broken PNG.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


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
        results = list(_shown(pool.map(lambda path: _decode(root, path), paths), len(paths)))
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
    try:
        data = (root / path).read_bytes()
        if not data:
            return _Image(path, fault="empty file")
        with Image.open(BytesIO(data)) as image:
            image.load()
            return _Image(path, image.size, hashlib.sha256(data).hexdigest())
    except _BROKEN as error:
        return _Image(path, fault=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"  # Pillow's own words name a memory address
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _message(faults: dict[Path, str], total: int, on_unreadable: str) -> str:
    named = ", ".join(f"{path} ({fault})" for path, fault in sorted(faults.items())[:NAMED])
    more = f" and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
    remedy = f", or go on without them: {REMEDY}" if on_unreadable == "error" and len(faults) < total else ""
    return f"{len(faults):,} of {total:,} images cannot be read: {named}{more}. Get these files again{remedy}."


def _shown(results: Iterator[_Image], total: int) -> Iterator[_Image]:
    """The results, with a progress bar once it takes long."""
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task("Reading every image once", total=total)
    begin = time.monotonic()
    try:
        for result in results:
            progress.advance(task)
            if not progress.live.is_started and time.monotonic() - begin > SLOW_SECONDS:
                progress.start()
            yield result
    finally:
        if progress.live.is_started:
            progress.stop()
