"""timm backbones as feature pyramids, with weights that are checked rather than hoped for."""

from __future__ import annotations

import difflib
from collections.abc import Container
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from psnet.models.normalise import IMAGENET_MEAN, IMAGENET_STD

# Layers of the official classification checkpoints that the pyramid does not have.
_CLASSIFIER_ONLY = ("downsamp_modules.", "final_layer.", "conv_head.", "classifier.", "fc.", "head.")


class WeightsError(RuntimeError):
    """Weights cannot be had, or do not fit the network."""


STRIDES = [4, 8, 16, 32]
"""Of the maps that the head pools."""

TRIED = (64, 32)
"""Height and width of the image that a backbone is tried on: small, upright, and no square that hides a layout."""


def create_backbone(name: str, imagenet: bool) -> tuple[nn.Module, list[int]]:
    """The network that maps (B, 3, H, W) to four maps at strides 4, 8, 16, 32, and its channels.

    For HRNet these are the outputs of the four `incre_modules`: 128, 256, 512 and 1024 channels.

    Args:
        name: a timm model name. imagenet: with timm's weights from the hub, instead of random ones.

    Raises:
        ValueError: timm does not know the name, its maps are at other strides or not (B, C, H, W), or it takes images
            of one size only.
        WeightsError: the hub is out of reach, or its weights want images normalised otherwise.
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ValueError(f"backbone={name!r} is not a model of timm; near it are {', '.join(near) or 'none'}")
    features: dict[str, Any] = {"features_only": True, "out_indices": (-4, -3, -2, -1)}
    backbone = _from_hub(name, features) if imagenet else timm.create_model(name, pretrained=False, **features)
    strides = backbone.feature_info.reduction()  # type: ignore[union-attr, operator]
    if strides != STRIDES:
        raise ValueError(f"backbone={name!r} has maps at strides {strides}; take one with {STRIDES}, such as hrnet_w32")
    channels: list[int] = backbone.feature_info.channels()  # type: ignore[union-attr, operator]
    _try(backbone, name, channels)
    return backbone, channels


def _try(backbone: nn.Module, name: str, channels: list[int]) -> None:
    """One small image, as timm's lists tell neither the layout of maps nor whether a network minds its input's size."""
    height, width = TRIED
    backbone.eval()
    try:
        with torch.no_grad():
            shapes = [tuple(maps.shape[1:]) for maps in backbone(torch.zeros(1, 3, height, width))]
    except (AssertionError, RuntimeError) as error:
        raise ValueError(
            f"backbone={name!r} does not take an image of {height} x {width} ({error}); take one for images of any "
            "size, such as hrnet_w32"
        ) from error
    backbone.train()
    expected = [(c, height // stride, width // stride) for c, stride in zip(channels, STRIDES, strict=True)]
    if shapes != expected:
        raise ValueError(
            f"backbone={name!r} gives maps of {shapes} where (channels, height, width) of {expected} are pooled; take "
            "one with channels first, such as hrnet_w32"
        )


def _from_hub(name: str, features: dict[str, Any]) -> nn.Module:
    known = timm.get_pretrained_cfg(name)
    if known is not None and (known.mean, known.std) != (IMAGENET_MEAN, IMAGENET_STD):
        raise WeightsError(
            f"the weights of {name} are for images normalised by mean {known.mean} and deviation {known.std}, not by "
            f"ImageNet's {IMAGENET_MEAN} and {IMAGENET_STD}. Take a backbone with others, or start from scratch, "
            "model.reid.weights=null."
        )
    try:
        return timm.create_model(name, pretrained=True, **features)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"ImageNet weights of {name} could not be fetched ({type(error).__name__}). Without a network give the "
            "official file, model.reid.weights=PATH.pth, or start from scratch, model.reid.weights=null."
        ) from error


def load_official(backbone: nn.Module, state: dict[str, Tensor], refusal: str) -> None:
    """Load what the official HRNet files hold: the classification network, its keys perhaps behind "module.".

    Raises:
        WeightsError: see `load_covering`.
    """
    state = {key.removeprefix("module."): value for key, value in state.items()}
    state = {key: value for key, value in state.items() if not key.startswith(_CLASSIFIER_ONLY)}
    own = backbone.state_dict()
    state = {_own_name(key, own): value for key, value in state.items()}
    load_covering(backbone, state, refusal)


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of PyTorch weights, be it wrapped or not.

    Raises:
        WeightsError: there is no such file, or it is none.
    """
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist; give model.reid.weights=PATH, imagenet or null")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"{path} is not a file of PyTorch weights ({type(error).__name__}); give the network's official .pth, or a "
            "last.ckpt that train.py wrote"
        ) from error
    state: dict[str, Tensor] = content.get("state_dict", content)
    return state


def load_covering(module: nn.Module, state: dict[str, Tensor], refusal: str) -> None:
    """Load a state that has every entry of the module and no other.

    Args:
        refusal: begins the error's sentence.

    Raises:
        WeightsError: an entry is missing, unknown or of another shape.
    """
    own = module.state_dict()
    # num_batches_tracked is absent from files older than PyTorch 0.4.1 and has no part in the output
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    unknown = [k for k in state if k not in own]
    misshapen = [k for k in own if k in state and own[k].shape != state[k].shape]
    if missing or unknown or misshapen:
        raise WeightsError(
            f"{refusal}: {len(missing)} of {len(own)} entries missing {missing[:3]}, "
            f"{len(unknown)} unknown {unknown[:3]}, {len(misshapen)} of another shape {misshapen[:3]}. "
            "Give the file of this very network, or another model.reid.backbone."
        )
    module.load_state_dict(state, strict=False)


def _own_name(key: str, own: Container[str]) -> str:
    """A file's `stages.0.bias` is `stages_0.bias` where timm has taken a row of stages apart to get at their maps."""
    apart = key.replace(".", "_", 1)
    return apart if apart in own else key
