"""psnet: cross-resolution person re-identification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psnet.embedder import Embedder

__all__ = ["Embedder"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`psnet.Embedder` is imported when it is asked for: PyTorch takes seconds."""
    if name == "Embedder":
        from psnet.embedder import Embedder

        return Embedder
    raise AttributeError(f"module 'psnet' has no attribute {name!r}")
