"""Checkpoints: written whole or not at all, and read with what they say of themselves."""

from __future__ import annotations

import errno
import logging
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import timm
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

import psnet
from psnet.atomic import WriteError, whole

log = logging.getLogger("psnet")

CHECKPOINT = "last.ckpt"

FORM = 2
"""Of what a checkpoint holds and says of itself, `Task.meta`; 0 are those from before it was numbered."""


class CheckpointError(RuntimeError):
    """A checkpoint is missing, is none of ours, or does not fit what it is wanted for."""


class OtherFormError(CheckpointError):
    """Another psnet has written it."""


class DamagedError(CheckpointError):
    """A checkpoint is there, and cannot be read as one."""


@dataclass(frozen=True)
class Begun:
    """A run that can go on, as its checkpoint says. epochs, steps: so many are done. meta: `Task.meta`."""

    file: Path
    epochs: int
    steps: int
    meta: dict[str, Any]

    def is_in(self, folder: Path) -> bool:
        """Whether the checkpoint lies there."""
        return self.file.parent.resolve() == folder.resolve()


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, syncs and renames: a run that is killed leaves the previous checkpoint whole.

    That one is kept too, see `before`, in case a disk loses what it was given.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Raises WriteError: there is no room, or the file system fails otherwise."""
        file = Path(path)
        try:
            with whole(file) as beside:
                torch.save(checkpoint, beside)
                if file.is_file():
                    with whole(before(file)) as copy:
                        _copy(file, copy)
        except (WriteError, RuntimeError) as error:  # the second is what PyTorch makes of an OSError
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else None
            reason = cause.strerror if cause else str(error).partition("\n")[0]
            there = f"the checkpoint before it is whole: {file}" if file.is_file() else "there is none before it"
            raise WriteError(
                f"no checkpoint could be written to {file} ({reason}); {there}. Make room, and go on"
            ) from error


def before(checkpoint: Path) -> Path:
    """The one that a checkpoint has replaced."""
    return checkpoint.with_name(f"{checkpoint.stem}-before{checkpoint.suffix}")


def set_aside(folder: Path, begun: Begun) -> None:
    """Take from their names the checkpoints in a run's folder that are damaged, or later than the one in it that the
    run goes on from. They stay for a look, as last-aside.ckpt, last-aside2.ckpt, ..."""
    order = (folder / CHECKPOINT, before(folder / CHECKPOINT))
    names = [file.name for file in order]
    later = order[: names.index(begun.file.name)] if begun.file.name in names else order
    for file in later:
        if file.is_file():
            os.replace(file, _free(folder))


def _free(folder: Path) -> Path:
    number = 1
    while (file := folder / f"last-aside{number if number > 1 else ''}.ckpt").exists():
        number += 1
    return file


def _copy(file: Path, copy: Path) -> None:
    try:
        os.link(file, copy)
    except OSError:  # not every file system has links
        shutil.copyfile(file, copy)


def read_begun(path: str | Path) -> Begun:
    """Raises what `read_checkpoint` does."""
    content = read_checkpoint(path)
    return Begun(Path(path), content["epoch"] + 1, content["global_step"], content["psnet"])


def newest(folder: Path) -> Begun | None:
    """What a run in this folder goes on from: its last checkpoint, or where that is damaged the one before it; None
    where it has left none.

    Raises:
        CheckpointError: all that are there are damaged, or one is whole and cannot be used.
    """
    there = [file for file in (folder / CHECKPOINT, before(folder / CHECKPOINT)) if file.is_file()]
    for file in there:
        try:
            return read_begun(file)
        except DamagedError as error:
            log.warning("%s", error)
    if there:
        raise CheckpointError(
            f"no checkpoint in {folder} can be read; remove {' and '.join(f.name for f in there)} to start anew"
        )
    return None


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
        CheckpointError: there is no such file, or it cannot be opened, was not written by psnet, or says what it is in
            another form (OtherFormError). DamagedError: it is damaged, or no file of PyTorch.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"checkpoint {file} does not exist; give the path of a .ckpt file that train.py wrote")
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which PyTorch finds where the end is missing
            raise CheckpointError(
                f"checkpoint {file} cannot be opened ({error.strerror or error}); see to it"
            ) from error
        raise DamagedError(
            f"{file} cannot be read as a checkpoint ({type(error).__name__}): it is damaged, or none. Give a .ckpt "
            "file that train.py wrote"
        ) from error
    if not isinstance(content, dict) or not content.get("psnet"):
        raise CheckpointError(f"{file} is not a checkpoint of psnet: it does not say how it was made (key 'psnet')")
    form = content["psnet"].get("form", 0)
    if form != FORM:
        raise OtherFormError(
            f"{file} says what it is in form {form}, and this psnet reads form {FORM}. Take the psnet that wrote it, "
            "or train it again"
        )
    return content


def is_checkpoint(path: str | Path) -> bool:
    """It was written by psnet, and is no other file of weights.

    Raises:
        OtherFormError: by another psnet, so that nobody knows what it was trained on.
    """
    try:
        read_checkpoint(path)
    except OtherFormError:
        raise
    except CheckpointError:
        return False
    return True


def load_part(module: nn.Module, checkpoint: dict[str, Any], part: str) -> None:
    """Load the sub-module `part` ("reid" or "sr") of a task's checkpoint into a module of the same shape."""
    state: dict[str, Tensor] = checkpoint["state_dict"]
    module.load_state_dict({k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")})
