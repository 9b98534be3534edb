"""A ranked list as a picture: the image that was searched for, and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from psnet.atomic import write_whole
from psnet.data.images import ImageError, read_image, to_pillow
from psnet.gallery.errors import GalleryError
from psnet.gallery.gallery import Hit

WIDTH, HEIGHT, TEXT, GAP = 128, 256, 46, 12
"""Of an image and of what is written below it, pixels."""

ACROSS = 6
"""Images in a row."""

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}

PAPER, INK, FAINT = "#ffffff", "#1a1a1a", "#6b6b6b"


def write_picture(path: Path, query: Path, hits: Sequence[Hit]) -> Path:
    """PNG or JPEG, by the name's ending. A file that is gone leaves an empty place. Returns the path.

    Raises:
        GalleryError: another ending. WriteError: it cannot be written.
    """
    return save(checked(path), draw(query, hits))


def checked(path: Path) -> Path:
    """One that a picture can be written to.

    Raises:
        GalleryError: it ends otherwise.
    """
    if path.suffix.lower() not in FORMATS:
        raise GalleryError(f"{path} ends in {path.suffix!r}; end it in {', '.join(FORMATS)}")
    return path


def save(path: Path, picture: Image.Image) -> Path:
    """Whole or not at all. Returns the path."""
    file = BytesIO()
    picture.save(file, FORMATS[path.suffix.lower()], quality=92)
    return write_whole(path, file.getvalue())


def draw(query: Path, hits: Sequence[Hit]) -> Image.Image:
    """The query first, then the hits row by row."""
    cells = [(query, "searched for", query.name)]
    cells += [
        (Path(str(hit.columns["root"]), hit.path), f"{number}.  {hit.score:.4f}", Path(hit.path).name)
        for number, hit in enumerate(hits, 1)
    ]
    across, down = min(ACROSS, len(cells)), math.ceil(len(cells) / ACROSS)
    size = (GAP + across * (WIDTH + GAP), GAP + down * (HEIGHT + TEXT + GAP))
    whole = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(whole)
    for number, (file, title, name) in enumerate(cells):
        left = GAP + number % ACROSS * (WIDTH + GAP)
        top = GAP + number // ACROSS * (HEIGHT + TEXT + GAP)
        shown = _image(file)
        if shown is None:
            pen.rectangle((left, top, left + WIDTH - 1, top + HEIGHT - 1), outline=FAINT)
            pen.text((left + 8, top + HEIGHT // 2), "not there", FAINT, ImageFont.load_default(13))
        else:
            whole.paste(shown, (left + (WIDTH - shown.width) // 2, top + (HEIGHT - shown.height) // 2))
        pen.text((left, top + HEIGHT + 6), title, INK, ImageFont.load_default(15))
        pen.text((left, top + HEIGHT + 26), _shortened(name, pen), FAINT, ImageFont.load_default(12))
    return whole


def _image(file: Path) -> Image.Image | None:
    """As large as its place allows, and pixels as they are: what is poor looks poor."""
    try:
        return ImageOps.contain(to_pillow(read_image(file)), (WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    except (ImageError, OSError):
        return None


def _shortened(name: str, pen: ImageDraw.ImageDraw) -> str:
    """Its end, which tells files apart."""
    font = ImageFont.load_default(12)
    if pen.textlength(name, font) <= WIDTH:
        return name
    while pen.textlength(f"...{name}", font) > WIDTH:
        name = name[1:]
    return f"...{name}"
