"""The manifest: which image plays which part in an MLR data set, and how its low version is made.

With the source images it makes the set again bit for bit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from psnet.data.samples import DataError

SPLITS = ("train", "query", "gallery")

DIGEST = 16
"""Hexadecimal digits that stand for a file: 64 bits, in which a million files meet with a chance of 1 in 30 million."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of an MLR data set.

    path: of the source image, relative to its set's root, in POSIX form.
    rate: down-sampling factor of the low image, 1 where the set shows the image as it is.
    degradation: how `low` is made from the source, in the words of `psnet.data.degrade`; "" where nothing is to be made
        (sharp, or low already).
    seed: the protocol's, from which the rate was drawn. sha256: of the source file.
    high: path of the sharp twin of a file that is low already; "" where there is none or the file is the twin.
    native_low: the file is low as it is. high_sha256: of the sharp twin's file.
    source: the set it comes from; identities and cameras of different sources are different.
    """

    path: str
    pid: int
    camid: int
    split: str
    rate: float
    degradation: str
    seed: int
    sha256: str
    high: str = ""
    native_low: bool = False
    source: str = ""
    high_sha256: str = ""

    @property
    def is_low(self) -> bool:
        return self.native_low or self.degradation != ""

    @property
    def has_high(self) -> bool:
        """A sharp version of this very image exists (for a sharp image: itself)."""
        return self.high != "" or not self.native_low


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Manifest:
    """Rows, and where each source's paths begin."""

    rows: tuple[Row, ...]
    roots: dict[str, Path]

    def split(self, name: str) -> list[Row]:
        return [row for row in self.rows if row.split == name]

    def train_labels(self) -> dict[tuple[str, int], int]:
        """(source, pid) -> class, from 0 without gaps, in sorted order."""
        people = sorted({(row.source, row.pid) for row in self.split("train")})
        return {person: label for label, person in enumerate(people)}

    def people_hash(self) -> str:
        """Of the training identities: equal hashes mean that a class stands for the same person."""
        return hashlib.sha256(repr(sorted(self.train_labels().items())).encode()).hexdigest()

    def train_digests(self) -> list[str]:
        """Of the training images' files and of their sharp twins', short: what a network may not be asked to find
        again. Sorted."""
        return sorted({digest for row in self.split("train") for digest in _digests(row)})

    def trained_on(self, digests: Iterable[str]) -> list[Row]:
        """Query and gallery images whose file, or whose sharp twin's, is among the `train_digests` of a training."""
        known = set(digests)
        return [row for row in self.rows if row.split != "train" and not known.isdisjoint(_digests(row))]

    def without_joined(self) -> Manifest:
        """The set alone, without the training images of others."""
        return self._of(list(self.roots)[:1])

    def joined_alone(self) -> Manifest:
        """The training images of others, without the set."""
        return self._of(list(self.roots)[1:])

    def _of(self, sources: Sequence[str]) -> Manifest:
        if len(sources) == len(self.roots):
            return self
        rows = tuple(row for row in self.rows if row.source in sources)
        return Manifest(rows, {source: self.roots[source] for source in sources})

    def path(self, row: Row) -> Path:
        return self.roots[row.source] / row.path

    def high_path(self, row: Row) -> Path:
        return self.roots[row.source] / (row.high or row.path)

    def hash(self) -> str:
        """sha256 over all rows: equal hashes mean equal images, roles and rates."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(repr(astuple_text(row)).encode())
        return digest.hexdigest()

    def joined(self, other: Manifest, name: str) -> Manifest:
        """This set, trained on together with the training images of another (of one source), called `name` here.

        Raises:
            DataError: the name is in use, or both have an image in common.
        """
        if name in self.roots:
            raise DataError(f"join.{name}: a data set of this name is there already; call it otherwise")
        rows = tuple(replace(row, source=name) for row in other.split("train"))
        known = {row.sha256 for row in self.rows}
        shared = [row.path for row in rows if row.sha256 in known]
        if shared:
            raise DataError(
                f"join.{name}: {len(shared)} of its {len(rows)} training images are there already, e.g. {shared[0]}. "
                "One person would count as two, or be trained on and searched for. Join other sets"
            )
        (root,) = other.roots.values()
        return Manifest(self.rows + rows, {**self.roots, name: root})

    def describe(self) -> str:
        lines = []
        for split in SPLITS:
            rows = self.split(split)
            rates = Counter(row.rate for row in rows if row.is_low)
            low = ", ".join(f"{n:,} {rate_name(rate)}" for rate, n in sorted(rates.items())) or "none low"
            people = len({(row.source, row.pid) for row in rows})
            lines.append(f"  {split:<8}{people:>6,} identities {len(rows):>7,} images ({low})")
        drawn = [row for row in self.rows if " " in row.degradation]
        if drawn:
            lines.append(f"  {len(drawn):,} degraded in several steps, e.g. {drawn[0].path}: {drawn[0].degradation}")
        return "\n".join([*lines, f"  data hash {self.hash()[:16]}"])


def _digests(row: Row) -> list[str]:
    return [sha256[:DIGEST] for sha256 in (row.sha256, row.high_sha256) if sha256]


def rate_name(rate: float) -> str:
    """Of low images.

    >>> rate_name(3.0), rate_name(1.0)
    ('at 1/3', 'low as they are')
    """
    return "low as they are" if rate == 1 else f"at 1/{rate:g}"


def astuple_text(row: Row) -> tuple[str, ...]:
    """A row as it stands in the CSV file."""
    values = (getattr(row, name) for name in COLUMNS)
    return tuple(exact(value) if isinstance(value, float) else str(value) for value in values)


def exact(number: float) -> str:
    """The shortest text that reads as this very number.

    >>> exact(3.0), exact(8 / 3)
    ('3', '2.6666666666666665')
    """
    return repr(number).removesuffix(".0")


def posix(path: Path | None) -> str:
    return "" if path is None else str(PurePosixPath(path))
