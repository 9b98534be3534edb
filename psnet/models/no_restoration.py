"""No super-resolution network: what comes in is what re-identification sees."""

from __future__ import annotations

from torch import Tensor, nn


class NoRestoration(nn.Module):
    """The identity, without parameters, in the place of a super-resolution network."""

    def forward(self, low: Tensor) -> Tensor:
        """low (B, 3, H, W) -> the same."""
        return low
