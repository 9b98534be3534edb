"""A model as a folder that can be kept, sent and put on a hub: weights as safetensors, settings as JSON, and a card.

Nothing in it is code, and reading it runs none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from psnet.atomic import remove_halves, whole, write_whole
from psnet.calibration.kept import NAME as THRESHOLDS
from psnet.checkpoint import FORM
from psnet.embedder.errors import EmbedderError
from psnet.engines.kept import FILES
from psnet.engines.kept import NAME as KEPT_ENGINES

WEIGHTS = "model.safetensors"
SETTINGS = "config.json"
CARD = "README.md"
TRAINED_IMAGES = "trained_images.txt"
"""The first 16 digits of sha256 of each image that the model was trained on, one a line: no evidence of what it can."""

FRONT = """---
library_name: psnet
pipeline_tag: image-feature-extraction
tags:
- person-re-identification
- super-resolution
license: other
license_name: that-of-the-data
---

"""
"""What a hub reads of a card."""


NEEDED = (WEIGHTS, SETTINGS, CARD, TRAINED_IMAGES, THRESHOLDS)


def check_folder(folder: Path) -> None:
    """That a model may be written there.

    Raises:
        EmbedderError: the folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / SETTINGS).is_file())):
        raise EmbedderError(f"{folder} is there already, and is no folder of a model; give another name")


def write_folder(content: Mapping[str, Any], folder: Path, card: str) -> None:
    """Where other weights lie, or none, the settings say just before that the rest is to come, so that what is killed
    in between is no model, nor somebody else's folder: the same command writes it.

    Args:
        content: of a checkpoint, see `read_checkpoint`. card: Markdown.

    Raises:
        EmbedderError: the folder holds something else. WriteError: a file cannot be written.
    """
    check_folder(folder)
    remove_halves(folder)
    meta = dict(content["psnet"])
    images = meta.pop("trained_images")
    weights = save({name: value.contiguous() for name, value in content["state_dict"].items()})
    if not _holds(folder, content["state_dict"]):  # else it may be its own source
        with whole(folder / WEIGHTS) as beside:
            beside.write_bytes(weights)  # save_file would let nobody else read it
            write_whole(folder / SETTINGS, json.dumps({"library_name": "psnet", "unfinished": True}) + "\n")
    write_whole(folder / TRAINED_IMAGES, "".join(f"{image}\n" for image in images))
    write_whole(folder / CARD, FRONT + card)
    write_whole(folder / SETTINGS, json.dumps({"library_name": "psnet", **meta}, indent=2) + "\n")


def _holds(folder: Path, state: Mapping[str, Tensor]) -> bool:
    """These very weights."""
    try:
        there = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError):
        return False
    return there.keys() == state.keys() and all(torch.equal(value, state[name].cpu()) for name, value in there.items())


def read_folder(folder: Path) -> dict[str, Any]:
    """What `read_checkpoint` gives of the checkpoint that the folder was made of: its "psnet" and "state_dict".

    Raises:
        EmbedderError: a file is missing, damaged or of another form.
    """
    try:
        meta = _settings(folder)
        images = (folder / TRAINED_IMAGES).read_text(encoding="ascii").split()
        state = load_file(folder / WEIGHTS)
    except EmbedderError:
        raise
    except OSError as error:
        raise EmbedderError(f"{folder} is no folder of a model ({error}); make one with psnet export") from error
    except (ValueError, SafetensorError) as error:
        raise EmbedderError(f"{folder} is damaged ({error}); make it again with psnet export") from error
    return {"psnet": {**meta, "trained_images": images}, "state_dict": state}


def _settings(folder: Path) -> dict[str, Any]:
    meta = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    if not isinstance(meta, dict) or meta.get("library_name") != "psnet":
        raise EmbedderError(f"{folder / SETTINGS} does not describe a model of psnet; make one with psnet export")
    if meta.get("unfinished"):
        raise EmbedderError(f"{folder} was not written to its end; do it again with psnet export")
    if meta.get("form") != FORM:
        raise EmbedderError(
            f"{folder} says what it is in form {meta.get('form')}, and this psnet reads form {FORM}; take the psnet "
            "that wrote it, or export the model again"
        )
    return meta


def fetch(name: str | Path, engine: str = "pytorch") -> Path:
    """The folder of a model: a local one, or fetched from the hub, or from what was fetched before.

    Args:
        engine: what is going to compute; other engines' files are not fetched, nor is any that may run code.

    Raises:
        EmbedderError: it is neither here nor there, or would be trusted too far.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    parts = str(name).split("/")
    if len(parts) != 2 or not all(parts) or str(name).startswith((".", "~")):
        raise EmbedderError(f"there is no folder {name}, nor is it a name on the hub, such as someone/ps-hrnet-market")
    if engine == "pt2":
        raise EmbedderError(
            f"{name} is on the hub, and a pt2 file may run code when it is read; give another engine, or a folder of "
            "your own"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(name), allow_patterns=[*NEEDED, *_files_of(engine)]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise EmbedderError(
            f"there is no folder {name} here, and the hub does not give {name} ({type(error).__name__}); check the "
            "name, the network, and for private models the login"
        ) from error


def _files_of(engine: str) -> list[str]:
    safe = {name: files for name, files in FILES.items() if name != "pt2"}
    wanted = list(safe) if engine == "auto" else [engine]
    files = [file for name in wanted for file in safe.get(name, ())]
    return [KEPT_ENGINES, *files] if files else []
