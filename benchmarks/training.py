"""A step of the whole method, from its plain form to the default, change by change: python -m benchmarks.training

Plain is how the method is first written down: float32, planes in memory one after the other, each operation by itself,
and gradients for the teacher that nobody uses. All forms start from the same weights and see the same batches; they
take turns, and ratios are those of a round. Memory is measured in a process for each.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import machine, ratios
from evaluate import build_task
from psnet.callbacks.memory import peak_bytes
from psnet.configuration import build, configuration_folder
from psnet.data.dataset import PairBatch
from psnet.losses import batch_hard_triplet, feature_distance, restoration
from psnet.metrics import RetrievalMetric
from psnet.models import vdsr_ca
from psnet.tasks import PSHRNet

LR, MOMENTUM, DECAY = 3e-4, 0.9, 5e-4
"""Of the method's first epochs."""

JOLTED = "plain, weights changed by 1e-7"
"""How far two trainings come apart by rounding alone: triplets and ReLUs have kinks, and steps build on each other."""

WARM_UP = 1
"""Steps of each form that do not count: libraries choose their ways, and torch.compile compiles."""


@dataclass(frozen=True)
class Form:
    """How a step is computed."""

    teacher_graph: bool = False
    channels_last: bool = True
    bf16: bool = True
    image_by_image: bool = True
    fused: bool = True
    compiled: bool = False
    checkpointing: bool = False


PLAIN = Form(teacher_graph=True, channels_last=False, bf16=False, image_by_image=False, fused=False)
NO_GRAPH = Form(channels_last=False, bf16=False, image_by_image=False, fused=False)
FORMS = {
    "plain": PLAIN,
    "+ teacher without a graph": NO_GRAPH,
    "+ channels_last": Form(bf16=False, image_by_image=False, fused=False),
    "+ bf16": Form(image_by_image=False, fused=False),
    "+ VDSR-CA image by image": Form(fused=False),
    "+ fused optimiser: the default": Form(),
    "default, compile=true": Form(compiled=True),
    "default, checkpointing=true": Form(checkpointing=True),
}
DEFAULT = "+ fused optimiser: the default"


class Step:
    """The student, its teacher and its optimiser in one form.

    Args:
        model: resolved settings of a model with sr, reid and teacher.
    """

    def __init__(self, form: Form, model: dict[str, Any], lr: float = LR) -> None:
        self.form = form
        torch.manual_seed(0)
        own = copy.deepcopy(model)
        own["sr"] |= {"compile": form.compiled, "checkpointing": form.checkpointing}
        teacher = build(own["reid"])
        self.task: PSHRNet = build_task(own, None, RetrievalMetric(expected=1), teacher=teacher)  # type: ignore[assignment]
        self.task.log = lambda *_, **__: None  # type: ignore[method-assign]
        settle(teacher, batches(1, 8, model["recipe"]["image_size"])[0].high)
        self.teacher = teacher.requires_grad_(form.teacher_graph)
        if not form.channels_last:
            for network in (self.task, self.teacher):
                network.to(memory_format=torch.contiguous_format)
        how = {"lr": lr, "momentum": MOMENTUM, "nesterov": True, "weight_decay": DECAY}
        self.optimizer = torch.optim.SGD(self.task.parameters(), fused=form.fused, **how)

    def __call__(self, batch: PairBatch) -> float:
        """One step; its loss."""
        if not self.form.channels_last:
            batch = batch._replace(low=batch.low.contiguous(), high=batch.high.contiguous())
        with image_by_image(self.form.image_by_image):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.form.bf16):
                loss = self._as_written(batch) if self.form.teacher_graph else self.task.training_step(batch, 0)
            loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.teacher.zero_grad()
        return loss.item()

    def _as_written(self, batch: PairBatch) -> Tensor:
        """The equation, and a graph for everything in it."""
        task = self.task
        restored = task.sr(batch.low)
        student, seen = task.reid(restored), self.teacher(batch.high)
        vectors = (student.pooled, *student.branches)
        triplets = [batch_hard_triplet(x, batch.label, task.margin) for x in vectors]
        loss: Tensor = task.ce_weight * F.cross_entropy(student.logits, batch.label, label_smoothing=0.1)
        loss = loss + task.triplet_weight * sum(triplets) / len(triplets)
        loss = loss + task.sr_weight * restoration(task.normalise(restored), task.normalise(batch.high), batch.has_high)
        return loss + task.ps_weight * feature_distance(seen.compared, student.compared, batch.has_high)


@torch.no_grad()
def jolt(network: nn.Module) -> None:
    """Change weights by 1e-7 of each, what float32 has for one rounding."""
    random = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        weight.mul_(1 + 1e-7 * torch.randn(weight.shape, generator=random))


@torch.no_grad()
def settle(network: nn.Module, images: Tensor) -> None:
    """Statistics of its batch norms as after a training: without them the features of a network that was never trained
    grow without bound, and a loss that follows them tells nothing."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            layer.momentum = 1.0
    network.train()(images)
    network.eval()


@contextmanager
def image_by_image(wanted: bool) -> Iterator[None]:
    usual = vdsr_ca.LARGE
    vdsr_ca.LARGE = usual if wanted else sys.maxsize
    try:
        yield
    finally:
        vdsr_ca.LARGE = usual


def settings(name: str, identities: int = 751) -> dict[str, Any]:
    """Of a model in conf/, from random weights and without dropout, whose draws depend on the number format."""
    with initialize_config_dir(configuration_folder(), version_base="1.3"):
        cfg = compose("train", [f"model={name}", f"+model.reid.num_classes={identities}", "model.reid.weights=null"])
    cfg.model.reid.dropout = 0.0
    model: Any = OmegaConf.to_container(cfg.model, resolve=True)
    return dict(model)


def batches(number: int, size: int, image_size: Sequence[int]) -> list[PairBatch]:
    """Smooth images and their low twins, of `size` / 2 people."""
    random = torch.Generator().manual_seed(0)
    made = []
    for _ in range(number):
        coarse = torch.rand(size, 3, 16, 8, generator=random)
        high = F.interpolate(coarse, size=tuple(image_size), mode="bicubic").clamp(0, 1)
        low = F.interpolate(F.avg_pool2d(high, 3), size=tuple(image_size), mode="bilinear").clamp(0, 1)
        both = (x.contiguous(memory_format=torch.channels_last) for x in (low, high))
        label = torch.arange(size) // 2
        made.append(PairBatch(*both, torch.ones(size, dtype=torch.bool), label, torch.ones(size, dtype=torch.bool)))
    return made


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
    """Of each step of a short training. Where a form is called `JOLTED`, its weights begin with other last digits."""
    found = {}
    for name, form in forms.items():
        step = Step(form, model, lr)
        if name == JOLTED:
            jolt(step.task)
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
    compared = {"plain": PLAIN, JOLTED: PLAIN, "the default in float32": Form(bf16=False), "the default": Form()}
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
