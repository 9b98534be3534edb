"""Drawing a person in a pose, with Pillow, at several times the final size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from psnet.data.synthetic.person import Colour, Garment, Person

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """phase: of the walk, in radians. view: "front", "back" or "side". x: of the body's axis, as a share of the width.
    top: of the head, scale: of the body, lean: both as shares of the picture's height."""

    phase: float
    view: str
    x: float
    top: float
    scale: float


def draw_pose(random: Random) -> Pose:
    """A pose by lot, with the misplacement of a detector's box."""
    return Pose(
        phase=random.uniform(0, 2 * math.pi),
        view=random.choice(("front", "back", "side")),
        x=0.5 + random.uniform(-0.08, 0.08),
        top=0.06 + random.uniform(-0.04, 0.04),
        scale=random.uniform(0.92, 1.06),
    )


def draw_figure(picture: Image.Image, person: Person, pose: Pose) -> None:
    """Draw the person over the picture."""
    Figure(picture, person, pose).draw()


class Figure:
    """Places of the body, in pixels, and the order in which parts cover each other."""

    def __init__(self, picture: Image.Image, person: Person, pose: Pose) -> None:
        self.picture, self.person, self.pose = picture, person, pose
        self.pen = ImageDraw.Draw(picture)
        self.unit = picture.height * person.height * pose.scale  # length of the body
        self.x = picture.width * pose.x
        self.top = picture.height * pose.top
        narrow = 0.72 if pose.view == "side" else 1.0
        self.half = 0.125 * self.unit * person.girth * narrow  # half the width of the shoulders
        self.neck, self.hip, self.feet = (self.top + self.unit * share for share in (0.15, 0.50, 1.0))

    def draw(self) -> None:
        person, swing = self.person, math.sin(self.pose.phase)
        if person.bag == "backpack" and self.pose.view != "back":
            self._backpack(behind=True)
        self._arm(-1, swing)
        self._legs(swing)
        self._torso()
        self._arm(1, -swing)
        self._head()
        if person.bag == "backpack" and self.pose.view == "back":
            self._backpack(behind=False)
        if person.bag in ("shoulder", "hand"):
            self._hand_bag()

    def _torso(self) -> None:
        bottom = self.hip + (0.14 if self.person.coat else 0.02) * self.unit
        x, half = self.x, self.half
        outline = [
            (x - half, self.neck + 0.02 * self.unit),
            (x - 0.4 * half, self.neck),
            (x + 0.4 * half, self.neck),
            (x + half, self.neck + 0.02 * self.unit),
            (x + 0.86 * half, bottom),
            (x - 0.86 * half, bottom),
        ]
        self._cloth(outline, self.person.upper, show_print=self.pose.view == "front")

    def _legs(self, swing: float) -> None:
        person, length = self.person, self.feet - self.hip
        spread = (0.10 if self.pose.view == "side" else 0.035) * self.unit * swing
        width = 0.085 * self.unit * person.girth
        for side in (-1, 1):
            hip = (self.x + side * 0.42 * self.half, self.hip - 0.02 * self.unit)
            foot = (hip[0] + side * spread, self.feet - (0.02 * self.unit if side * swing > 0.5 else 0))
            self._limb(hip, foot, width * 0.8, person.skin)
            if not person.skirt:
                self._cloth(_strip(hip, _between(hip, foot, person.legs), width), person.lower)
            shoe = 0.035 * self.unit
            self.pen.ellipse((foot[0] - shoe, foot[1] - shoe, foot[0] + shoe, foot[1] + 0.5 * shoe), fill=person.shoes)
        if person.skirt:
            hem = self.hip + length * 0.5 * person.legs
            half = self.half
            points = [(-0.8, self.hip - 0.03 * self.unit), (0.8, self.hip - 0.03 * self.unit), (1.1, hem), (-1.1, hem)]
            self._cloth([(self.x + share * half, y) for share, y in points], person.lower)

    def _arm(self, side: int, swing: float) -> None:
        person = self.person
        reach = 0.09 if self.pose.view == "side" else 0.03
        shoulder = (self.x + side * 0.95 * self.half, self.neck + 0.045 * self.unit)
        hand = (shoulder[0] + side * 0.03 * self.unit + reach * swing * self.unit, self.neck + 0.37 * self.unit)
        width = 0.055 * self.unit * person.girth
        self._limb(shoulder, hand, width * 0.8, person.skin)
        self._cloth(_strip(shoulder, _between(shoulder, hand, person.sleeves * 0.92), width), person.upper)

    def _head(self) -> None:
        person, radius = self.person, 0.062 * self.unit
        x, y = self.x, self.top + radius * 1.15
        self._limb((x, y), (x, self.neck + 0.02 * self.unit), 0.05 * self.unit, person.skin)
        if person.hair == "long":
            self.pen.ellipse(
                (x - 1.15 * radius, y - 1.2 * radius, x + 1.15 * radius, y + 2.6 * radius), fill=person.hair_colour
            )
        back = self.pose.view == "back" and person.hair != "bald"
        self.pen.ellipse(
            (x - 0.85 * radius, y - 1.1 * radius, x + 0.85 * radius, y + 1.15 * radius),
            fill=person.hair_colour if back else person.skin,
        )
        if person.hair != "bald":
            cover = person.bag_colour if person.hair == "cap" else person.hair_colour
            self.pen.pieslice((x - radius, y - 1.25 * radius, x + radius, y + 0.9 * radius), 180, 360, fill=cover)

    def _backpack(self, behind: bool) -> None:
        half = self.half * (1.15 if behind else 0.72)
        shift = 0.8 * self.half if self.pose.view == "side" else 0.0
        box = (self.x - half + shift, self.neck + 0.03 * self.unit, self.x + half + shift, self.neck + 0.27 * self.unit)
        self.pen.rounded_rectangle(box, radius=0.03 * self.unit, fill=self.person.bag_colour)

    def _hand_bag(self) -> None:
        hanging = self.person.bag == "hand"
        x = self.x + 1.25 * self.half
        y = self.neck + (0.38 if hanging else 0.28) * self.unit
        size = 0.085 * self.unit
        if not hanging:
            start = (self.x - 0.7 * self.half, self.neck + 0.02 * self.unit)
            self.pen.line([start, (x, y)], fill=self.person.bag_colour, width=max(1, round(0.018 * self.unit)))
        self.pen.rectangle((x - 0.7 * size, y, x + 0.7 * size, y + 1.3 * size), fill=self.person.bag_colour)

    def _limb(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        self.pen.polygon(_strip(start, end, width), fill=colour)

    def _cloth(self, outline: list[Point], garment: Garment, show_print: bool = False) -> None:
        """Fill an outline with a garment; its pattern hangs on the body's axis, so that it moves with the person."""
        self.pen.polygon(outline, fill=garment.colour)
        if garment.pattern == "plain" or (garment.pattern == "print" and not show_print):
            return
        mask = Image.new("1", self.picture.size)
        ImageDraw.Draw(mask).polygon(outline, fill=1)
        cloth = Image.new("RGB", self.picture.size, garment.colour)
        self._pattern(ImageDraw.Draw(cloth), garment)
        self.picture.paste(cloth, mask=mask)

    def _pattern(self, pen: ImageDraw.ImageDraw, garment: Garment) -> None:
        width, height = self.picture.size
        step, thick = 0.055 * self.unit, max(1, round(0.022 * self.unit))
        across = [self.neck + i * step for i in range(-2, int(height / step) + 2)]
        along = [self.x + i * step for i in range(-int(width / step), int(width / step) + 1)]
        if garment.pattern in ("stripes across", "checks"):
            for y in across:
                pen.line([(0, y), (width, y)], fill=garment.second, width=thick)
        if garment.pattern in ("stripes along", "checks"):
            for x in along:
                pen.line([(x, 0), (x, height)], fill=garment.second, width=thick)
        if garment.pattern == "dots":
            for x in along:
                for y in across:
                    pen.ellipse(
                        (x - 0.55 * thick, y - 0.55 * thick, x + 0.55 * thick, y + 0.55 * thick), fill=garment.second
                    )
        if garment.pattern == "print":
            y, half = self.neck + 0.12 * self.unit, 0.5 * self.half
            pen.rectangle((self.x - half, y, self.x + half, y + 0.09 * self.unit), fill=garment.second)


def _between(start: Point, end: Point, share: float) -> Point:
    return (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))


def _strip(start: Point, end: Point, width: float) -> list[Point]:
    """The rectangle along a line."""
    length = math.dist(start, end) or 1.0
    dx, dy = (end[0] - start[0]) / length * width / 2, (end[1] - start[1]) / length * width / 2
    return [
        (start[0] - dy, start[1] + dx),
        (start[0] + dy, start[1] - dx),
        (end[0] + dy, end[1] - dx),
        (end[0] - dy, end[1] + dx),
    ]
