"""What a report is made of. Plain frozen records: whoever evaluates fills them in, `page` draws them.

Every section is optional. A model that only restores has no ranking, one that only re-identifies has no
restoration, and a set of really low images has no high twin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from psnet.report.browser import Browser
from psnet.report.points import Band, Roc
from psnet.report.terms import check_intervals, check_metrics

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB image, (height, width, 3), 0..255."""

Intervals: TypeAlias = Mapping[str, tuple[float, float]]
"""(low, high) by the names of the metrics they belong to, fractions in 0..1; metrics without one are left out."""


def check_pixels(image: Pixels, what: str) -> None:
    """Raises ValueError unless `image` is a non-empty RGB image of bytes."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or image.size == 0:
        raise ValueError(
            f"{what} has shape {tuple(image.shape)} and type {image.dtype}; "
            "give (height, width, 3) of uint8, RGB in 0..255"
        )


@dataclass(frozen=True)
class Row:
    """One system in the table of results: the trained network, the untrained one, chance.

    metrics: fractions in 0..1 by the names of `terms`: "rank1", "rank5", ..., "mAP", "mAP_trapezoid",
        "mINP"; and the counts "queries", "queries_without_match". What a system lacks is left out and shown
        as a dash.
    intervals: shown beside the figures; what they are: `Report.interval_name`.
    """

    name: str
    metrics: Mapping[str, float]
    intervals: Intervals = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_metrics(self.metrics, self.name)
        check_intervals(self.intervals, self.metrics, self.name)


@dataclass(frozen=True)
class RateRow:
    """Results of the queries of one down-sampling rate; None stands for images that are low by nature.

    intervals: of the metrics, drawn as error bars.
    """

    rate: float | None
    queries: int
    metrics: Mapping[str, float]
    intervals: Intervals = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_metrics(self.metrics, f"rate {self.rate}")
        check_intervals(self.intervals, self.metrics, f"rate {self.rate}")


@dataclass(frozen=True)
class GroupRow:
    """Results of some of the queries, by a label of the caller's ("camera 3"). The rest as in RateRow."""

    label: str
    queries: int
    metrics: Mapping[str, float]
    intervals: Intervals = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_metrics(self.metrics, self.label)
        check_intervals(self.intervals, self.metrics, self.label)


@dataclass(frozen=True, eq=False)
class Crop:
    """A picture of a person and the words beneath it (pid, camid, file name)."""

    image: Pixels
    caption: str

    def __post_init__(self) -> None:
        check_pixels(self.image, f"the image of {self.caption!r}")


@dataclass(frozen=True, eq=False)
class Entry:
    """One gallery image in a ranked list. score: similarity to the query. match: the same identity."""

    crop: Crop
    score: float
    match: bool


@dataclass(frozen=True, eq=False)
class RankedList:
    """A query and the first gallery images of its ranking, best first, excluded images left out.

    ap: average precision of this query, 0..1. first_hit: rank of its first match, from 1; it may lie beyond
    the entries shown. None where unknown.

    Raises:
        ValueError: first_hit and the entries contradict each other.
    """

    query: Crop
    entries: Sequence[Entry]
    ap: float | None = None
    first_hit: int | None = None

    def __post_init__(self) -> None:
        shown = next((rank for rank, entry in enumerate(self.entries, start=1) if entry.match), None)
        beyond = self.first_hit is None or self.first_hit > len(self.entries)
        if (shown is None and not beyond) or (shown is not None and self.first_hit not in (None, shown)):
            raise ValueError(
                f"query {self.query.caption!r}: first_hit is {self.first_hit}, but the first match among its "
                f"{len(self.entries)} entries stands at {shown}; take both from the same ranking"
            )


@dataclass(frozen=True, eq=False)
class ExplainedPair:
    """Two images with the regions in colour that made their score. image: the query's. entry: the gallery image's, with
    the score. rank: its place in the ranking, from 1."""

    image: Pixels
    entry: Entry
    rank: int

    def __post_init__(self) -> None:
        check_pixels(self.image, f"the query beside {self.entry.crop.caption!r}")


