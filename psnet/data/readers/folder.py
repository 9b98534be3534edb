"""People's own images: one folder per identity."""

from __future__ import annotations

import os
import re
from pathlib import Path

from psnet.data.readers.layout import (
    IMAGE_SUFFIXES,
    PARTS,
    ROOT_SETTING,
    in_order,
    is_litter_folder,
    list_files,
    list_folders,
)
from psnet.data.readers.numbering import numbered
from psnet.data.samples import NO_CAMERA, DataError, Sample, SampleSet


def read_folder(root: str | Path, camera_pattern: str | None = None) -> SampleSet:
    r"""One folder per identity, with its images at any depth below: root/anna/001.jpg.

    If the folders of root are called train, test, query or gallery, they are parts, and the identities lie
    below them: root/train/anna/001.jpg. An identity has the same pid in all parts; see `numbered` for pids.

    Args:
        camera_pattern: regular expression that is searched for in each file name; its group `camid` is the
            camera, a whole number. For 0001_c3_02.jpg: ``_c(?P<camid>\d+)_``. None: no cameras.

    Raises:
        DataError: no such folder, no identities, an identity without images, a file that is no image or lies
            outside the folder of an identity, or a file name without the camera.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(
            f"there is no folder {root}. It must hold one folder of images per identity, such as "
            f"{root / 'anna'}; set PSNET_DATA, or give {ROOT_SETTING}=PATH"
        )
    cameras = _camera_regex(camera_pattern)
    people = [(part, person) for part, base in _parts(root) for person in _identities(base)]
    if not people:
        raise DataError(f"{root} holds no folders; put the images of each identity into a folder of its own")
    pids = numbered({person.name: str(person) for _, person in people})
    samples = [
        Sample(image.relative_to(root), pids[person.name], _camid(image, cameras), part)
        for part, person in people
        for image in _images(person)
    ]
    return SampleSet(root.resolve().name, root, in_order(samples), published={})


def _parts(root: Path) -> list[tuple[str, Path]]:
    """(part, folder that holds identities)."""
    folders = list_folders(root)
    others = [folder.name for folder in folders if folder.name not in PARTS]
    if len(others) == len(folders):
        return [("", root)]
    if others:
        raise DataError(
            f"{root} holds parts ({', '.join(PARTS)}) beside another folder, {others[0]!r}; "
            "let all folders be parts, or all be identities"
        )
    _refuse_files(root)
    return [(folder.name, folder) for folder in folders]


def _identities(base: Path) -> list[Path]:
    _refuse_files(base)
    return list_folders(base)


def _refuse_files(base: Path) -> None:
    loose = list_files(base)
    if loose:
        raise DataError(f"{loose[0]} lies outside the folder of an identity; move it into one, or take it away")


def _images(person: Path) -> list[Path]:
    images: list[Path] = []
    for folder, subfolders, _ in os.walk(person, followlinks=True):
        subfolders[:] = [name for name in subfolders if not is_litter_folder(name)]
        images += list_files(Path(folder))
    for image in images:
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            raise DataError(f"{image} is no image ({', '.join(sorted(IMAGE_SUFFIXES))}); convert it, or take it away")
    if not images:
        raise DataError(f"the identity {person} has no images; add some, or take the folder away")
    return images


def _camera_regex(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise DataError(f"camera_pattern={pattern!r} is no regular expression: {error}") from error
    if "camid" not in regex.groupindex:
        raise DataError(rf"camera_pattern={pattern!r} has no group camid; write it like _c(?P<camid>\d+)_")
    return regex


def _camid(image: Path, cameras: re.Pattern[str] | None) -> int:
    if cameras is None:
        return NO_CAMERA
    match = cameras.search(image.name)
    if match is None or not re.fullmatch("[0-9]+", match["camid"] or ""):
        raise DataError(f"{image}: camera_pattern={cameras.pattern!r} finds no camera number in this name")
    return int(match["camid"])
