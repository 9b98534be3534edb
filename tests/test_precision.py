"""Which number format "auto" means, by what the hardware computes itself."""

from __future__ import annotations

import pytest
import torch

from psnet.models import HRNetReID
from psnet.precision import resolve_precision


@pytest.mark.parametrize(
    ("cuda", "bf16", "amx", "avx", "expected"),
    [
        (True, True, False, False, "bf16-mixed"),
        (True, False, True, True, "16-mixed"),
        (False, False, True, False, "bf16-mixed"),
        (False, False, False, True, "bf16-mixed"),
        (False, True, False, False, "32-true"),
    ],
)
def test_auto(monkeypatch: pytest.MonkeyPatch, cuda: bool, bf16: bool, amx: bool, avx: bool, expected: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    assert resolve_precision("auto", (128, 64)) == expected
    assert resolve_precision("auto", (64, 32)) == ("32-true" if amx and not cuda else expected)  # see AMX_FROM


@pytest.mark.parametrize("given", ["32-true", "16-mixed", 64, None])
def test_what_is_given_stays(given: str | int | None):
    assert resolve_precision(given, (64, 32)) == given


@pytest.mark.slow
@pytest.mark.parametrize("size", [(256, 128), (128, 64), (96, 64), (64, 32)], ids=str)
def test_what_auto_takes_computes_the_network_here(size: tuple[int, int]):
    """Near the figures of float32, and the same each time: whatever libraries and processor this machine has."""
    precision = str(resolve_precision("auto", size))
    torch.manual_seed(0)
    network = HRNetReID(4, "hrnet_w18_small", None).eval().to(memory_format=torch.channels_last)
    images = torch.rand(8, 3, *size)
    with torch.inference_mode():
        exact = network(images).pooled
        found = []
        for _ in range(3):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("bf16")):
                found.append(network(images.clone()).pooled.float())
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert (found[0] - exact).norm() < 0.03 * exact.norm()
