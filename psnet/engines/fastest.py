"""Which engine is the fastest here, among those that are exact enough here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from psnet.engines.engine import Engine

log = logging.getLogger("psnet")

Candidate = Callable[[], Engine]

ENOUGH = 1e-3
"""The largest 1 - cos of an engine that counts as exact; what bf16 makes is in docs/export.md."""

BATCH = 8
ROUNDS = 3


def fastest(candidates: Mapping[str, Candidate], exact: Engine, image_size: tuple[int, int]) -> Engine:
    """Each is run on a few drawn images, all in turn, and its best round counts. It is told what was chosen.

    Args:
        candidates: by name. One that fails, such as for a library that is not installed, is passed over, and told.
        exact: what they are compared with, and what is left where all fail. image_size: (height, width).
    """
    images = _probe(image_size)
    wanted = exact.embed(images).double()
    engines: dict[str, Engine] = {}
    for name, make in candidates.items():
        try:
            engine = make()
            away = float((1 - (engine.embed(images).double() * wanted).sum(dim=1)).max())
        except Exception as error:  # of whatever library; there are others
            log.info("engine %s: passed over, %s", name, str(error).partition("\n")[0] or type(error).__name__)
            continue
        if away <= ENOUGH:
            engines[name] = engine
        else:
            log.info("engine %s: passed over, its cosines are %.1e away here", name, away)
    if not engines:
        log.info("engine: pytorch (%s), as no other can be had", exact.precision)
        return exact
    seconds = dict.fromkeys(engines, float("inf"))
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            begun = time.perf_counter()
            engine.embed(images)
            seconds[name] = min(seconds[name], time.perf_counter() - begun)
    best = min(engines, key=lambda name: seconds[name])
    rates = ", ".join(f"{name} {BATCH / seconds[name]:.0f}" for name in sorted(engines, key=lambda n: seconds[n]))
    log.info("engine: %s (%s), the fastest here; images/s: %s", best, engines[best].precision, rates)
    return engines[best]


def _probe(size: tuple[int, int]) -> Tensor:
    """Bytes (BATCH, 3, h, w): soft clouds of colour, the same everywhere."""
    coarse = torch.rand(BATCH, 3, 8, 4, generator=torch.Generator().manual_seed(0))
    return (F.interpolate(coarse, size, mode="bilinear") * 255).round().to(torch.uint8)
