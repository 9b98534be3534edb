"""Pictures of a gallery's images: the very files that it was made of, and nothing else that lies on the disk."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from torch import Tensor

from psnet.data.images import Filter, ImageError, decode, resize, to_pillow
from psnet.gallery import Gallery
from psnet.gallery.gallery import ROOT
from psnet.serving.errors import Refused
from psnet.serving.limits import Limits

SHOWN = 512
"""Of the longer side of a picture beside a result, pixels at most."""

FEW = 2**16
"""Pixels up to which a picture is sent without loss: crops whose poverty must be seen as it is."""

GONE = "{}: its file is not there any more, or has changed since it was added to the gallery"


class Pictures:
    """
    Args:
        folders: whose files alone may be read; none for the folder that each image was added from.
    """

    def __init__(self, gallery: Gallery, limits: Limits, folders: Sequence[Path] = ()) -> None:
        self._gallery, self._limits = gallery, limits
        self._folders = [folder.resolve() for folder in folders]

    def image(self, id: str) -> Tensor:
        """uint8 RGB (3, H, W) of an image of the gallery.

        Raises:
            Refused: there is none of this id, or its file is gone, has changed, lies elsewhere or cannot be read.
        """
        row = self._gallery.row(id)
        if row is None:
            raise Refused(404, f"the gallery has no image {id[:40]!r}")
        try:
            return decode(self._content(row), self._limits.pixels)
        except OSError as error:
            raise Refused(404, GONE.format(row["path"])) from error
        except ImageError as error:
            raise Refused(404, f"{row['path']}: {error}") from error

    def _content(self, row: Mapping[str, Any]) -> bytes:
        """By the digest these are the bytes that were added, whatever may have been put in their place."""
        root = Path(row[ROOT]).resolve(strict=True)
        file = Path(row[ROOT], row["path"]).resolve(strict=True)
        if not any(file.is_relative_to(folder) for folder in self._folders or (root,)):
            raise Refused(404, f"{row['path']}: its file lies outside of the folders that are shown")
        if not file.is_file() or file.stat().st_size > self._limits.bytes:
            raise Refused(404, f"{row['path']}: no file, or a larger one than is shown")
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise Refused(404, GONE.format(row["path"]))
        return content


def shrunk(image: Tensor, longest: int) -> Tensor:
    """uint8 RGB (3, H, W), so that its longer side has so many pixels at most."""
    share = longest / max(image.shape[1:])
    if share >= 1:
        return image
    height, width = (max(1, round(share * side)) for side in image.shape[1:])
    return resize(image, (height, width), Filter.BILINEAR)


def encoded(image: Tensor, longest: int | None = None) -> tuple[bytes, str]:
    """An image as a file, made anew so that nothing but pixels is passed on, and its media type.

    Args:
        image: uint8 RGB (3, H, W). longest: pixels of its longer side at most.
    """
    picture = to_pillow(image if longest is None else shrunk(image, longest))
    small = picture.width * picture.height <= FEW
    file = BytesIO()
    picture.save(file, "PNG" if small else "JPEG", quality=92)
    return file.getvalue(), "image/png" if small else "image/jpeg"


def data_uri(image: Tensor) -> str:
    content, kind = encoded(image, SHOWN)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
