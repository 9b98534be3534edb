"""The drawn set on disk: made at the first use, then read like any other."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from random import Random

from PIL import Image
from rich.console import Console
from rich.progress import track

from psnet.data.samples import DataError, Sample, SampleSet
from psnet.data.synthetic.camera import draw_background, draw_camera, take_picture
from psnet.data.synthetic.figure import draw_figure, draw_pose
from psnet.data.synthetic.person import draw_person

VERSION = 1
"""Of the drawing. Another version draws other pixels, and so gets another folder."""

OVERSIZE = 3
"""Pictures are drawn this many times larger than they are kept."""


def read_synthetic(
    root: str | Path,
    identities: int = 120,
    cameras: int = 3,
    images_per_camera: int = 4,
    height: int = 128,
    width: int = 64,
    seed: int = 0,
) -> SampleSet:
    """People who do not exist, seen by several cameras each.

    Each picture depends on (seed, pid, camid, number) and on the size alone: a smaller set is a part of a larger one.

    Args:
        root: the set lies in a folder below, named after the other arguments; it is drawn if it is not there.
        height, width: of the pictures, in pixels.

    Raises:
        DataError: an argument that leaves nothing to draw.
    """
    arguments = {"identities": identities, "cameras": cameras, "images_per_camera": images_per_camera}
    for name, value in {**arguments, "height": height, "width": width}.items():
        if value < 1:
            raise DataError(f"dataset.source.reader.{name}={value} leaves nothing to draw; give 1 or more")
    name = f"v{VERSION}-{identities}x{cameras}x{images_per_camera}-{height}x{width}-seed{seed}"
    folder = Path(root).expanduser() / name
    keys = [
        (pid, camid, number)
        for pid in range(1, identities + 1)
        for camid in range(1, cameras + 1)
        for number in range(images_per_camera)
    ]
    if not folder.is_dir():
        _draw_set(folder, keys, (width, height), seed)
    samples = tuple(Sample(_path(*key), pid=key[0], camid=key[1]) for key in keys)
    published = {"images": len(samples), "identities": identities, "cameras": cameras}
    return SampleSet("synthetic", folder, samples, published)


def _path(pid: int, camid: int, number: int) -> Path:
    return Path(f"{pid:04d}_c{camid}_{number:02d}.png")


def _draw_set(folder: Path, keys: list[tuple[int, int, int]], size: tuple[int, int], seed: int) -> None:
    """Draw beside and rename: what is there under its name is whole."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    beside.mkdir(parents=True, exist_ok=True)
    try:
        for key in track(keys, "Drawing people", console=Console(stderr=True), transient=True):
            draw_image(*key, size=size, seed=seed).save(beside / _path(*key))
        _put(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put(beside: Path, folder: Path) -> None:
    try:
        os.replace(beside, folder)
    except OSError:
        if not folder.is_dir():  # otherwise another process has just put the same set there
            raise


def draw_image(pid: int, camid: int, number: int, size: tuple[int, int], seed: int) -> Image.Image:
    """One picture of one person. size: (width, height) in pixels."""
    person = draw_person(_lot(seed, "person", pid))
    camera = draw_camera(_lot(seed, "camera", camid))
    moment = _lot(seed, "picture", pid, camid, number)
    scene = draw_background(camera, (size[0] * OVERSIZE, size[1] * OVERSIZE), moment)
    draw_figure(scene, person, draw_pose(moment))
    return take_picture(scene, camera, size, moment)


def _lot(*names: object) -> Random:
    """A generator of its own for each name, so that nothing depends on the order of drawing."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return Random(int.from_bytes(digest[:16], "big"))
