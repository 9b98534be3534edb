"""The bound: what the teachers of runs reach on sharp queries, as runs of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from psnet.table.runs import Run
from psnet.table.settings import key_of, settings_of

SAME = "trained on the same data"
"""What a run says of a teacher that was given to it, and has seen nothing else."""


def bounds_of(runs: Iterable[Run]) -> list[Run]:
    """A run of the row "bound" for each teacher that was scored, however many students have followed it; scored
    several times, the last counts."""
    bounds: dict[tuple[str, int, int, str], Run] = {}
    for run in sorted(runs, key=lambda run: run.finished):
        if "bound" in run.metrics and "teacher" in run.record["phases"]:
            teacher = run.record["phases"]["teacher"]
            own = {"row": "bound", "model": teacher, "phases": {}, "epochs": teacher["recipe"]["epochs"], "steps": 0}
            own["ended_by_patience"] = False
            own["origins"] = {
                setting.removeprefix("teacher."): words
                for setting, words in run.record["origins"].items()
                if setting.startswith("teacher.")
            }
            own["weights"] = _weights(teacher, own["origins"])
            elsewhere = run.record["origins"].get("teacher_checkpoint", SAME)
            if elsewhere != SAME:
                own["trained_on"] = elsewhere.removeprefix("trained on ").partition(" (")[0].split(" + ")
                own["data_hash_in_training"] = ""  # not that of the run, which is all that is known
            bound = Run(run.path, {**run.record, **own}, {"trained": run.metrics["bound"]})
            bounds[key_of(settings_of(bound)), run.split, run.seed, run.data_hash] = bound
    return list(bounds.values())


def _weights(teacher: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """Where the teacher started from, in the words of a run's own weights."""
    given = (teacher.get("reid") or {}).get("weights")
    if given is None:
        return "random"
    return "ImageNet" if given == "imagenet" else origins.get("reid.weights", Path(given).name)
