"""The bound: what the teachers of runs reach on sharp queries, as runs of their own."""

from __future__ import annotations

from collections.abc import Iterable

from psnet.table.runs import Run
from psnet.table.settings import key_of, settings_of


def bounds_of(runs: Iterable[Run]) -> list[Run]:
    """A run of the row "bound" for each teacher that was scored, however many students have followed it."""
    bounds: dict[tuple[str, int, int, str], Run] = {}
    for run in runs:
        if "bound" in run.metrics and "teacher" in run.record["phases"]:
            teacher = run.record["phases"]["teacher"]
            own = {"row": "bound", "model": teacher, "phases": {}, "epochs": teacher["recipe"]["epochs"], "steps": 0}
            own["origins"] = {
                setting.removeprefix("teacher."): words
                for setting, words in run.record["origins"].items()
                if setting.startswith("teacher.")
            }
            bound = Run(run.path, {**run.record, **own}, {"trained": run.metrics["bound"]})
            bounds[key_of(settings_of(bound)), run.split, run.seed, run.data_hash] = bound
    return list(bounds.values())
