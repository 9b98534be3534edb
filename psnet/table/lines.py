"""From runs to lines: runs that differ in nothing but split and seed, on the same data."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from psnet.differences import differences
from psnet.table.runs import Run, place_of
from psnet.table.settings import Settings, key_of, settings_of

SHORT = 12
"""Hexadecimal digits of a hash that are shown."""

_OF_THE_RUN = {"split", "seed", "finished", "steps", "data_hash", "data_hash_in_training", "origins", "given"}
"""What differs between two runs in any case, or as a consequence."""


class Figure(NamedTuple):
    """Mean and sample standard deviation (None of one value) of `size` values."""

    mean: float
    std: float | None
    size: int


def figure(values: Sequence[float]) -> Figure | None:
    """None of no values."""
    if not values:
        return None
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Figure(float(np.mean(values)), std, len(values))


@dataclass(frozen=True, eq=False)
class Line:
    """One line of the table.

    number: in the whole table, from 1. settings: what its runs have in common. runs: by split and seed, each once;
    those of one split have one data hash.
    """

    number: int
    settings: Settings
    runs: tuple[Run, ...]

    @property
    def row(self) -> str:
        return str(self.settings["row"])

    @property
    def dataset(self) -> str:
        return str(self.settings["dataset"])

    @property
    def shots(self) -> str:
        return str(self.settings["shots"])

    @property
    def label(self) -> str:
        """The row; where that says nothing, with the model's class."""
        model = str(self.settings["model"].get("_target_", "")).rpartition(".")[2]
        return f"{self.row} ({model})" if self.row == "other" and model else self.row

    @property
    def stopped(self) -> str:
        return str(self.settings["stopped"])

    @property
    def splits(self) -> list[int]:
        return sorted({run.split for run in self.runs})

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    @property
    def hashes(self) -> dict[int, str]:
        """Data hash of each split."""
        return {run.split: run.data_hash for run in self.runs}

    @property
    def data_hash(self) -> str:
        """Of its one split, or of all its splits together. In full."""
        if len(self.hashes) == 1:
            return self.runs[0].data_hash
        text = "\n".join(f"{split} {value}" for split, value in sorted(self.hashes.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def figure(self, name: str, of: str = "trained") -> Figure | None:
        """Over the runs that have it; fractions, or decibels. of: "trained", "untrained" or "chance"."""
        return figure([run.metrics[of][name] for run in self.runs if name in run.metrics.get(of, {})])

    def rank1_per_rate(self) -> dict[float, Figure | None]:
        return self._per_rate("per_rate", lambda row: row.get("rank1"))

    def psnr_gain_per_rate(self) -> dict[float, Figure | None]:
        """Restored less bicubic, dB."""
        return self._per_rate("restoration", lambda row: row["psnr_restored"] - row["psnr_bicubic"])

    def _per_rate(self, table: str, value: Callable[[dict[str, float]], float | None]) -> dict[float, Figure | None]:
        found: dict[float, list[float]] = defaultdict(list)
        for run in self.runs:
            for row in run.metrics.get(table, ()):
                if (one := value(row)) is not None:
                    found[float(row["rate"])].append(one)
        return {rate: figure(values) for rate, values in sorted(found.items())}


def build_lines(runs: Iterable[Run], datasets: Sequence[str]) -> tuple[list[Line], list[tuple[str, str]]]:
    """The lines in the table's order, and remarks on runs found twice, each with its data set.

    Args:
        datasets: those that come first.
    """
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[key_of(settings_of(run))].append(run)
    apart, remarks = [], []
    for group in groups.values():
        single, twice = _latest(group)
        remarks += twice
        apart += _apart(single)
    order = [*datasets, *sorted({run.record["dataset"] for group in apart for run in group} - set(datasets))]

    def place(group: list[Run]) -> tuple[int, bool, int, bool, str, int]:
        settings, record = settings_of(group[0]), group[0].record
        multi, row = record["shots"] == "multi", place_of(record["row"])
        return order.index(record["dataset"]), multi, row, bool(group[0].stopped), key_of(settings), -len(group)

    return [_line(number, group) for number, group in enumerate(sorted(apart, key=place), start=1)], remarks


def _line(number: int, group: list[Run]) -> Line:
    return Line(number, settings_of(group[0]), tuple(sorted(group, key=lambda run: (run.split, run.seed))))


def _latest(group: Sequence[Run]) -> tuple[list[Run], list[tuple[str, str]]]:
    """Of runs of one split, seed and data hash the last to finish; and a remark on each that is left out for it."""
    kept: dict[tuple[int, int, str], Run] = {}
    remarks = []
    for run in sorted(group, key=lambda run: run.finished):
        key = run.split, run.seed, run.data_hash
        if key in kept:
            what = f"{run.record['row']}, split {run.split}, seed {run.seed}"
            text = f"{what} was found twice: {run.name} counts, being the later; {kept[key].name} does not."
            remarks.append((run.record["dataset"], text))
        kept[key] = run
    return list(kept.values()), remarks


def _apart(group: Sequence[Run]) -> list[list[Run]]:
    """So that in each part a split has one data hash.

    What most runs of a split stand on goes into the first part. Where a split leaves the choice, a part takes the runs
    that are most like its own in versions, revision and place.
    """
    same_data: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in group:
        same_data[run.split, run.data_hash].append(run)
    parts: list[list[Run]] = []
    for runs in sorted(same_data.values(), key=lambda runs: (-len(runs), runs[0].split, runs[0].finished)):
        free = [part for part in parts if all(run.split != runs[0].split for run in part)]
        if free:
            min(free, key=lambda part: _distance(part, runs[0])).extend(runs)
        else:
            parts.append(list(runs))
    return parts


def _distance(part: Sequence[Run], run: Run) -> tuple[int, int]:
    common = sum(1 for one, other in zip(part[0].path.parts, run.path.parts, strict=False) if one == other)
    return len(unlike(part[0], run)), -common


def unlike(one: Run, other: Run) -> dict[str, tuple[object, object]]:
    """In what two runs differ beside what differs in any case, by dotted name."""
    differ = differences(one.record, other.record)
    return {name: pair for name, pair in differ.items() if name not in _OF_THE_RUN}
