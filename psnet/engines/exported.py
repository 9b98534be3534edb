"""An exported graph as an engine: what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from psnet.data.images import as_unit

Run = Callable[[NDArray[np.generic]], Sequence[NDArray[np.generic]]]
"""What `Graph.forward` is, in numpy."""


class ExportedEngine:
    """A graph that some library runs.

    Args:
        name: of `psnet.engines.kept.FILES`. run: one batch through it. precision: in which it computes, by Lightning's
            names. inside: it takes bytes of any size, see `Graph`; else images as the network takes them.
    """

    def __init__(self, name: str, run: Run, precision: str, inside: bool) -> None:
        self.name, self.run, self.precision, self.inside = name, run, precision, inside

    def embed(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, H, W), of the network's input size or, with preprocessing inside, of any -> float32 (B, D)."""
        embedding = torch.from_numpy(np.asarray(self._outputs(images)[0], dtype=np.float32))
        return F.normalize(embedding, dim=1)  # a copy, and of unit length where the graph computes in fewer bits

    def restore(self, images: Tensor) -> Tensor | None:
        """uint8 (B, 3, h, w) of the network's input size -> of that shape; None of a network that restores nothing."""
        outputs = self._outputs(images)
        return torch.from_numpy(np.asarray(outputs[1])).permute(0, 3, 1, 2) if len(outputs) > 1 else None

    def _outputs(self, images: Tensor) -> Sequence[NDArray[np.generic]]:
        given = images.permute(0, 2, 3, 1) if self.inside else as_unit(images)
        return self.run(np.ascontiguousarray(given.numpy()))
