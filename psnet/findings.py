"""All figures of a retrieval that a person is shown, with how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from psnet.metrics import (
    FALSE_ACCEPT_RATES,
    Interval,
    Progress,
    Retrieval,
    Verification,
    accept_rates,
    cmc,
    cmc_band,
    confidence_intervals,
    figures_of,
    per_group,
    summarise,
)
from psnet.metrics.verification import CURVE
from psnet.report import Band, GroupRow, Roc

Shown = TypeVar("Shown")


@dataclass(frozen=True, eq=False)
class Findings:
    """figures: see `summarise`. intervals: of 95 %, over people. verification: at `CURVE`, None where every pair is of
    one kind. groups: of the queries, by what they are grouped by and then by value; with their intervals."""

    figures: dict[str, float]
    intervals: dict[str, Interval]
    cmc: list[float]
    band: list[Interval]
    verification: Verification | None
    groups: dict[str, dict[Any, tuple[dict[str, float], dict[str, Interval]]]]

    @property
    def tar_at(self) -> dict[float, float]:
        """At `FALSE_ACCEPT_RATES`, without those that the number of pairs does not resolve."""
        if self.verification is None:
            return {}
        found = dict(zip(self.verification.far, self.verification.tar, strict=True))
        return {far: found[far] for far in FALSE_ACCEPT_RATES if found[far] == found[far]}

    def roc(self) -> Roc | None:
        """The curve, where it is known."""
        if self.verification is None:
            return None
        points = [(f, t) for f, t in zip(self.verification.far, self.verification.tar, strict=True) if t == t]
        return Roc([f for f, _ in points], [t for _, t in points], self.tar_at) if points else None

    def bands(self, name: str) -> dict[str, Band]:
        """The confidence band by a curve's name, where there is one."""
        return {name: Band([low for low, _ in self.band], [high for _, high in self.band])} if self.band else {}

    def group_rows(self) -> dict[str, list[GroupRow]]:
        return {
            name: [
                GroupRow(str(value), int(row["queries"]), shares(row), shares(ends))
                for value, (row, ends) in table.items()
            ]
            for name, table in self.groups.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Beside the figures: intervals, tar_at_far, and groups."""
        groups = {
            name: [{name: value, **row, "intervals": _lists(ends)} for value, (row, ends) in table.items()]
            for name, table in self.groups.items()
        }
        tar = {f"{far:g}": value for far, value in self.tar_at.items()}
        return {"intervals": _lists(self.intervals), "tar_at_far": tar, "groups": groups}


def _lists(intervals: Mapping[str, Interval]) -> dict[str, list[float]]:
    return {name: list(ends) for name, ends in intervals.items()}


def findings_of(
    retrieval: Retrieval, labels: Mapping[str, Tensor] | None = None, progress: Progress | None = None
) -> Findings:
    """
    Args:
        labels: (Q,) numbers each, by which the queries are grouped.
    """
    results, pid = retrieval.results, retrieval.query.pid
    own = retrieval.own_images()
    both_kinds = bool((~own.removed).any()) and len(own.row) < len(pid) * len(own.kept)
    figures = figures_of(results)
    groups: dict[str, dict[Any, tuple[dict[str, float], dict[str, Interval]]]] = {}
    for name, label in (labels or {}).items():
        groups[name] = {}
        for value, row in per_group(results, label).items():
            chosen = (label == value).cpu()
            part = {key: column[chosen] for key, column in figures.items()}
            several = _several(pid.cpu()[chosen & results.valid])
            groups[name][value] = row, confidence_intervals(part, pid.cpu()[chosen]) if several else {}
    several = _several(pid.cpu()[results.valid])
    return Findings(
        summarise(results),
        confidence_intervals(figures, pid) if several else {},
        cmc(results),
        cmc_band(results, pid) if several else [],
        accept_rates(retrieval.scores(own), own, CURVE, progress) if both_kinds else None,
        groups,
    )


def _several(pid: Tensor) -> bool:
    """Two people at least; of one alone nobody knows how far people differ."""
    return len(pid.unique()) > 1


def shares(row: Mapping[str, Shown]) -> dict[str, Shown]:
    """What is shown of a group."""
    return {name: row[name] for name in ("rank1", "rank5", "rank10", "mAP") if name in row}
