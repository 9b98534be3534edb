"""How a drawn person looks: what stays the same in every picture of them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

Colour = tuple[int, int, int]

CLOTHES: dict[str, Colour] = {
    "black": (38, 38, 42),
    "white": (222, 220, 214),
    "grey": (128, 130, 134),
    "navy": (38, 52, 104),
    "blue": (62, 112, 178),
    "red": (172, 44, 48),
    "green": (62, 110, 66),
    "brown": (112, 80, 54),
}
"""So few that many people share each: only the combination with patterns, build and bags tells them apart."""

SKIN: tuple[Colour, ...] = ((236, 194, 164), (208, 158, 122), (158, 108, 76), (98, 66, 48))
HAIR: tuple[Colour, ...] = ((28, 24, 22), (78, 52, 34), (160, 118, 66), (150, 148, 146))
PATTERNS = ("plain", "plain", "stripes across", "stripes along", "checks", "dots", "print")


@dataclass(frozen=True)
class Garment:
    """colour: of the cloth. second: of its pattern. pattern: one of PATTERNS."""

    colour: Colour
    second: Colour
    pattern: str


@dataclass(frozen=True)
class Person:
    """Lengths are shares of the picture's height.

    height: head to feet. girth: 1 is average. hair: "short", "long", "bald" or "cap". sleeves and legs of upper and
    lower: how far they reach down the limb, 0 to 1. skirt: instead of legs. coat: upper reaches the thighs. bag:
    "none", "backpack", "shoulder" or "hand".
    """

    height: float
    girth: float
    skin: Colour
    hair: str
    hair_colour: Colour
    upper: Garment
    lower: Garment
    sleeves: float
    legs: float
    skirt: bool
    coat: bool
    shoes: Colour
    bag: str
    bag_colour: Colour


def draw_person(random: Random) -> Person:
    """A person by lot."""
    skirt = random.random() < 0.2
    return Person(
        height=random.uniform(0.76, 0.90),
        girth=random.uniform(0.82, 1.22),
        skin=random.choice(SKIN),
        hair=random.choice(("short", "short", "long", "bald", "cap")),
        hair_colour=random.choice(HAIR),
        upper=_garment(random, PATTERNS),
        lower=_garment(random, ("plain", "plain", "plain", "stripes along", "checks")),
        sleeves=random.choice((0.4, 1.0, 1.0)),
        legs=random.choice((0.5, 1.0, 1.0, 1.0)),
        skirt=skirt,
        coat=not skirt and random.random() < 0.2,
        shoes=random.choice(list(CLOTHES.values())),
        bag=random.choice(("none", "none", "backpack", "shoulder", "hand")),
        bag_colour=random.choice(list(CLOTHES.values())),
    )


def _garment(random: Random, patterns: tuple[str, ...]) -> Garment:
    colour, second = random.sample(list(CLOTHES.values()), 2)
    return Garment(colour, second, random.choice(patterns))
