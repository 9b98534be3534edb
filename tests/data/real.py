"""Where real data lie, for tests that count them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_set(folder: str) -> Path:
    """PSNET_DATA/folder; the test that asks is skipped, saying why, where it is not at hand."""
    data = os.environ.get("PSNET_DATA")
    if not data:
        pytest.skip("PSNET_DATA is not set: no real data to count")
    root = Path(data) / folder
    if not root.is_dir():
        pytest.skip(f"PSNET_DATA holds no {folder}")
    return root
