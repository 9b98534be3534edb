"""Checkpoints: written whole or not at all, and read with what they say of themselves."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import timm
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

import psnet
from psnet.atomic import whole

FORM = 1
"""Of `Task.meta`, what a checkpoint says of itself; 0 are those from before it was numbered."""


class CheckpointError(RuntimeError):
    """A checkpoint is missing, is none of ours, or does not fit what it is wanted for."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, syncs and renames: a run that is killed leaves the previous checkpoint whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with whole(Path(path)) as beside:
            torch.save(checkpoint, beside)


def versions() -> dict[str, str]:
    """Of everything that decides a result."""
    return {
        "psnet": psnet.__version__,
        "torch": str(torch.__version__),
        "pytorch-lightning": pl.__version__,
        "timm": timm.__version__,
        "python": platform.python_version(),
    }


def git_revision() -> str:
    """Of the checkout this file lies in, "-dirty" behind it if it was changed; "" where there is none."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        here = Path(__file__).parent
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint of ours; its key "psnet" holds `Task.meta`, in form `FORM`.

    Raises:
        CheckpointError: there is no such file, or it was not written by psnet, or says what it is in another form.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"checkpoint {file} does not exist; give the path of a .ckpt file that train.py wrote")
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{file} cannot be read as a checkpoint ({type(error).__name__}): it is damaged, or none. Give a .ckpt "
            "file that train.py wrote"
        ) from error
    if not isinstance(content, dict) or not content.get("psnet"):
        raise CheckpointError(f"{file} is not a checkpoint of psnet: it does not say how it was made (key 'psnet')")
    form = content["psnet"].get("form", 0)
    if form != FORM:
        raise CheckpointError(
            f"{file} says what it is in form {form}, and this psnet reads form {FORM}. Take the psnet that wrote it, "
            "or train it again"
        )
    return content


def is_checkpoint(path: str | Path) -> bool:
    """It was written by psnet, and is no other file of weights."""
    try:
        read_checkpoint(path)
    except CheckpointError:
        return False
    return True


def load_part(module: nn.Module, checkpoint: dict[str, Any], part: str) -> None:
    """Load the sub-module `part` ("reid" or "sr") of a task's checkpoint into a module of the same shape."""
    state: dict[str, Tensor] = checkpoint["state_dict"]
    module.load_state_dict({k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")})
