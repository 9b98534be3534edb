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

from psnet.regions.errors import RegionsError
from psnet.tasks import Task


def regions(task: Task, one: Tensor, other: Tensor, last: int = 0) -> tuple[Tensor, Tensor]:
    """For each of two images what each of its places adds to their score.

    Args:
        task: one that describes, in evaluation mode. one, other: (3, H, W) in [0, 1], on its device.
        last: so many of the descriptor's numbers make the score, from its end; 0 for all.

    Returns:
        Two float32 maps (H, W) on the CPU, at least 0, of the same unit: the larger of both has a maximum of 1, unless
        nothing speaks for the match.

    Raises:
        RegionsError: Captum is not installed.
    """

    def describe(images: Tensor) -> Tensor:
        """(B, D) of unit length, without the mirror image, whose places are others."""
        restored = task.restore(images)
        descriptor = task.describe(images if restored is None else restored)
        assert descriptor is not None
        return F.normalize(descriptor.float()[:, -last:], dim=1)

    with torch.no_grad():
        described = [describe(image[None]) for image in (one, other)]
    maps = [_map(task, one[None], described[1], describe), _map(task, other[None], described[0], describe)]
    highest = max(float(found.max()) for found in maps)
    first, second = (found / highest if highest > 0 else found for found in maps)
    return first, second


def check_installed() -> None:
    """
    Raises:
        RegionsError: Captum is not.
    """
    _captum()


def _map(task: Task, image: Tensor, other: Tensor, describe: Callable[[Tensor], Tensor]) -> Tensor:
    grad_cam, interpolate = _captum()

    def score(images: Tensor) -> Tensor:
        return (describe(images) * other).sum(dim=1)

    pools: Any = task.reid.pools  # type: ignore[union-attr]
    total = torch.zeros(image.shape[2:], device=image.device)
    with torch.enable_grad():
        seen = image.clone().requires_grad_()
        for pool in pools:
            found = grad_cam(score, pool).attribute(seen, attribute_to_layer_input=True, relu_attributions=True)
            spread = found.shape[2] * found.shape[3] / total.numel()
            total += spread * interpolate(found, tuple(image.shape[2:]), "bilinear")[0, 0]
    return total.detach().cpu()


def _captum() -> tuple[Callable[..., Any], Callable[..., Tensor]]:
    try:
        from captum.attr import LayerAttribution, LayerGradCam
    except ImportError as error:
        raise RegionsError("explaining needs Captum; install it with pip install -e '.[explain]'") from error
    return LayerGradCam, LayerAttribution.interpolate
