"""Pixels of low images: down-sampling by a rate, with a named interpolation."""

from __future__ import annotations

from PIL import Image

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Pillow's filters; all but nearest widen with the rate, that is, they do not alias. Pillow computes them on 8-bit
images in fixed point, so their result does not depend on the machine."""


def degrade(image: Image.Image, rate: float, interpolation: str) -> Image.Image:
    """The image at (width / rate, height / rate), rounded, at least one pixel each way.

    >>> degrade(Image.new("RGB", (64, 128)), 3, "bicubic").size
    (21, 43)
    """
    size = (max(1, round(image.width / rate)), max(1, round(image.height / rate)))
    return image.resize(size, INTERPOLATIONS[interpolation])
