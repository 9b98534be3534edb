"""What is wrong with what a model is given, or with the model."""

from __future__ import annotations


class EmbedderError(ValueError):
    """The message names the thing, its value and the remedy."""
