"""The card names where a network comes from and what it reaches."""

from __future__ import annotations

from pathlib import Path

from psnet.card import write_card

FACTS = {
    "Data set": "mlr_viper, split 0, seed 0",
    "Data hash": "0123",
    "Trained on": "mlr_market751 + cuhk01",
    "Evaluation": "multi-shot",
    "Model": "ReID",
    "Seed": "0",
}
FOUND = {"rank1": 0.5, "rank5": 0.75, "rank10": 1.0, "mAP": 0.6125}


def card(folder: Path, metrics: dict[str, dict[str, float]]) -> str:
    folder /= "new"
    write_card(folder / "card.md", Path("outputs/x/last.ckpt"), metrics, FACTS)
    assert [file.name for file in folder.iterdir()] == ["card.md"]
    return (folder / "card.md").read_text()


def test_a_network_that_searches(tmp_path: Path):
    text = card(tmp_path, {"trained": FOUND, "chance": FOUND | {"rank1": 0.01}})
    assert text.startswith("# ReID trained on mlr_market751 + cuhk01\n")
    assert "- **Data hash**: 0123\n" in text
    assert "| trained | 50.0 | 75.0 | 100.0 | 61.3 |" in text
    assert "| chance | 1.0 |" in text
    assert "PSNR" not in text
    assert "model.reid.weights=outputs/x/last.ckpt" in text


def test_a_network_that_restores(tmp_path: Path):
    text = card(tmp_path, {"trained": {"psnr_restored": 26.5, "psnr_bicubic": 25.25}})
    assert "Rank-1" not in text
    assert "26.50 dB PSNR against sharp ones, bicubic ones 25.25 dB" in text
