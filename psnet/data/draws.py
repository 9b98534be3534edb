"""Random draws that depend on names alone.

A draw is a hash of (seed, purpose, name). It does not depend on the order of files, on how many there are, on the
version of a random generator, or on the machine, so a set is made again bit for bit, and removing one image
changes nothing for the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def uniform(seed: int, purpose: str, name: object) -> float:
    """A number in [0, 1), the same on every machine.

    >>> round(uniform(0, "rate", "cam_a/000_45.bmp"), 6) == round(uniform(0, "rate", "cam_a/000_45.bmp"), 6)
    True
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def shuffled(items: Iterable[T], seed: int, purpose: str) -> list[T]:
    """The items in an order drawn by their own names (their `str`, which must differ)."""
    return sorted(items, key=lambda item: (uniform(seed, purpose, item), str(item)))
