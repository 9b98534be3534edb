"""The Python of docs/evaluation.md runs, from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psnet.metrics

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"


def test_its_code_runs():
    text, known = PAGE.read_text(encoding="utf-8"), {}  # type: ignore[var-annotated]
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, known)
    results: Any = known["results"]
    assert float(known["metric"].compute()["mAP"]) == psnet.metrics.summarise(results)["mAP"]
    assert known["again"].shape == (100, 1000)


def test_what_it_names_is_there():
    table = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(table))
    assert len(named) > 10
    assert [name for name in named if not hasattr(psnet.metrics, name)] == []
