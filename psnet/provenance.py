"""What a checkpoint was trained on, against what it is asked to find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psnet.data.manifest import Manifest
from psnet.data.protocol import SETTING
from psnet.data.samples import DataError

ALLOW = "allow_trained_images"
"""The setting by which a user scores images that were trained on; named in errors."""


def check_trained_images(meta: Mapping[str, Any], manifest: Manifest, allow: bool, who: str = "the checkpoint") -> None:
    """Refuse to search for images that were trained on: the figures would say nothing of other images.

    Args:
        meta: of the checkpoint.
        manifest: of the evaluation. allow: do not refuse; `notes_on_training` then says it.
        who: was trained on them, in the error's words.

    Raises:
        DataError: how many, and the first.
    """
    seen = manifest.trained_on(meta["trained_images"])
    if seen and not allow:
        raise DataError(
            f"{_counted(manifest, len(seen))} were trained on by {who}, e.g. {seen[0].path}: figures on them would be "
            f"too good. Take the split that it was trained with ({SETTING}.split), another set, or a model trained on "
            f"other people; or say {ALLOW}=true"
        )


def notes_on_training(meta: Mapping[str, Any], name: str, manifest: Manifest) -> list[str]:
    """What a reader of the figures must know of the data, a sentence or two each; nothing where both are the same.

    Args:
        meta: of the checkpoint. name, manifest: of the data set it was scored on.
    """
    notes = []
    seen = manifest.trained_on(meta["trained_images"])
    if seen:
        notes.append(
            f"{_counted(manifest, len(seen))} were trained on, e.g. {seen[0].path} ({ALLOW}=true). "
            "The figures are too good."
        )
    if manifest.hash() in (meta["data_hash"], meta["set_hash"]):
        return notes
    trained_on = meta["dataset"]["name"]
    if trained_on != name:
        notes.append(f"A test across data sets: trained on {_trained_on(meta)}, tested on {name}.")
    elif meta["set_people"] == manifest.people_hash():
        notes.append(
            f"Trained on {_trained_on(meta)}, tested on {name} with the same training people but another protocol: "
            "roles, rates or degradation differ."
        )
    else:
        notes.append(
            f"Trained on {_trained_on(meta)}, tested on {name} with other training people: another split, or another "
            "set of that name."
        )
    return notes


def _counted(manifest: Manifest, number: int) -> str:
    every = sum(row.split != "train" for row in manifest.rows)
    return f"{number:,} of the {every:,} query and gallery images"


def _trained_on(meta: Mapping[str, Any]) -> str:
    return " + ".join([meta["dataset"]["name"], *meta["joined"]])
