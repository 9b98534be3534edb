"""In what two sets of settings differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """(wanted, found) by dotted name.

    >>> differences({"sr": {"blocks": 6, "channels": 16}}, {"sr": {"blocks": 18, "channels": 16}})
    {'sr.blocks': (6, 18)}
    """
    differ: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*wanted, *found}):
        one, other = wanted.get(key), found.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            differ |= differences(one, other, f"{prefix}{key}.")
        elif one != other:
            differ[prefix + key] = one, other
    return differ
