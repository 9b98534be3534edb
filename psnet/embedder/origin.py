"""By which model embeddings are known: its name in words, and a digest of what it computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from psnet.assembly import preprocess_of, task_settings, without_weights
from psnet.embeddings import DescriptorPart, MadeBy
from psnet.tasks import Task


def made_by_of(content: Mapping[str, Any], task: Task, part: DescriptorPart = "whole", engine: str = "") -> MadeBy:
    """
    Args:
        content: of a checkpoint. task: that it holds.
    """
    preprocess = preprocess_of(content["psnet"]["model"]).settings()
    reid: Any = task.reid
    dimensions = reid.fc1.out_features + (reid.fc1.in_features if part == "whole" else 0)
    return MadeBy(in_words(content["psnet"]), digest_of(content), preprocess, part, dimensions, engine)


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
        parts.append(model["reid"]["backbone"])
    return f"{', '.join(parts)}, trained on {' + '.join([meta['dataset']['name'], *meta['joined']])}"
