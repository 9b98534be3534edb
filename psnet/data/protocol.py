"""The MLR protocol's settings: how a set of sharp images becomes one of several resolutions.

No two public generators agree on it, so this one is seeded and written down (`Manifest`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from psnet.data.degrade import INTERPOLATIONS
from psnet.data.samples import DataError, NoSuchSplit

SETTING = "dataset.source.protocol"
"""Where a user finds it; named in errors."""

VARIANTS = ("test_rates", "gallery_low_share", "degradation", "rate_per")
"""Settings of `MLRProtocol` that go beyond the paper: docs/variants.md."""


@dataclass(frozen=True)
class MLRProtocol:
    """How a set becomes an MLR set.

    Low images are those of `low_cameras`, or, where nobody recorded cameras, `low_fraction` of each person's
    images; native low images are low whatever is said here. Each that is made low draws its rate from `rates`. Query =
    the low images of the test identities, gallery = their other images.

    Args:
        low_cameras: camids whose images are made low.
        low_fraction: share of each identity's images to make low, for sets without cameras. Under published roles
            that is of its training images; all query images are made low, and none of the gallery.
        rates: down-sampling factors, drawn with equal chances.
        interpolation: of the down-sampling, a name of `psnet.data.degrade.INTERPOLATIONS`.
        seed: of rates and random splits.
        split: number of the random or published split, from 0; 0 where the set has but one.
        train_identities: how many identities train (an int, or a share of all as a float of 1 or less); None where the
            layout or its publisher fixes it, and refused there.
        sorted_identities: take the first identities by pid instead of a random draw.
        test_parts: which published parts make up the test set where roles go by resolution.
        published_roles: query and gallery are as published, not by resolution.
        distractors: keep images of nobody (pid 0) in the gallery.
        train_low_share: share of the *sharp* training images that are made low as well. For sets whose low images
            are native and have no high twin, so that L_SR has something to learn from (ours, for CAVIAR).
        test_rates: from which query and low gallery images draw instead; None: from `rates` too.
        gallery_low_share: share of the sharp gallery images that are made low as well; they stay gallery.
        degradation: "clean", down-sampling alone, or "realistic", see `psnet.data.realistic`.
        rate_per: "image", or "identity": one rate for all of its images (of one list of rates).
    """

    low_cameras: Sequence[int] = ()
    low_fraction: float = 0.0
    rates: Sequence[float] = (2, 3, 4)
    interpolation: str = "bicubic"
    seed: int = 0
    split: int = 0
    train_identities: int | float | None = None
    sorted_identities: bool = False
    test_parts: Sequence[str] = ("test", "query", "gallery")
    published_roles: bool = False
    distractors: bool = False
    train_low_share: float = 0.0
    test_rates: Sequence[float] | None = None
    gallery_low_share: float = 0.0
    degradation: str = "clean"
    rate_per: str = "image"

    def __post_init__(self) -> None:
        if not isinstance(self.low_cameras, (list, tuple)):
            raise DataError(f"{SETTING}.low_cameras={self.low_cameras!r} must be a list, such as [2]")
        _check_rates("rates", self.rates, "[2,3,4]")
        if self.test_rates is not None:
            _check_rates("test_rates", self.test_rates, "[8]")
        choices = {"interpolation": sorted(INTERPOLATIONS), "degradation": ["clean", "realistic"]}
        for name, known in {**choices, "rate_per": ["image", "identity"]}.items():
            if getattr(self, name) not in known:
                raise DataError(f"{SETTING}.{name}={getattr(self, name)!r} is unknown; take one of {known}")
        for name in ("low_fraction", "train_low_share", "gallery_low_share"):
            share = getattr(self, name)
            if not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise DataError(f"{SETTING}.{name}={share!r} must be a share between 0 and 1")
        wanted = self.train_identities
        if wanted is not None and type(wanted) is not int and not (isinstance(wanted, float) and 0 < wanted <= 1):
            raise DataError(
                f"{SETTING}.train_identities={wanted!r} must be a whole number of identities, or a share such as 0.5"
            )
        if type(self.split) is not int or self.split < 0:
            raise NoSuchSplit(f"{SETTING}.split={self.split!r} must be a whole number, counted from 0")


def _check_rates(name: str, rates: Any, example: str) -> None:
    if not isinstance(rates, (list, tuple)):
        raise DataError(f"{SETTING}.{name}={rates!r} must be a list, such as {example}")
    if not rates or not all(isinstance(rate, (int, float)) and rate >= 1 for rate in rates):
        raise DataError(f"{SETTING}.{name}={list(rates)} must be down-sampling factors of 1 or more, such as {example}")


def variants_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a protocol's settings, of its configuration or of itself, that go beyond the paper.

    >>> variants_of({"rates": [2, 3, 4], "test_rates": [8], "rate_per": "image"})
    {'test_rates': [8]}
    """
    defaults = {field.name: field.default for field in fields(MLRProtocol)}
    return {name: settings[name] for name in VARIANTS if settings.get(name, defaults[name]) != defaults[name]}
