"""The forms in which a step of the whole method can be computed, and batches for it."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.composed import composed
from psnet.assembly import build_task
from psnet.configuration import build
from psnet.data.dataset import PairBatch
from psnet.losses import batch_hard_triplet, feature_distance, restoration
from psnet.metrics import RetrievalMetric
from psnet.models import vdsr_ca
from psnet.tasks import PSHRNet

LR, MOMENTUM, DECAY = 3e-4, 0.9, 5e-4
"""Of the method's first epochs."""


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
    jolted: bool = False
    """Its weights begin with other last digits."""


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
        if form.jolted:
            jolt(self.task)
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
    cfg = composed(f"model={name}", f"+model.reid.num_classes={identities}", "model.reid.weights=null")
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
