"""By which model embeddings are known: its name in words, and a digest of what it computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from psnet.assembly import preprocess_of, task_settings, without_weights
from psnet.embeddings import DescriptorPart, MadeBy
from psnet.tasks import Task


def made_by_of(content: Mapping[str, Any], task: Task, part: DescriptorPart = "whole", engine: str = "") -> MadeBy:
    """
    Args:
        content: of a checkpoint. task: that it holds; it is put into evaluation mode.
    """
    preprocess, reid = preprocess_of(content["psnet"]["model"]), cast("nn.Module", task.eval().reid)
    with torch.inference_mode():  # each network has widths of its own
        features = reid(torch.zeros(1, 3, *preprocess.image_size, device=task.device))
    dimensions = (features.neck if part == "neck" else features.descriptor).shape[1]
    return MadeBy(in_words(content["psnet"]), digest_of(content), preprocess.settings(), part, dimensions, engine)


def digest_of(content: Mapping[str, Any]) -> str:
    """Of a checkpoint's content, see `digest`."""
    model = content["psnet"]["model"]
    settings = task_settings(without_weights(model)) | preprocess_of(model).settings()
    return digest(settings, content["state_dict"])


def digest(settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits, equal for equal networks, in whatever file they are."""
    found = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.view(-1).numpy().tobytes())
    return found.hexdigest()[:16]


def in_words(meta: Mapping[str, Any]) -> str:
    """A model in a few words, of what its checkpoint says of itself."""
    model = meta["model"]
    parts = [model["_target_"].rpartition(".")[2]]
    if "reid" in model:
        parts.append(model["reid"].get("backbone") or model["reid"]["_target_"])
    return f"{', '.join(parts)}, trained on {' + '.join([meta['dataset']['name'], *meta['joined']])}"
