"""Which regions of two images make their score: Grad-CAM by Captum, over all maps that the head pools.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017: the
maps of a layer, each weighted by the mean gradient of the score over its places, summed; what speaks against the match
is left out. Here the score is the cosine of the descriptors, and the maps are those of every branch of the backbone.
Each is enlarged to the network's input, where a place's share is spread over the pixels that it stands for, and added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from psnet.data.images import as_unit, stack
from psnet.embedder.embedder import Embedder
from psnet.embedder.errors import EmbedderError
from psnet.engines import TorchEngine


def explain(embedder: Embedder, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """For each of two images what each of its places adds to their score.

    Args:
        one, other: uint8 RGB (3, H, W) of any size.

    Returns:
        Two float32 maps (h, w) of the network's input size, at least 0, of the same unit: the larger of both has
        a maximum of 1, unless nothing speaks for the match.

    Raises:
        EmbedderError: Captum is not installed, or an exported graph computes, which has no gradients.
    """
    engine = _torch(embedder)
    inputs = [as_unit(stack([embedder.preprocess(image)])).to(engine.device) for image in (one, other)]
    with torch.no_grad():
        described = [_descriptor(embedder, image) for image in inputs]
    maps = [_map(embedder, inputs[0], described[1]), _map(embedder, inputs[1], described[0])]
    highest = max(float(found.max()) for found in maps)
    first, second = (found / highest if highest > 0 else found for found in maps)
    return first, second


def _descriptor(embedder: Embedder, images: Tensor) -> Tensor:
    """(B, D) of unit length, without the mirror image, whose places are others."""
    task = _torch(embedder).task
    restored = task.restore(images)
    descriptor = task.describe(images if restored is None else restored)
    assert descriptor is not None
    whole = descriptor.float()
    return F.normalize(whole if embedder.made_by.part == "whole" else whole[:, -embedder.made_by.dimensions :], dim=1)


def _map(embedder: Embedder, image: Tensor, other: Tensor) -> Tensor:
    grad_cam, interpolate = _captum()

    def score(images: Tensor) -> Tensor:
        return (_descriptor(embedder, images) * other).sum(dim=1)

    pools: Any = _torch(embedder).task.reid.pools  # type: ignore[union-attr]
    total = torch.zeros(image.shape[2:], device=image.device)
    with torch.enable_grad():
        seen = image.clone().requires_grad_()
        for pool in pools:
            found = grad_cam(score, pool).attribute(seen, attribute_to_layer_input=True, relu_attributions=True)
            spread = found.shape[2] * found.shape[3] / total.numel()
            total += spread * interpolate(found, tuple(image.shape[2:]), "bilinear")[0, 0]
    return total.detach().cpu()


def _torch(embedder: Embedder) -> TorchEngine:
    if not isinstance(embedder.engine, TorchEngine):
        raise EmbedderError(f"engine {embedder.engine.name} gives no gradients, which explaining needs; take pytorch")
    return embedder.engine


def _captum() -> tuple[Callable[..., Any], Callable[..., Tensor]]:
    try:
        from captum.attr import LayerAttribution, LayerGradCam
    except ImportError as error:
        raise EmbedderError("explaining needs Captum; install it with pip install -e '.[explain]'") from error
    return LayerGradCam, LayerAttribution.interpolate
