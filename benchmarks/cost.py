"""Parameters and multiply-adds of every network of conf/net, as rows of a table: python -m benchmarks.cost"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.composed import composed
from psnet.configuration import build, configuration_folder

SIZES = ((256, 128), (128, 64))
"""Height and width: the method's, and that of the small recipes."""

IDENTITIES = 751
"""Of the training half of Market-1501. Each adds 513 parameters to a classifier."""


class Cost(NamedTuple):
    """parameters: a count. gmac: 10^9 multiply-adds of one image's forward pass, for each of SIZES."""

    parameters: int
    gmac: tuple[float, ...]


def names() -> list[str]:
    return sorted(file.stem for file in (Path(configuration_folder()) / "net").glob("*.yaml"))


def cost(name: str) -> Cost:
    """Of a network by its name in conf/net. Nothing is computed, as a "meta" tensor has a shape and no content."""
    network = build_network(name).eval().to("meta")
    parameters = sum(p.numel() for p in network.parameters())
    return Cost(parameters, tuple(count(network, size) for size in SIZES))


def build_network(name: str) -> nn.Module:
    node: Any = OmegaConf.to_container(composed(f"+net@network={name}").network)
    given = {"num_classes": IDENTITIES, "weights": None} if "num_classes" in node else {}
    network: nn.Module = build(node | given)
    return network


def count(network: nn.Module, size: tuple[int, int]) -> float:
    """Convolutions and matrix products, which the counter takes for two operations a multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, *size, device="meta"))
    return counter.get_total_flops() / 2 / 1e9


def row(name: str, found: Cost) -> str:
    return f"| `{name}` | {found.parameters:,} | " + " | ".join(f"{gmac:.2f}" for gmac in found.gmac) + " |"


if __name__ == "__main__":
    for each in names():
        print(row(each, cost(each)))
