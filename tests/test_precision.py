"""Which number format "auto" means, by what the hardware computes itself."""

from __future__ import annotations

import pytest
import torch

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
    assert resolve_precision("auto") == expected


@pytest.mark.parametrize("given", ["32-true", "16-mixed", 64, None])
def test_what_is_given_stays(given: str | int | None):
    assert resolve_precision(given) == given
