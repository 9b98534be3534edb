"""What a user can put right."""

from __future__ import annotations


class RegionsError(ValueError):
    """The message names the thing, its value and the remedy."""
