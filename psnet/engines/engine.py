"""What every engine can do."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Engine(Protocol):
    """Computes embeddings of images that have the network's input size.

    name: "pytorch", or of an exported form. precision: in which it computes, by Lightning's names.
    """

    name: str
    precision: str

    def embed(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, h, w) -> float32 (B, D) on the CPU, of unit length."""

    def restore(self, images: Tensor) -> Tensor | None:
        """uint8 (B, 3, h, w) -> of that shape on the CPU; None of a network that restores nothing."""
