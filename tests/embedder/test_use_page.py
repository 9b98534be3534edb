"""The Python of docs/use.md runs, from top to bottom."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from psnet.cli import main
from psnet.data.images import MOST_PIXELS

PAGE = Path(__file__).parents[2] / "docs" / "use.md"


def test_its_code_runs(
    checkpoint: Path, crops: Path, crops_again: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(checkpoint, "last.ckpt")
    for name, file in zip(("a.jpg", "b.jpg"), sorted(crops.rglob("*.*")), strict=False):
        shutil.copy(file, name)
    for side, folder in (("query", crops), ("gallery", crops_again)):
        main(["embed", str(folder), "--model", "last.ckpt", "--out", f"{side}.npz", "--names", r"^cam\d/(?P<pid>\d+)"])
    main(["calibrate", "query.npz", "gallery.npz", "--model", "last.ckpt", "--far", "0.1"])
    known: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, known)
    assert len(known["found"]) == 8
    assert known["answer"].threshold.asked == 0.1


def test_its_limits_are_those_of_the_code():
    assert f"more than {MOST_PIXELS:,} pixels" in PAGE.read_text(encoding="utf-8")
