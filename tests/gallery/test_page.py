"""The Python of docs/gallery.md runs, from top to bottom."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from psnet.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "gallery.md"


def test_its_code_runs(
    checkpoint: Path, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    files = sorted(crops.rglob("*.*"))
    shutil.copy(files[0], "far.jpg")
    names = r"_(?P<pid>c\d)s"
    main(["index", "crops", "--gallery", "crops.gallery", "--model", str(checkpoint), "--names", names])
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    capsys.readouterr()
    exec(block, {})
    assert len(capsys.readouterr().out.splitlines()) == 5
