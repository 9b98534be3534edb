"""Kill a run again and again: it must end where one that was never killed ends. python -m benchmarks.crashes

A small run of all phases is trained without a break. Then the same run is killed with -9 at random moments, every
fourth time while a checkpoint is being written, and started by the same command until it ends; in as many runs as it
takes for the kills asked for. Compared are weights and optimiser, figures, every row of the logs but their times, and
the number of W&B runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import machine
from psnet.checkpoint import CHECKPOINT

ROOT = Path(__file__).parents[1]

PHASES = ("teacher", "sr_start", "student")

SETTINGS = [
    "model=ps_hrnet_demo",
    "dataset.source.reader.identities=10",
    "dataset.source.reader.height=64",
    "dataset.source.reader.width=32",
    "dataset.source.protocol.train_identities=4",
    "loader.workers=0",
    "untrained=false",
]
for recipe in ("model.recipe", "model.teacher.recipe", "model.sr_start.recipe"):
    SETTINGS += [f"{recipe}.image_size=[64,32]", f"{recipe}.batch.identities=4", f"{recipe}.batch.images=2"]
    SETTINGS += [f"{recipe}.epochs=4", f"{recipe}.validate_every=2"]

OF_TIME = ("train/images_per_s", "train/data_wait", "train/memory_gib")
"""Columns of a log that no two runs have alike."""

LIFE = 0.6
"""Of the time that a run without a break takes, the longest that one is let live."""

COMPARED = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")


class Run:
    """A run of all phases in a folder of its own, by a command that is the same however often it is started."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder = folder
        where = [f"hydra.run.dir={folder / 'run'}", f"phases_dir={folder / 'phases'}"]
        drawn = f"dataset.source.reader.root={folder.parent / 'drawn'}"
        self.command = [sys.executable, "train.py", "resume=auto", *SETTINGS, drawn, *where, *more]
        folder.mkdir(parents=True)

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text(errors="replace")

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(self.command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)

    def place(self, phase: str) -> Path:
        """The folder of a phase, or of the run itself."""
        if phase == "student":
            return self.folder / "run"
        return next((self.folder / "phases").glob(f"*-{phase}-*"), self.folder / "phases" / phase)

    def kept(self, phase: str) -> Path:
        """The checkpoint of a phase that has ended."""
        return self.place(phase) / (CHECKPOINT if phase == "student" else "model.ckpt")

    def where(self) -> str:
        """What it was at, by what it has left."""
        for phase in PHASES:
            if phase == "student" or not self.kept(phase).is_file():
                break
        last = self.place(phase) / CHECKPOINT
        epochs = torch.load(last, weights_only=True)["epoch"] + 1 if last.is_file() else 0
        return f"{phase}, {epochs} epochs kept"

    @property
    def writes(self) -> bool:
        """A checkpoint is half written."""
        return any(self.folder.glob("**/.*.ckpt.*.part"))


def differences(run: Run, unbroken: Run) -> Iterator[str]:
    """What a run has left otherwise than it should."""
    for phase in PHASES:
        one, other = (torch.load(of.kept(phase), weights_only=True) for of in (run, unbroken))
        yield from (f"{phase}: {part}" for part in COMPARED if not same(one[part], other[part]))
        if log_of(run.place(phase)) != log_of(unbroken.place(phase)):
            yield f"{phase}: log"
        if len({path.name.split("-")[3] for path in run.place(phase).glob("wandb/offline-run-*")}) > 1:
            yield f"{phase}: several W&B runs"
    one, other = (json.loads((of.folder / "run" / "metrics.json").read_text())["metrics"] for of in (run, unbroken))
    if one != other:
        yield "figures"


def same(one: Any, other: Any) -> bool:
    """Bit for bit, of nested values."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def log_of(folder: Path) -> list[dict[str, str]]:
    """The rows, but for the columns in `OF_TIME`."""
    with (folder / "log" / "metrics.csv").open(newline="") as lines:
        return [{key: value for key, value in row.items() if key not in OF_TIME} for row in csv.DictReader(lines)]


def lives_for(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it is still there after so long."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def kill(run: Run, process: subprocess.Popen[bytes], number: int, begun: float) -> bool:
    """Kill it now, or every fourth time when it next writes a checkpoint; False if it has ended before."""
    while number % 4 == 0 and not run.writes and process.poll() is None:
        time.sleep(0.001)
    if process.poll() is not None:
        return False
    process.kill()
    process.wait()
    writing = ", a checkpoint half written" if run.writes else ""
    print(f"kill {number:2} after {time.perf_counter() - begun:4.1f} s: {run.where()}{writing}", flush=True)
    return True


def kill_runs(unbroken: Run, lasts: float, number: int, seed: int) -> int:
    """Kill runs beside one that had no break and lasted so many seconds; how many ended otherwise."""
    draw, kills, runs, wrong = random.Random(seed), 0, 0, 0
    while kills < number:
        runs, run = runs + 1, Run(unbroken.folder.parent / f"killed{runs + 1}")
        process, begun = run.start(), time.perf_counter()
        while kills < number and lives_for(process, draw.uniform(0, LIFE * lasts)):
            if not kill(run, process, kills + 1, begun):
                break
            kills += 1
            process, begun = run.start(), time.perf_counter()
        if process.wait():
            sys.exit(run.output)
        found = list(differences(run, unbroken))
        wrong += bool(found)
        print(f"run {runs} ended: {'; '.join(found) or 'as the one without a break, bit for bit'}", flush=True)
    print(f"{kills} kills in {runs} runs, of which {wrong} ended otherwise than they should")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(machine(), f"{given.kills} kills, seed {given.seed}", sep="\n")
    with tempfile.TemporaryDirectory() as place:
        unbroken, begun = Run(Path(place) / "unbroken"), time.perf_counter()
        if unbroken.start().wait():
            sys.exit(unbroken.output)
        lasts = time.perf_counter() - begun
        print(f"without a break: {lasts:.0f} s", flush=True)
        if kill_runs(unbroken, lasts, given.kills, given.seed):
            sys.exit(1)


if __name__ == "__main__":
    main()
