"""What can be embedded: files, folders, patterns, and images in memory."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from psnet.data.images import ImageError, decode, upright
from psnet.data.readers.layout import is_litter, is_litter_folder
from psnet.embedder.errors import EmbedderError

Color = Literal["rgb", "bgr"]

Images: TypeAlias = "str | Path | Image.Image | NDArray[Any] | Tensor | Iterable[Any]"
"""One of these, or any number: the path of a file, of a folder (with all below it), or a pattern such as "crops/*.jpg";
a Pillow image; an array (H, W, 3) or (H, W) of bytes; a tensor (3, H, W) or (B, 3, H, W), RGB, of bytes, or of floats
in [0, 1], which are rounded to bytes."""

COLORS = ("rgb", "bgr")

MOST_BYTES = 2**29
"""Of a file that may be an image; a larger one is something else, and is not read into memory."""

NAMELESS = "image {}"
"""The name of an image in memory, by its number in a call."""


class Loaded(NamedTuple):
    """image: uint8 RGB (3, H, W). sha256: of the file's bytes, "" of an image that is no file."""

    image: Tensor
    sha256: str


@dataclass(frozen=True)
class Given:
    """One image. name: of its file, or "image 0". load: raises ImageError or OSError where it cannot be had. file: None
    of an image in memory."""

    name: str
    load: Callable[[], Loaded]
    file: Path | None = None


@dataclass(frozen=True)
class Listing:
    """Images one by one. root: the folder that their names begin in, "" where they are complete. columns: what is known
    of them, (N,) each."""

    given: Sequence[Given]
    root: str = ""
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.given)

    def rows(self, chosen: Sequence[int]) -> Listing:
        columns = {name: values[list(chosen)] for name, values in self.columns.items()}
        return Listing([self.given[row] for row in chosen], self.root, columns)


def listed(images: Images, color: Color | None = None) -> Listing:
    """All images one by one.

    Files of a folder are taken in the order of their paths, without what is no image and lies beside images
    everywhere (hidden files, notes, thumbnails' lists).

    Args:
        color: order of the last dimension of arrays, which must be said, as they do not say it themselves.

    Raises:
        EmbedderError: nothing is there, or what is given is no image.
    """
    if color is not None and color not in COLORS:
        raise EmbedderError(f"color={color!r} must be one of {', '.join(COLORS)}")
    alone = isinstance(images, (str, Path)) and Path(images).is_dir()
    found = list(_walk(images, color, below=alone))
    if not found:
        raise EmbedderError(f"there is no image in {images if isinstance(images, (str, Path)) else 'what is given'}")
    numbered = [replace(one, name=one.name or NAMELESS.format(number)) for number, one in enumerate(found)]
    return Listing(numbered, str(images) if alone else "")


def named(listing: Listing, names: Sequence[str]) -> Listing:
    """By other names.

    Raises:
        EmbedderError: they are more or fewer than the images, or one is there twice.
    """
    if len(names) != len(listing) or len(set(names)) != len(names):
        raise EmbedderError(
            f"{len(set(names)):,} different names are given for {len(listing):,} images; give each its own"
        )
    return replace(listing, given=[replace(one, name=name) for one, name in zip(listing.given, names, strict=True)])


def _walk(images: Any, color: Color | None, below: bool = False) -> Iterator[Given]:
    """below: names of files begin in the folder that is given."""
    if isinstance(images, (str, Path)):
        yield from _files(images, below)
    elif isinstance(images, Image.Image):
        yield Given("", partial(_in_memory, _of_pillow(images)))
    elif isinstance(images, np.ndarray):
        yield Given("", partial(_in_memory, _of_array(images, color)))
    elif isinstance(images, Tensor):
        yield from (Given("", partial(_in_memory, one)) for one in _of_tensor(images))
    elif isinstance(images, Iterable):
        for one in images:
            yield from _walk(one, color)
    else:
        raise EmbedderError(
            f"{type(images).__name__} is no image: give paths, Pillow images, arrays (H, W, 3) or tensors (3, H, W)"
        )


def files(paths: Sequence[Path]) -> Listing:
    """Files as they are named, each one image, whether it is there or not."""
    return Listing([_file(path, path) for path in paths])


