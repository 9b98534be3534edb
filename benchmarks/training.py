"""A step of the whole method, from its plain form to the default, change by change: python -m benchmarks.training

Plain is how the method is first written down: float32, planes in memory one after the other, each operation by itself,
and gradients for the teacher that nobody uses. All forms start from the same weights and see the same batches; they
take turns, and ratios are those of a round. Memory is measured in a process for each.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.forms import FORMS, LR, PLAIN, Form, Step, batches, settings
from benchmarks.machine import machine, ratios
from psnet.callbacks.memory import peak_bytes
from psnet.data.dataset import PairBatch

WARM_UP = 1
"""Steps of each form that do not count: libraries choose their ways, and torch.compile compiles."""


def times_of(steps: dict[str, Step], batch: PairBatch, rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, by form, one of each in a round."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(WARM_UP + rounds):
        for name, step in steps.items():
            begun = time.perf_counter()
            step(batch)
            if number >= WARM_UP:
                times[name].append(time.perf_counter() - begun)
            tell(f"round {number} of {rounds}, {name}")
    return times


def memory_of(name: str, given: argparse.Namespace) -> float:
    """GiB that steps of a form take beyond the networks, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", "--alone", name, "--batch", str(given.batch)]
    ran = subprocess.run([*command, "--model", given.model], check=True, capture_output=True, text=True)
    return float(json.loads(ran.stdout.splitlines()[-1]))


def alone(name: str, given: argparse.Namespace) -> None:
    model = settings(given.model)
    step, (batch,) = Step(FORMS[name], model), batches(1, given.batch, model["recipe"]["image_size"])
    gc.collect()
    before = peak()
    for _ in range(2):
        step(batch)
    print(json.dumps(peak() - before))


def peak() -> float:
    return (peak_bytes(torch.device("cpu")) or math.nan) / 2**30


def losses(
    forms: dict[str, Form], model: dict[str, Any], seen: list[PairBatch], lr: float = LR
) -> dict[str, list[float]]:
    """Of each step of a short training."""
    found = {}
    for name, form in forms.items():
        step = Step(form, model, lr)
        found[name] = [step(batch) for batch in seen]
        tell(f"losses, {name}")
    return found


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest relative difference."""
    return max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))


def flops_of(step: Step, batch: PairBatch) -> float:
    """Of one step, two for a multiply-add, as they are computed: a form that computes twice has more."""
    with FlopCounterMode(display=False) as counter:
        step(batch)
    return float(counter.get_total_flops())


def peak_flops(dtype: torch.dtype, side: int = 3072) -> float:
    """A second, of the best of some large matrix products."""
    one, other = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
    best = math.inf
    for _ in range(6):
        begun = time.perf_counter()
        one @ other
        best = min(best, time.perf_counter() - begun)
    return 2 * side**3 / best


def tell(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{what}", end="", file=sys.stderr, flush=True)


def print_table(given: argparse.Namespace, model: dict[str, Any]) -> None:
    names = [name for name in FORMS if name not in given.without]
    memory = {name: memory_of(name, given) for name in names}
    whole = memory["plain"] or math.nan  # small networks take less than Python had before
    peaks = {False: peak_flops(torch.float32), True: peak_flops(torch.bfloat16)}
    steps = {name: Step(FORMS[name], model) for name in names}
    (batch,) = batches(1, given.batch, model["recipe"]["image_size"])
    times = times_of(steps, batch, given.rounds)
    print(f"products of matrices: {peaks[False] / 1e9:,.0f} GFLOP/s in float32, {peaks[True] / 1e9:,.0f} in bf16")
    columns = f"{'s/step':>8}{'GiB':>7}{'of plain':>10}{'GFLOP':>8}{'of peak':>9}"
    print(f"{'':32}{'times as fast, median (range)':>32}{columns}")
    for name, own in times.items():
        seconds = sorted(own)[len(own) // 2]
        taken = f"{seconds:8.2f}{memory[name]:7.2f}{memory[name] / whole:10.0%}"
        print(f"{name:32}{ratios(times['plain'], own):>32}{taken}", end="")
        if FORMS[name].compiled:  # what is compiled cannot be counted
            print(f"{'-':>8}{'-':>9}")
        else:
            counted = flops_of(steps[name], batch)
            print(f"{counted / 1e9:8,.0f}{counted / seconds / peaks[FORMS[name].bf16]:9.0%}", flush=True)


def print_losses(given: argparse.Namespace, model: dict[str, Any]) -> None:
    compared = {
        "plain": PLAIN,
        # how far trainings come apart by rounding alone: triplets and ReLUs have kinks, and steps build on each other
        "plain, weights changed by 1e-7": replace(PLAIN, jolted=True),
        "the default in float32": Form(bf16=False),
        "the default": Form(),
    }
    found = losses(compared, model, batches(given.losses, given.batch, model["recipe"]["image_size"]))
    plain = found.pop("plain")
    print(f"losses of {given.losses} steps, plain {plain[0]:.4f} to {plain[-1]:.4f}; apart, of the loss:")
    for name, own in found.items():
        print(f"{name:32}first step {apart(own[:1], plain[:1]):.1e}, any step {apart(own, plain):.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ps_hrnet", help="a name of conf/model, with a teacher")
    parser.add_argument("--batch", type=int, default=8, help="images, an even number")
    parser.add_argument("--rounds", type=int, default=5, help="0: losses alone")
    parser.add_argument("--losses", type=int, default=20, help="steps over which losses are compared; 0: none")
    parser.add_argument("--without", nargs="*", default=[], choices=FORMS, help="forms to leave out")
    parser.add_argument("--alone", choices=FORMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        alone(given.alone, given)
        return
    model = settings(given.model)
    size = model["recipe"]["image_size"]
    print(f"{machine()}; {torch.get_num_threads()} threads")
    print(f"{given.model}, batches of {given.batch} at {size[0]} x {size[1]}, {given.rounds} rounds", flush=True)
    if given.rounds:
        print_table(given, model)
    if given.losses:
        print_losses(given, model)


if __name__ == "__main__":
    main()
