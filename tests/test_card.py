"""The card names where a network comes from and what it reaches."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from psnet.card import write_card
from tests.composed import composed

FACTS = {
    "Data set": "mlr_viper, split 0, seed 0",
    "Data hash": "0123",
    "Trained on": "mlr_market751 + cuhk01",
    "Evaluation": "multi-shot",
    "Model": "ReID",
    "Seed": "0",
}
FOUND = {"rank1": 0.5, "rank5": 0.75, "rank10": 1.0, "mAP": 0.6125}


REID = {"reid": {"backbone": "hrnet_w32"}}


def card(folder: Path, metrics: dict[str, dict[str, float]], model: dict[str, Any]) -> str:
    folder /= "new"
    write_card(folder / "card.md", Path("split=0,x/last.ckpt"), metrics, FACTS, model)
    assert [file.name for file in folder.iterdir()] == ["card.md"]
    return (folder / "card.md").read_text()


def train_words(text: str) -> list[str]:
    """Of the card's command, as a shell splits it."""
    (line,) = [line for line in text.splitlines() if "train.py" in line]
    return shlex.split(line)[2:]


def test_a_network_that_searches(tmp_path: Path):
    text = card(tmp_path, {"trained": FOUND, "chance": FOUND | {"rank1": 0.01}}, REID)
    assert text.startswith("# ReID trained on mlr_market751 + cuhk01\n")
    assert "- **Data hash**: 0123\n" in text
    assert "| trained | 50.0 | 75.0 | 100.0 | 61.3 |" in text
    assert "| chance | 1.0 |" in text
    assert "PSNR" not in text
    assert "evaluate.py \"checkpoint='split=0,x/last.ckpt'\"\n" in text
    start = composed(*train_words(text))
    assert start.model.reid.weights == "split=0,x/last.ckpt"
    assert start.model.reid.backbone == "hrnet_w32"


def test_a_network_that_restores(tmp_path: Path):
    text = card(tmp_path, {"trained": {"psnr_restored": 26.5, "psnr_bicubic": 25.25}}, {"sr": {}})
    assert "Rank-1" not in text
    start = composed(*train_words(text))
    assert (start.model.sr_checkpoint, start.model.sr_start) == ("split=0,x/last.ckpt", None)
    assert "26.50 dB PSNR against sharp ones, bicubic ones 25.25 dB" in text