def _files(given: str | Path, below: bool) -> Iterator[Given]:
    if not str(given).strip():
        raise EmbedderError("the path of an image is empty; give a file, a folder or a pattern")
    path = Path(given).expanduser()
    if path.is_dir():
        for file in _below(path):
            yield _file(file, file.relative_to(path) if below else file)
    elif path.exists() or not glob.has_magic(str(path)):  # one that is not there is named when it is to be read
        yield _file(path, path)
    else:
        matches = sorted(glob.glob(str(path), recursive=True))
        if not matches:
            raise EmbedderError(f"no file is named like {given}; give another pattern, or a folder")
        for match in map(Path, matches):
            yield from (_file(file, file) for file in (_below(match) if match.is_dir() else [match]))


def _below(folder: Path) -> list[Path]:
    """Links to folders are not followed: they may lead round in a circle."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_litter_folder(name)]
        found += [Path(root, name) for name in files if not is_litter(name)]
    return sorted(found, key=lambda file: file.as_posix())


def _file(path: Path, name: Path) -> Given:
    text = os.fsencode(name.as_posix()).decode("utf-8", "backslashreplace")  # names need not be text
    return Given(text, partial(_read, path), path)


def _read(path: Path) -> Loaded:
    content = _content(path)
    return Loaded(decode(content), hashlib.sha256(content).hexdigest())


def sha256_of(file: Path | None) -> str | None:
    """sha256 of its bytes, in hex; None of no file, and of one that cannot be read, which is told when it is to be
    embedded."""
    try:
        return None if file is None else hashlib.sha256(_content(file)).hexdigest()
    except (ImageError, OSError):
        return None


def _content(path: Path) -> bytes:
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # reading it might wait for ever
        raise ImageError("no file, but a pipe or a device")
    if status.st_size > MOST_BYTES:
        raise ImageError(f"{status.st_size / 2**20:,.0f} MiB, more than the {MOST_BYTES // 2**20} of an image")
    return path.read_bytes()


def _in_memory(image: Tensor | ImageError) -> Loaded:
    if isinstance(image, ImageError):
        raise image
    return Loaded(image, "")


def _of_pillow(image: Image.Image) -> Tensor | ImageError:
    """Read now, as Pillow reads files late, and not by several threads at once."""
    try:
        return upright(image)
    except ImageError as error:
        return error


def _of_array(array: NDArray[Any], color: Color | None) -> Tensor:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise EmbedderError(
            f"an array of {array.dtype} {array.shape} is no image; give bytes (uint8) of shape (H, W, 3), or (H, W)"
        )
    if 0 in array.shape:
        raise EmbedderError(f"an array of shape {array.shape} is an empty image")
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    elif color is None:
        raise EmbedderError(
            'an array does not say in which order its colours are: give color="rgb", or color="bgr" as OpenCV has them'
        )
    elif color == "bgr":
        array = array[:, :, ::-1]
    return torch.from_numpy(array.copy()).permute(2, 0, 1)  # the next frame may come in the same memory


def _of_tensor(images: Tensor) -> Iterator[Tensor]:
    if images.ndim not in (3, 4) or images.shape[-3] != 3 or 0 in images.shape[-2:]:
        raise EmbedderError(f"a tensor of shape {tuple(images.shape)} is no image; give (3, H, W) or (B, 3, H, W), RGB")
    if images.dtype.is_floating_point:
        low, high = (float(value) for value in images.detach().float().aminmax()) if images.numel() else (0.0, 0.0)
        if not (low >= 0 and high <= 1):
            raise EmbedderError(f"a tensor of floats from {low:g} to {high:g} is no image; give values in [0, 1]")
        images = (images.detach().float() * 255).round().to(torch.uint8)
    elif images.dtype != torch.uint8:
        raise EmbedderError(f"a tensor of {images.dtype} is no image; give bytes (uint8), or floats in [0, 1]")
    yield from (images if images.ndim == 4 else images[None]).cpu().clone()


def reason(error: Exception) -> str:
    """Why an image cannot be had, without its path."""
    if isinstance(error, ImageError):
        return str(error)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
