"""The cost of each network: against closed forms and published figures, and as docs/networks.md has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.cost import Cost, cost, names, row

PAGE = (Path(__file__).parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def costs() -> dict[str, Cost]:
    return {name: cost(name) for name in names()}


def test_the_page_has_every_network_as_it_is(costs: dict[str, Cost]):
    rows = {found[1]: found[0] for found in re.finditer(r"^\| `(\w+)` \|.*$", PAGE, re.MULTILINE)}
    assert rows == {name: row(name, found) for name, found in costs.items()}


def test_vdsr_by_its_closed_form(costs: dict[str, Cost]):
    """Each weight of a 3x3 convolution meets each pixel once; those of the attention meet one mean."""
    convolutions = 9 * 3 * 64 + 18 * 9 * 64 * 64 + 9 * 64 * 3
    attention = 18 * (64 * 4 + 4 * 64)
    assert costs["vdsr"].parameters == convolutions
    assert costs["vdsr_ca"].parameters == 677_448
    assert costs["vdsr"].gmac == pytest.approx([convolutions * 256 * 128 / 1e9, convolutions * 128 * 64 / 1e9])
    assert costs["vdsr_ca"].gmac[0] == pytest.approx((convolutions * 256 * 128 + attention) / 1e9)
    assert costs["vdsr_ca"].gmac[0] == pytest.approx(21.9, abs=0.05)


@pytest.mark.parametrize(
    ("name", "gmac"),
    [
        ("hrnet_w32", 5.34),  # counted by other means, with normalisation
        ("resnet18", 1.81 * 256 * 128 / 224**2),  # the others' papers and torchvision's pages, at 224 x 224
        ("resnet50", 4.09 * 256 * 128 / 224**2),
        ("convnext_tiny", 4.46 * 256 * 128 / 224**2),
        ("mobilenetv3_large", 0.219 * 256 * 128 / 224**2),
    ],
)
def test_backbones_by_published_counts(costs: dict[str, Cost], name: str, gmac: float):
    """The heads differ, by some millions of multiply-adds."""
    assert costs[name].gmac[0] == pytest.approx(gmac, rel=0.015, abs=0.007)


def test_no_network_costs_nothing(costs: dict[str, Cost]):
    assert costs["none"] == Cost(0, (0.0, 0.0))
