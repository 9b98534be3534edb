"""From a model's settings, as configurations and checkpoints hold them, to its task and its input."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psnet.models as models
import psnet.tasks as tasks
from psnet.checkpoint import CheckpointError
from psnet.configuration import build
from psnet.data.preprocess import Preprocess
from psnet.metrics import RetrievalMetric
from psnet.tasks import Recipe, Task

NOT_OF_THE_TASK = ("recipe", "teacher", "teacher_checkpoint", "sr_start", "sr_checkpoint", "student_from_teacher")
"""Keys of a model's configuration that say how to train it rather than what it is."""

OURS = {f"{room.__name__}.{name}" for room in (models, tasks) for name in room.__all__}
"""What a model's settings may name without being told so; see `check_ours`."""


def build_task(
    model: Mapping[str, Any], recipe: Recipe | None = None, retrieval: RetrievalMetric | None = None, **more: Any
) -> Task:
    """The task that a model's resolved configuration describes.

    Args:
        more: arguments that replace configured ones, such as a teacher.
    """
    task: Task = build(task_settings(model, more), recipe=recipe, retrieval=retrieval, **more)
    return task


def preprocess_of(model: Mapping[str, Any]) -> Preprocess:
    """How images become a model's input."""
    recipe = model["recipe"]
    return Preprocess(tuple(recipe["image_size"]), recipe["upsampling"])


def without_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """The same model with random weights instead of those from elsewhere."""
    if "weights" not in model.get("reid", {}):
        return dict(model)
    return {**model, "reid": {**model["reid"], "weights": None}}


def trained_task(content: Mapping[str, Any], trusted: Collection[str] = ()) -> Task:
    """The task that a checkpoint holds, ready for use: in evaluation mode, and nothing in it is to be trained.

    Args:
        content: of the checkpoint, see `read_checkpoint`. trusted: see `check_ours`.

    Raises:
        CheckpointError: see `check_ours`; or the weights do not fit.
    """
    model = without_weights(content["psnet"]["model"])
    check_ours(model, trusted)
    task = build_task(model)
    try:
        task.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"the weights do not fit the model that their file describes ({error})") from error
    return task.eval().requires_grad_(False)


def check_ours(model: Mapping[str, Any], trusted: Collection[str] = ()) -> None:
    """Building a model runs whatever its settings name, so a file from elsewhere may name psnet's networks alone.

    Args:
        trusted: dotted names of other classes that may be built.

    Raises:
        CheckpointError: it names something else.
    """
    for key, value in _entries(task_settings(model)):
        if isinstance(value, str) and "${" in value:
            raise CheckpointError(
                f"the model's setting {key}={value!r} is to be worked out when it is read: that would run code from "
                "elsewhere. Give a file with plain values"
            )
        if key == "_target_" and value not in OURS and value not in trusted:
            raise CheckpointError(
                f"the model is built by {value}, which is no network of psnet: that would run code from elsewhere. If "
                f"it is yours, say so in Python: trusted=[{value!r}]"
            )
        if key.startswith("_") and key != "_target_":
            raise CheckpointError(f"the model's settings have {key}={value!r}, which is none of a network")


def task_settings(model: Mapping[str, Any], replaced: Collection[str] = ()) -> dict[str, Any]:
    """What a model is, without how it was trained, and without arguments that are replaced."""
    return {key: value for key, value in model.items() if key not in NOT_OF_THE_TASK and key not in replaced}


def _entries(settings: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values at any depth; names are values too, as they may be worked out as well."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            yield "", str(name)
            yield from _entries(value, str(name))
    elif isinstance(settings, (list, tuple)):
        for value in settings:
            yield from _entries(value, key)
    else:
        yield key, settings
