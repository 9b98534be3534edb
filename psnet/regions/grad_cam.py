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
from torch import Tensor, nn
from torch.nn import functional as F

from psnet.regions.errors import RegionsError
from psnet.tasks import Task


def regions_of_score(task: Task, one: Tensor, other: Tensor, last: int = 0) -> tuple[Tensor, Tensor]:
    """For each of two images what each of its places adds to their score.

    It is the score of the descriptors without their mirror images, whose places are others.

    Args:
        task: in evaluation mode. one, other: (3, H, W) in [0, 1], on its device.
        last: so many of the descriptor's numbers make the score, from its end; 0 for all.

    Returns:
        Two float32 maps (H, W) on the CPU, at least 0, of the same unit: the larger of both has a maximum of 1, unless
        nothing speaks for the match.

    Raises:
        RegionsError: see `check_explainable`.
    """
    check_explainable(task)

    def describe(images: Tensor) -> Tensor:
        """(1, D) of unit length, of restored images."""
        descriptor = task.describe(images)
        assert descriptor is not None
        return F.normalize(descriptor.float()[:, -last:], dim=1)

    with torch.no_grad():
        images = [_restored(task, image[None]) for image in (one, other)]
        described = [describe(image) for image in images]
    maps = [_map(task.pools, images[0], described[1], describe), _map(task.pools, images[1], described[0], describe)]
    highest = max(float(found.max()) for found in maps)
    first, second = (found / highest if highest > 0 else found for found in maps)
    return first, second


def check_explainable(task: Task) -> None:
    """
    Raises:
        RegionsError: the task pools no maps, or Captum is not installed.
    """
    if not task.pools:
        raise RegionsError(f"{type(task).__name__} pools no maps of regions; take a task that re-identifies by them")
    _captum()


def _restored(task: Task, images: Tensor) -> Tensor:
    restored = task.restore(images)
    return images if restored is None else restored


def _map(pools: nn.ModuleList, image: Tensor, other: Tensor, describe: Callable[[Tensor], Tensor]) -> Tensor:
    """image: (1, 3, H, W), restored. other: (1, D). Returns (H, W), at least 0."""
    grad_cam, interpolate = _captum()

    def score(images: Tensor) -> Tensor:
        return (describe(images) * other).sum(dim=1)

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
