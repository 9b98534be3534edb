"""Which images of a gallery: conditions on its columns, in one small language for all engines.

>>> conditions_of(["camid=3", "time>=2026-01-31"], {"camid": int, "time": str})
[Condition(column='camid', sign='=', value=3), Condition(column='time', sign='>=', value='2026-01-31')]
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psnet.gallery.errors import GalleryError

SIGNS = ("=", "!=", "<", "<=", ">", ">=")

FORM = re.compile(r"\s*(?P<column>\w+)\s*(?P<sign>!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*")

Value = int | float | str


@dataclass(frozen=True)
class Condition:
    """That an image meets. sign: one of `SIGNS`; text is compared letter by letter, so that ISO times are in order."""

    column: str
    sign: str
    value: Value


def check_column(name: str) -> None:
    """
    Raises:
        GalleryError: no condition could name it, nor could all engines.
    """
    if not re.fullmatch(r"[^\W\d]\w*", name):
        raise GalleryError(
            f"a gallery can have no column {name!r}; name it by letters, digits and _, such as camera_id"
        )


def conditions_of(given: Sequence[str], columns: Mapping[str, type]) -> list[Condition]:
    """All of which must be met.

    Args:
        given: such as "camid=3". columns: of the gallery, by name, and the type of their values.

    Raises:
        GalleryError: one is no condition, names a column that is not there, or compares it with what it cannot be.
    """
    return [_condition(text, columns) for text in given]


def check(given: Sequence[Condition], columns: Mapping[str, type]) -> None:
    """
    Raises:
        GalleryError: one names a column or sign that is not there, or compares with what the column cannot hold.
    """
    for one in given:
        if one.sign not in SIGNS or columns.get(one.column) is not type(one.value) or not _holds(one.value):
            raise GalleryError(f"{one} cannot be asked for; there is {', '.join(columns)}, with {' '.join(SIGNS)}")


def _condition(text: str, columns: Mapping[str, type]) -> Condition:
    match = FORM.fullmatch(text)
    if match is None or match["value"][:1] in ("=", "<", ">"):
        raise GalleryError(
            f"{text!r} is no condition; write it like camid=3 or 'time>=2026-01-31', with {' '.join(SIGNS)}"
        )
    column = match["column"]
    if column not in columns:
        raise GalleryError(f"{text!r}: there is no column {column!r}; there is {', '.join(columns)}")
    kind, value = columns[column], match["value"]
    words = {int: "whole numbers", float: "numbers", str: "text"}[kind]
    try:
        found = kind(value)
    except ValueError as error:
        raise GalleryError(f"{text!r}: {column} holds {words}, and {value!r} is none") from error
    if ("_" in value and kind is not str) or not _holds(found):
        raise GalleryError(f"{text!r}: {column} holds {words}, and {value!r} is none that it can hold")
    return Condition(column, match["sign"], found)


def _holds(value: Value) -> bool:
    """Numbers of 64 bits, and no infinity."""
    return isinstance(value, str) or (abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value))
