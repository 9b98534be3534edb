"""Which regions of two images make their score, of an embedder; what they are is in `psnet.regions`."""

from __future__ import annotations

from torch import Tensor

from psnet.data.images import as_unit, stack
from psnet.embedder.embedder import Embedder
from psnet.embedder.errors import EmbedderError
from psnet.engines import TorchEngine
from psnet.regions import RegionsError, regions_of_score


def explain(embedder: Embedder, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """For each of two images what each of its places adds to their score.

    Args:
        one, other: uint8 RGB (3, H, W) of any size.

    Returns:
        Two maps (h, w) of the network's input size, see `psnet.regions.regions_of_score`.

    Raises:
        EmbedderError: Captum is not installed, or an exported graph computes, which has no gradients.
    """
    engine = embedder.engine
    if not isinstance(engine, TorchEngine):
        raise EmbedderError(f"engine {engine.name} gives no gradients, which explaining needs; take pytorch")
    first, second = as_unit(stack([embedder.preprocess(image) for image in (one, other)])).to(engine.device)
    last = 0 if embedder.made_by.part == "whole" else embedder.made_by.dimensions
    try:
        return regions_of_score(engine.task, first, second, last)
    except RegionsError as error:
        raise EmbedderError(str(error)) from error
