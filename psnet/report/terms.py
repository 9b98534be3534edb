"""The words of the report: how a metric is called, written and explained.

>>> term("rank5"), term("mAP_trapezoid"), percent(0.6139)
('Rank-5', 'mAP, trapezoid', '61.4')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EN DASH}"

_NAMED = {
    "mAP": ("mAP", "mean over the queries of AP, average precision: the mean of the precision at each match"),
    "mAP_trapezoid": (
        "mAP, trapezoid",
        "mAP by the trapezoid rule (Oxford Buildings), which averages precision over each step of recall; it "
        "differs from mAP on the same ranking, so compare like with like",
    ),
    "mINP": (
        "mINP",
        "mean inverse negative penalty: the number of matches divided by the rank of the last one found",
    ),
}
_COUNTS = {
    "queries": ("queries", "images looked for in the gallery"),
    "queries_without_match": (
        "queries without a match",
        "no valid match in the gallery; left out of the means",
    ),
}
_RANK = re.compile(r"rank([1-9]\d*)")

RANKED_LABELS = {
    "best": "Highest average precision, one query a person. What the network can do, not what it usually does.",
    "worst": "Lowest average precision, one query a person. Where it fails.",
    "random": "Drawn at random, without regard to the result. The fair sample.",
}


def is_count(key: str) -> bool:
    """Whether the metric is a number of things and no fraction."""
    return key in _COUNTS


def term(key: str) -> str:
    """The metric's name as people write it."""
    rank = _RANK.fullmatch(key)
    return f"Rank-{rank[1]}" if rank else {**_NAMED, **_COUNTS}[key][0]


def definitions(keys: Collection[str]) -> dict[str, str]:
    """Small print: what each term among the metrics means, once; Rank-k for all ranks together."""
    rank_k = "share of queries with a match among the first k gallery images"
    return {
        **({"Rank-k": rank_k} if any(_RANK.fullmatch(key) for key in keys) else {}),
        **{name: text for key, (name, text) in {**_NAMED, **_COUNTS}.items() if key in keys},
    }


def order(keys: Iterable[str]) -> list[str]:
    """Distinct metrics in reading order: ranks by number, then mAP, trapezoid, mINP, then the counts."""
    rest = [*_NAMED, *_COUNTS]

    def place(key: str) -> int:
        rank = _RANK.fullmatch(key)
        return int(rank[1]) - 10**9 if rank else rest.index(key)

    return sorted(set(keys), key=place)


def check_metrics(metrics: Mapping[str, float], owner: str) -> None:
    """Raises ValueError for a name that has no explanation here and for a fraction outside 0..1."""
    for key, value in metrics.items():
        if not (_RANK.fullmatch(key) or key in _NAMED or key in _COUNTS):
            known = ", ".join(["rank<k>", *_NAMED, *_COUNTS])
            raise ValueError(f"{owner!r} has a metric {key!r} that the report cannot explain; known: {known}")
        if not is_count(key) and (value < 0 or value > 1):
            raise ValueError(f"{owner!r}: {key} is {value}; give a fraction in 0..1, the page makes percent of it")


def check_intervals(intervals: Mapping[str, tuple[float, float]], metrics: Mapping[str, float], owner: str) -> None:
    """Raises ValueError for an interval without its figure, of a count, of low above high, or outside 0..1."""
    for key, (low, high) in intervals.items():
        if key not in metrics or is_count(key):
            raise ValueError(f"{owner!r} has an interval of {key!r}, which is no fraction among its metrics")
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"{owner!r}: the interval of {key} is {low} to {high}; give low <= high, fractions in 0..1"
            )


def decimals(value: float | None, places: int, *, sign: bool = False) -> str:
    """A number with a true minus; a dash for none, and NaN and infinity as what they are."""
    if value is None:
        return NO_VALUE
    text = f"{value:{'+' if sign else ''}.{places}f}".replace("inf", "∞").replace("+nan", "nan")
    if not text.strip("+-0."):  # no minus and no plus before zero
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def percent(fraction: float | None) -> str:
    """A fraction as percent with one decimal, the sign left to the heading."""
    return decimals(None if fraction is None else 100 * fraction, 1)


def metric_value(metrics: Mapping[str, float], key: str) -> str:
    """The metric as its table shows it."""
    value = metrics.get(key)
    return decimals(value, 0) if is_count(key) else percent(value)


def interval(intervals: Mapping[str, tuple[float, float]], key: str) -> str:
    """The metric's interval in percent, "39.8 to 44.5" with a dash; empty where there is none."""
    if key not in intervals:
        return ""
    low, high = intervals[key]
    return f"{percent(low)}\u202f{NO_VALUE}\u202f{percent(high)}"


def rate_name(rate: float | None) -> str:
    """The down-sampling rate as a label: "native" for images that are low by nature."""
    return "native" if rate is None else f"{rate:g}"
