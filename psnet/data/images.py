"""Files to pixels, and pixels to another size: the same bytes as Pillow's, sooner where that is possible.

Images are uint8 RGB tensors (3, H, W), which lie in memory row by row with the three values of a pixel side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torch.nn import functional

Filter = Image.Resampling

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Of files, as Pillow calls them, whatever a file's name says. Others are left out, as some of Pillow's readers start
programs (EPS), and few of them are ever tried."""

MOST_PIXELS = 64 * 2**20
"""Of one image: 192 MiB of bytes. A header can declare any number, and memory is taken by what it says."""

_JPEG = b"\xff\xd8\xff"
_MARKS = (b"Exif\0\0", b"http://ns.adobe.com/xap/")
"""Of what may say how an image is turned; Pillow reads both."""

_UPRIGHT = (None, 1)
"""Values of EXIF's orientation that leave an image as it is."""

_IN_FIXED_POINT = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
"""Where torch resizes bytes as Pillow does; elsewhere it goes by way of float32."""


class ImageError(ValueError):
    """An image cannot be used. The message says what is wrong with it, in a few words."""


def read_image(path: Path) -> Tensor:
    """An image file, see `decode`.

    Raises:
        ImageError: as `decode`, with the path. OSError: it cannot be read.
    """
    try:
        return decode(path.read_bytes())
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def decode(content: bytes, most_pixels: int = MOST_PIXELS) -> Tensor:
    """The bytes of a file of `FORMATS` as RGB, turned as its EXIF orientation says. Grey becomes three equal values,
    CMYK is converted without a colour profile, and transparency is left out, as Pillow does.

    JPEG takes a quarter of Pillow's time; both use libjpeg-turbo, and tests compare them.

    Raises:
        ImageError: it is empty, damaged, none of these, or has more than `most_pixels`, several frames, or grey values
            of more than 8 bits.
    """
    if not content:
        raise ImageError("empty file")
    try:
        if content.startswith(_JPEG):
            quick = _decode_jpeg(content, most_pixels)
            if quick is not None:
                return quick
        with _opened(content, most_pixels) as image:
            return upright(image)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # whatever a broken file makes of its reader
        raise ImageError(_reason(error)) from error


def upright(image: Image.Image) -> Tensor:
    """A Pillow image of any 8-bit kind, as `decode` does it.

    Raises:
        ImageError: it has several frames, or grey values of more than 8 bits, or is damaged.
    """
    _check_kind(image)
    try:
        return from_pillow(ImageOps.exif_transpose(image).convert("RGB"))
    except MemoryError:
        raise
    except Exception as error:  # a file that is read only now
        raise ImageError(_reason(error)) from error


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of what `read_image` gives, from the file's header.

    Raises:
        ImageError: it is no image that can be used, as far as its header tells. OSError: it cannot be read.
    """
    try:
        with _opened(path.read_bytes(), MOST_PIXELS) as image:
            if image.format == "TIFF":  # Pillow turns these when it loads them
                image.load()
            turned = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
            return (image.width, image.height) if turned else (image.height, image.width)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"{path}: {_reason(error)}") from error


def _decode_jpeg(content: bytes, most_pixels: int) -> Tensor | None:
    """None where it is left to Pillow: it is damaged, and Pillow says how; of four colours; or turned."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    _check_pixels(height, width, most_pixels)
    if colours not in ("YCbCr", "RGB", "Gray") or _is_turned(content):
        return None
    try:
        return torch.from_numpy(simplejpeg.decode_jpeg(content)).permute(2, 0, 1)
    except ValueError:
        return None


def _is_turned(content: bytes) -> bool:
    if not any(mark in content for mark in _MARKS):
        return False
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        return image.getexif().get(ExifTags.Base.Orientation) not in _UPRIGHT


def _opened(content: bytes, most_pixels: int) -> Image.Image:
    """Of what the header tells all is well; no pixel has been read."""
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(f"it declares too many pixels; at most {most_pixels:,} are taken") from error
    _check_pixels(image.height, image.width, most_pixels)
    _check_kind(image)
    return image


def _check_kind(image: Image.Image) -> None:
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a photo beside its preview
    if frames > 1:
        raise ImageError(f"it has {frames} frames; save the one that is meant")
    if image.mode == "F" or image.mode.startswith("I"):
        raise ImageError(f"its grey values have more than 8 bits (Pillow's mode {image.mode}); save it with 8")


def _check_pixels(height: int, width: int, most: int) -> None:
    if height * width > most:
        raise ImageError(f"it declares {width:,} x {height:,} pixels; at most {most:,} are taken")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"  # Pillow's own words name a memory address
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def resize(image: Tensor, size: tuple[int, int], filter: Filter) -> Tensor:
    """To size (height, width), as Pillow does it: filters widen where the image gets smaller, so nothing aliases."""
    if tuple(image.shape[1:]) == tuple(size):
        return image
    if filter is Filter.BILINEAR and _IN_FIXED_POINT and _weights_are_exact(image, size):
        return functional.interpolate(stack([image]), size, mode="bilinear", antialias=True)[0]
    return from_pillow(to_pillow(image).resize((size[1], size[0]), filter))


def _weights_are_exact(image: Tensor, size: tuple[int, int]) -> bool:
    """Torch keeps a filter's weights to 15 bits or so, Pillow to 22. Enlarged to a power of two, n, by a linear filter,
    they are multiples of 1 / 2n, which both have without rounding."""
    larger = all(new >= old for new, old in zip(size, image.shape[1:], strict=True))
    return larger and all(new & (new - 1) == 0 and new <= 1024 for new in size)


def as_unit(images: Tensor) -> Tensor:
    """float32 in [0, 1] of bytes, of any shape; others stay as they are."""
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def to_pillow(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def from_pillow(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def stack(images: Sequence[Tensor]) -> Tensor:
    """(N, 3, H, W), pixel by pixel in memory as they are: channels_last, as the networks like it."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
