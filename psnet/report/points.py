"""What curves are made of, beside the plain fractions of a CMC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Band:
    """Confidence band of a CMC curve: fractions at rank 1, 2, 3, ..., as many as the curve has.

    Raises:
        ValueError: low and high differ in length, or low exceeds high, or they leave 0..1.
    """

    low: Sequence[float]
    high: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high):
            raise ValueError(
                f"a band has {len(self.low)} low and {len(self.high)} high values; give one of each a rank"
            )
        for rank, (low, high) in enumerate(zip(self.low, self.high, strict=True), start=1):
            if not -1e-9 <= low <= high <= 1 + 1e-9:
                raise ValueError(
                    f"a band runs from {low} to {high} at rank {rank}; give low <= high, fractions in 0..1"
                )


@dataclass(frozen=True)
class Roc:
    """Verification: is a pair one person? Share of accepted true pairs against share of accepted false ones.

    far, tar: (N,) points of the curve, both non-decreasing fractions in 0..1. A FAR of 0 may come first. A thousand
    points draw as well as a million; thin them out. tar_at: the true accept rate at false accept rates, for the table,
    which has 1e-4, 1e-3, 1e-2 and 1e-1; a rate that the number of pairs does not resolve is left out and shown as a
    dash.

    Raises:
        ValueError: no curve, or a point outside 0..1, or falling; or tar_at contradicts the curve.
    """

    far: Sequence[float]
    tar: Sequence[float]
    tar_at: Mapping[float, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = list(zip(self.far, self.tar, strict=False))
        if len(self.far) != len(self.tar) or not points:
            raise ValueError(
                f"a ROC curve has {len(self.far)} FAR and {len(self.tar)} TAR values; give one of each a point"
            )
        before = (0.0, 0.0)
        for far, tar in points:
            if not (before[0] - 1e-9 <= far <= 1 + 1e-9 and before[1] - 1e-9 <= tar <= 1 + 1e-9):
                raise ValueError(
                    f"a ROC curve goes from FAR, TAR = {before} to {(far, tar)}; give fractions in 0..1 in order of "
                    "falling threshold, so that neither falls"
                )
            before = (far, tar)
        for far, tar in self.tar_at.items():
            least = max((y for x, y in points if x <= far), default=0.0)
            most = min((y for x, y in points if x > far), default=1.0)
            if not least - 1e-6 <= tar <= most + 1e-6:
                raise ValueError(
                    f"TAR {tar} at FAR {far} does not lie on its curve, which is between {least} and {most} there; "
                    "take both from the same scores"
                )
