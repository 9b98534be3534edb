"""Which images of a gallery: conditions on its columns, in one small language for all engines.

>>> conditions_of(["camid=3", "time>=2026-01-31"], {"camid": int, "time": str})
[Condition(column='camid', sign='=', value=3), Condition(column='time', sign='>=', value='2026-01-31')]
"""

from __future__ import annotations

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


def conditions_of(given: Sequence[str], columns: Mapping[str, type]) -> list[Condition]:
    """All of which must be met.

    Args:
        given: such as "camid=3". columns: of the gallery, by name, and the type of their values.

    Raises:
        GalleryError: one is no condition, names a column that is not there, or compares it with what it cannot be.
    """
    return [_condition(text, columns) for text in given]


def _condition(text: str, columns: Mapping[str, type]) -> Condition:
    match = FORM.fullmatch(text)
    if match is None:
        raise GalleryError(
            f"{text!r} is no condition; write it like camid=3 or 'time>=2026-01-31', with {' '.join(SIGNS)}"
        )
    column = match["column"]
    if column not in columns:
        raise GalleryError(f"{text!r}: there is no column {column!r}; there is {', '.join(columns)}")
    kind, value = columns[column], match["value"]
    try:
        return Condition(column, match["sign"], kind(value))
    except ValueError as error:
        words = {int: "whole numbers", float: "numbers"}[kind]
        raise GalleryError(f"{text!r}: {column} holds {words}, and {value!r} is none") from error