@dataclass(frozen=True, eq=False)
class ExplainedQuery:
    """A query as it is, and with some gallery images of its ranking what made each score."""

    query: Crop
    pairs: Sequence[ExplainedPair]


@dataclass(frozen=True, eq=False)
class RestorationExample:
    """One image in the three or four forms that are compared.

    low: at its native size. bicubic: low, resized as the network receives it. restored: the SR network's
    output. high: the sharp twin, None where there is none; the figures are then None too. The last three have
    one size. psnr_*: dB. ssim_*: at most 1.

    Raises:
        ValueError: bicubic, restored and high differ in size.
    """

    low: Pixels
    bicubic: Pixels
    restored: Pixels
    high: Pixels | None = None
    rate: float | None = None
    caption: str = ""
    psnr_bicubic: float | None = None
    psnr_restored: float | None = None
    ssim_bicubic: float | None = None
    ssim_restored: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "bicubic", "restored", "high"):
            image = getattr(self, name)
            if image is not None:
                check_pixels(image, f"{name} of restoration {self.caption!r}")
        shapes = [image.shape[:2] for image in (self.bicubic, self.restored, self.high) if image is not None]
        if len(set(shapes)) > 1:
            raise ValueError(
                f"restoration {self.caption!r}: bicubic, restored and high have sizes {shapes}; "
                "resize them to one size, or they cannot be compared"
            )


@dataclass(frozen=True)
class RestorationRow:
    """Means over the `count` images of one rate. psnr_*: dB. ssim_*: at most 1."""

    rate: float | None
    count: int
    psnr_bicubic: float
    psnr_restored: float
    ssim_bicubic: float
    ssim_restored: float


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows.

    title, subtitle: what was evaluated. facts: what is needed to do it again (data set, protocol, data hash,
    checkpoint, network, input size, revision, versions), in the order to be shown.
    summary: the reported system first; the page's opening sentence speaks of it. interval_name: what the intervals
    of the rows and the bands are.
    cmc: curves by name, fractions at rank 1, 2, 3, ... cmc_band: by the names of cmc, for any of them.
    roc: curves by name. per_rate: table and bars. groups: likewise, by the name of what they are grouped by
    ("camera"), in the order to be shown. ap: average precision of each query that has a match, 0..1, of the
    reported system; its histogram is drawn.
    ranked: lists by label; "best", "worst" and "random" are explained on the page. regions: by the same labels,
    what made scores. browser: every query, to go through; it alone needs JavaScript. score_name: what Entry.score is.
    notes: what a reader must know to read the figures rightly (queries without a match, skipped files, "single-shot,
    mean of 100 draws").

    Raises:
        ValueError: a band without its curve or of another length, or an AP outside 0..1.
    """

    title: str
    subtitle: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    summary: Sequence[Row] = ()
    interval_name: str = "95 % confidence interval"
    cmc: Mapping[str, Sequence[float]] = field(default_factory=dict)
    cmc_band: Mapping[str, Band] = field(default_factory=dict)
    roc: Mapping[str, Roc] = field(default_factory=dict)
    per_rate: Sequence[RateRow] = ()
    groups: Mapping[str, Sequence[GroupRow]] = field(default_factory=dict)
    ap: Sequence[float] = ()
    ranked: Mapping[str, Sequence[RankedList]] = field(default_factory=dict)
    regions: Mapping[str, Sequence[ExplainedQuery]] = field(default_factory=dict)
    browser: Browser | None = None
    score_name: str = "cosine similarity"
    restoration: Sequence[RestorationExample] = ()
    restoration_table: Sequence[RestorationRow] = ()
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, band in self.cmc_band.items():
            curve = self.cmc.get(name, ())
            if len(curve) != len(band.low):
                raise ValueError(
                    f"the band {name!r} has {len(band.low)} ranks, and the CMC curve of that name {len(curve)}; "
                    f"curves: {list(self.cmc)}"
                )
        wrong = [ap for ap in self.ap if not 0 <= ap <= 1 + 1e-9]
        if wrong:
            raise ValueError(
                f"{len(wrong)} of {len(self.ap)} values of ap are no fractions in 0..1, such as {wrong[0]}; "
                "leave queries without a match out"
            )
