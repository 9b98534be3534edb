"""Neighbouring rows of the paper, run against run: is one better by more than the spread?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psnet.differences import differences
from psnet.table.lines import Figure, Line, figure
from psnet.table.runs import Run

STEPS = (("ID", "ID+SR"), ("ID+SR", "ID+SR+PS"))

_TEST = ("dataset", "protocol", "shots", "repeats", "camera_rule", "searched")
"""Settings that must be equal, or the two were not asked the same."""

_THE_STEP = ("row", "phases", "stopped", "model._target_", "model.ps_weight", "model.teacher_checkpoint")
"""Settings in which two rows differ by what they are."""

_Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Comparison:
    """Two lines of neighbouring rows.

    pairs: (run of lower, run of upper), of one split, seed and data hash. also_differ: settings that both have and
    that are not equal, (lower, upper) by dotted name.
    """

    lower: Line
    upper: Line
    pairs: tuple[tuple[Run, Run], ...]
    also_differ: Mapping[str, tuple[Any, Any]]

    def rank1(self, upper: bool) -> Figure:
        """Over the pairs."""
        found = figure([pair[upper].metrics["trained"]["rank1"] for pair in self.pairs])
        assert found is not None
        return found

    @property
    def difference(self) -> Figure:
        """Rank-1 of the upper row less that of the lower one; a fraction."""
        found = figure([_rank1(upper) - _rank1(lower) for lower, upper in self.pairs])
        assert found is not None
        return found

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean difference by Student's t; None of one pair."""
        mean, std, size = self.difference
        if std is None:
            return None
        half = t_quantile(size - 1) * std / math.sqrt(size)
        return mean - half, mean + half

    @property
    def verdict(self) -> str:
        if self.interval is None:
            return "one pair: no spread"
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "undecided"


def _rank1(run: Run) -> float:
    return float(run.metrics["trained"]["rank1"])


def t_quantile(freedom: int) -> float:
    """97.5 % quantile of Student's t.

    Closed forms of 1 and 2 degrees of freedom; beyond, the expansion of Abramowitz & Stegun, 26.7.5, which is too small
    by 0.12 % at 3 and by less than 0.04 % from 4 on.
    """
    if freedom == 1:
        return math.tan(0.475 * math.pi)
    if freedom == 2:
        return 0.95 * math.sqrt(2 / (1 - 0.95**2))
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def compare(lines: Sequence[Line]) -> list[Comparison]:
    """Each line of a row against that line of the row before which is most like it in its other settings.

    Lines whose runs stopped too early are not compared.
    """
    whole = [line for line in lines if not line.stopped and line.figure("rank1")]
    found = []
    for before, after in STEPS:
        for upper in (line for line in whole if line.row == after):
            candidates = [_comparison(lower, upper) for lower in whole if lower.row == before]
            possible = [one for one in candidates if one.pairs and _same_test(one)]
            if possible:
                found.append(min(possible, key=lambda one: (len(one.also_differ), -len(one.pairs))))
    return found


def _same_test(one: Comparison) -> bool:
    return all(one.lower.settings[key] == one.upper.settings[key] for key in _TEST)


def _comparison(lower: Line, upper: Line) -> Comparison:
    of_lower = {(run.split, run.seed, run.data_hash): run for run in lower.runs}
    pairs = [(of_lower[key], run) for run in upper.runs if (key := (run.split, run.seed, run.data_hash)) in of_lower]
    differ = differences(*_common(lower.settings, upper.settings))
    also = {name: pair for name, pair in differ.items() if name not in _THE_STEP and not name.startswith("phases.")}
    return Comparison(lower, upper, tuple(pairs), also)


def _common(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both, without what only one of them has."""
    left, right = {}, {}
    for key in one.keys() & other.keys():
        left[key], right[key] = one[key], other[key]
        if isinstance(one[key], Mapping) and isinstance(other[key], Mapping):
            left[key], right[key] = _common(one[key], other[key])
    return left, right
