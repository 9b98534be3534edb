"""Where a drawn picture is taken, and by what: background, light, colour cast, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from psnet.data.synthetic.person import Colour


@dataclass(frozen=True)
class Camera:
    """ground, wall: colours of its scene. horizon: height of the wall's foot, as a share of the picture. cast: gain of
    each channel. gamma: of the brightness. blur: radius, as a share of the height. noise: standard deviation in grey
    levels."""

    ground: Colour
    wall: Colour
    horizon: float
    cast: tuple[float, float, float]
    gamma: float
    blur: float
    noise: float


def draw_camera(random: Random) -> Camera:
    """A camera by lot."""

    def tone(low: int, high: int) -> Colour:
        grey = random.randint(low, high)
        r, g, b = (min(255, max(0, grey + random.randint(-18, 18))) for _ in range(3))
        return (r, g, b)

    return Camera(
        ground=tone(90, 160),
        wall=tone(110, 200),
        horizon=random.uniform(0.25, 0.6),
        cast=(random.uniform(0.82, 1.15), random.uniform(0.88, 1.08), random.uniform(0.80, 1.18)),
        gamma=random.uniform(0.75, 1.35),
        blur=random.uniform(0.001, 0.004),
        noise=random.uniform(2.0, 6.0),
    )


def draw_background(camera: Camera, size: tuple[int, int], random: Random) -> Image.Image:
    """Its scene, with clutter that changes from picture to picture. size: (width, height)."""
    width, height = size
    picture = Image.new("RGB", size, camera.wall)
    pen = ImageDraw.Draw(picture)
    horizon = height * (camera.horizon + random.uniform(-0.05, 0.05))
    for _ in range(random.randint(1, 4)):
        x, w, h = random.uniform(-0.3, 1) * width, random.uniform(0.1, 0.5) * width, random.uniform(0.1, 0.5) * height
        shade = random.randint(-35, 35)
        pen.rectangle((x, horizon - h, x + w, horizon), fill=tuple(min(255, max(0, c + shade)) for c in camera.wall))
    pen.rectangle((0, horizon, width, height), fill=camera.ground)
    for _ in range(random.randint(0, 3)):
        y, shade = random.uniform(horizon, height), random.randint(-25, 25)
        pen.line([(0, y), (width, y + 0.1 * height)], fill=tuple(c + shade for c in camera.ground), width=height // 40)
    return picture


def take_picture(scene: Image.Image, camera: Camera, size: tuple[int, int], random: Random) -> Image.Image:
    """The scene as the camera records it. size: (width, height).

    Everything after the resize is arithmetic on tables and integers, so the pixels are the same on every machine.
    """
    blurred = scene.filter(ImageFilter.BoxBlur(camera.blur * scene.height))
    small = blurred.resize(size, Image.Resampling.BOX)
    light = random.uniform(0.88, 1.12)
    tables = []
    for gain in camera.cast:
        tables += [min(255, round(255 * min(1.0, (i / 255) ** camera.gamma * gain * light))) for i in range(256)]
    graded = np.asarray(small.point(tables), dtype=np.int16)
    bits = np.random.Generator(np.random.PCG64(random.getrandbits(64)))
    # the sum of four uniform integers: nearly normal, and exact
    grains = bits.integers(-1000, 1001, (4, *graded.shape)).sum(0)
    noise = np.rint(grains * (camera.noise / 1155)).astype(np.int16)  # 1155: their standard deviation
    return Image.fromarray(np.clip(graded + noise, 0, 255).astype(np.uint8))
