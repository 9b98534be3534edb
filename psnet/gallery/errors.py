"""What is wrong with a gallery, or with what it is asked."""

from __future__ import annotations


class GalleryError(ValueError):
    """The message names the thing, its value and the remedy."""
