"""Pictures inside the page: arrays to data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from psnet.report.content import Pixels, check_pixels

CROP_HEIGHT = 192
"""Crops of ranked lists are shown about 90 x 180 pixels; more would only make the file heavy."""

SMALL = 64 * 64
"""Up to this many pixels an image is kept exactly and shown with its pixels visible: it is a low one."""

JPEG_QUALITY = 85


@dataclass(frozen=True)
class Picture:
    """An image ready for the page.

    width, height: pixels of the encoded image. pixelated: to be enlarged without blur.
    """

    uri: str
    width: int
    height: int
    pixelated: bool = False


def exact(image: Pixels, *, pixelated: bool = False) -> Picture:
    """Lossless, at its own size: in comparisons compression would be taken for a fault of the network."""
    check_pixels(image, "the picture")
    return _picture(Image.fromarray(image), "png", pixelated, optimize=True)


def crop(image: Pixels) -> Picture:
    """For looking at: small images exactly, larger ones as JPEG at most CROP_HEIGHT high. Never enlarged."""
    check_pixels(image, "the crop")
    height, width = image.shape[:2]
    if height * width <= SMALL:
        return exact(image, pixelated=True)
    picture = Image.fromarray(image)
    if height > CROP_HEIGHT:
        size = max(1, round(width * CROP_HEIGHT / height)), CROP_HEIGHT
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return _picture(picture, "jpeg", False, quality=JPEG_QUALITY, optimize=True)


def _picture(image: Image.Image, kind: str, pixelated: bool, **options: int) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{data}", image.width, image.height, pixelated)
