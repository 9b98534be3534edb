"""Files to pixels, and pixels to another size: the same bytes as Pillow's, sooner where that is possible.

Images are uint8 RGB tensors (3, H, W), which lie in memory row by row with the three values of a pixel side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

Filter = Image.Resampling

_JPEG = b"\xff\xd8\xff"

_IN_FIXED_POINT = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
"""Where torch resizes bytes as Pillow does; elsewhere it goes by way of float32."""


def decode(path: Path) -> Tensor:
    """An image file of any kind that Pillow reads, as RGB. Transparency is left out, as Pillow does.

    JPEG takes a quarter of Pillow's time; both use libjpeg-turbo, and tests compare them.

    Raises:
        OSError: there is no such file, or it is damaged or no image; as Pillow says it.
    """
    content = path.read_bytes()
    if content.startswith(_JPEG):
        try:
            if simplejpeg.decode_jpeg_header(content)[2] in ("YCbCr", "RGB", "Gray"):
                return torch.from_numpy(simplejpeg.decode_jpeg(content)).permute(2, 0, 1)
        except ValueError:  # damaged: Pillow says how
            pass
    with Image.open(path) as image:
        return from_pillow(image.convert("RGB"))


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


def to_pillow(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def from_pillow(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def stack(images: Sequence[Tensor]) -> Tensor:
    """(N, 3, H, W), pixel by pixel in memory as they are: channels_last, as the networks like it."""
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
