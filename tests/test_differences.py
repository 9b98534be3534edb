"""Settings beside settings."""

from __future__ import annotations

from psnet.differences import differences


def test_differences_name_what_one_side_lacks():
    assert differences({"a": 1, "b": {"c": [1, 2]}}, {"b": {"c": [1, 3], "d": None}}) == {
        "a": (1, None),
        "b.c": ([1, 2], [1, 3]),
    }
