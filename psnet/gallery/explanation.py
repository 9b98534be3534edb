"""Two images and the regions that made their score, as a picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torch import Tensor

from psnet.data.images import Filter, read_image, resize, to_pillow
from psnet.embedder import Embedder
from psnet.embedder.explain import explain
from psnet.gallery.picture import GAP, PAPER, checked, save
from psnet.regions import coloured

HEIGHT, WIDEST = 512, 1024
"""Of each image as shown, pixels."""


def write_explanation(path: Path, embedder: Embedder, query: Path, match: Path) -> float:
    """Each image beside itself with its regions in colour: the stronger, the more they speak for the match.

    Args:
        path: of a PNG or JPEG.

    Returns:
        The cosine of the two.

    Raises:
        GalleryError: the path ends otherwise. ImageError, OSError: an image cannot be read. EmbedderError: see
            `explain`.
    """
    checked(path)
    images = [read_image(file) for file in (query, match)]
    maps = explain(embedder, *images)
    one, other = embedder.embed(images, progress=False).embedding
    save(path, draw(images, maps))
    return float(one @ other)


def draw(images: list[Tensor], maps: tuple[Tensor, Tensor]) -> Image.Image:
    """images: uint8 (3, H, W) of any size. maps: (h, w) in [0, 1] each."""
    cells = [cell for image, strength in zip(images, maps, strict=True) for cell in _pair(image, strength)]
    size = (GAP + sum(cell.width + GAP for cell in cells), HEIGHT + 2 * GAP)
    whole, left = Image.new("RGB", size, PAPER), GAP
    for cell in cells:
        whole.paste(cell, (left, GAP))
        left += cell.width + GAP
    return whole


def _pair(image: Tensor, strength: Tensor) -> tuple[Image.Image, Image.Image]:
    share = min(HEIGHT / image.shape[1], WIDEST / image.shape[2])
    size = (max(1, round(share * image.shape[1])), max(1, round(share * image.shape[2])))
    plain = resize(image, size, Filter.BILINEAR)
    return to_pillow(plain), to_pillow(coloured(plain, strength))
