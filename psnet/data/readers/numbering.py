"""From people's own names of identities to numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from psnet.data.samples import DataError

_NUMBER = re.compile(r"[0-9]+")


def numbered(names: Mapping[str, str]) -> dict[str, int]:
    """A pid for each name.

    If all names are whole numbers below 2**63 they keep their value ("0012" is 12). Otherwise *all* are numbered from 0
    in sorted order, those which look like numbers included. So pids depend on the names alone, not on the
    order they came in.

    Args:
        names: and where each was met first, for errors.

    Raises:
        DataError: a negative number (junk has no place in one's own set), or one number written in two ways,
            which could be one person or two.

    >>> numbered({"b": "line 2", "a": "line 3", "7": "line 4"})
    {'7': 0, 'a': 1, 'b': 2}
    """
    ordered = sorted(names)
    negative = [name for name in ordered if re.fullmatch(r"-[0-9]+", name)]
    if negative:
        raise DataError(
            f"{names[negative[0]]}: pid {negative[0]} is negative; leave images of nobody out, "
            "or give that person a name"
        )
    if not all(_NUMBER.fullmatch(name) and int(name) < 2**63 for name in ordered):
        return {name: pid for pid, name in enumerate(ordered)}
    by_value: dict[int, str] = {}
    for name in ordered:
        other = by_value.setdefault(int(name), name)
        if other != name:
            raise DataError(
                f"{names[name]}: identity {name!r} is also written {other!r} ({names[other]}); "
                "write one person's number in one way"
            )
    return {name: pid for pid, name in by_value.items()}
