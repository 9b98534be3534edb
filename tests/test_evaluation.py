"""What is kept of an evaluation, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from psnet.data.manifest import Manifest
from psnet.evaluation import Evaluation, facts_of, metrics_of, print_table, warnings_of, write_json
from psnet.metrics import RestorationScore, Retrieval, RetrievalMetric
from tests.composed import composed


def retrieval(good: bool) -> Retrieval:
    """4 queries of rates 2, 2, 3, 4, of 4 people, who are all found at rank 1, or half of them at rank 2."""
    gallery = torch.eye(4)
    query = torch.eye(4) if good else torch.eye(4)[[1, 0, 2, 3]] + 0.5 * torch.eye(4)
    metric = RetrievalMetric(expected=8)
    pid, camid = torch.arange(4).repeat(2), torch.tensor([1] * 4 + [2] * 4)
    rate = torch.tensor([2.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    metric.update(torch.cat([query, gallery]), pid, camid == 1, camid, rate, torch.arange(8))
    metric.compute()
    assert metric.found is not None
    return metric.found


SCORES = [RestorationScore(2.0, 3, 25.0, 26.0, 0.7, 0.8), RestorationScore(4.0, 1, 21.0, 22.0, 0.5, 0.6)]


def test_metrics_of_a_whole_model():
    metrics = metrics_of(Evaluation(retrieval(True), SCORES), Evaluation(retrieval(False), SCORES))
    assert metrics["trained"]["rank1"] == 1
    assert metrics["untrained"]["rank1"] == 0.5
    assert metrics["untrained"]["mAP"] == 0.75
    assert metrics["chance"]["rank1"] == pytest.approx(0.25)
    assert [(row["rate"], row["queries"]) for row in metrics["per_rate"]] == [(2, 2), (3, 1), (4, 1)]
    assert metrics["trained"]["psnr_restored"] == (3 * 26 + 22) / 4
    assert metrics["restoration"][1]["ssim_bicubic"] == 0.5
    assert json.loads(json.dumps(metrics)) == metrics


def test_metrics_of_its_parts():
    assert set(metrics_of(Evaluation(retrieval(True), []), None)) == {
        "trained", "chance", "per_rate", "intervals", "tar_at_far",
    }  # fmt: skip
    assert set(metrics_of(Evaluation(None, SCORES), None)) == {"trained", "restoration"}


def test_the_table_sets_trained_beside_untrained_and_chance(capsys: pytest.CaptureFixture, tmp_path: Path):
    metrics = metrics_of(Evaluation(retrieval(True), SCORES), Evaluation(retrieval(False), SCORES))
    print_table(metrics, tmp_path / "report.html")
    out = capsys.readouterr().out
    rows = [line.strip("│ \n").split() for line in out.splitlines() if line.startswith("│")]
    assert rows[0] == ["trained", "│", "100.0", "│", "100.0", "│", "100.0", "│", "100.0"]
    assert rows[1][:5] == ["untrained", "│", "50.0", "│", "100.0"]
    assert rows[2][:3] == ["chance", "│", "25.0"]
    assert "25.00 dB" in out
    assert "26.00 dB" in out
    assert f"Report: {tmp_path / 'report.html'}" in out.replace("\n", " ")


def test_json_is_whole_or_not_there(tmp_path: Path):
    target = tmp_path / "new" / "metrics.json"
    write_json({"a": 1}, target)
    with pytest.raises(TypeError):
        write_json({"a": object()}, target)
    assert json.loads(target.read_text()) == {"a": 1}


def test_facts_name_both_data_sets(tiny: Manifest):
    cfg = composed("dataset=mlr_synthetic", "model=ps_hrnet")
    meta = {
        "model": {
            "_target_": "psnet.tasks.PSHRNet",
            "reid": {"backbone": "hrnet_w32", "weights": None},
            "sr": {"_target_": "psnet.models.VDSRCA", "channels": 64},
            "recipe": {"image_size": [256, 128], "epochs": 71, "upsampling": "bilinear"},
        },
        "weights": "random",
        "dataset": {"name": "mlr_viper"},
        "joined": ["cuhk01", "pku"],
        "data_hash": "0123",
        "set_hash": "4567",
        "seed": 3,
        "git_revision": "",
        "versions": {"torch": "2"},
    }
    content = {"psnet": meta, "epoch": 9, "global_step": 1_200}
    facts = facts_of(Path("last.ckpt"), content, cfg.dataset, tiny, precision="32-true")
    assert facts["Data set"] == "mlr_synthetic, split 0, seed 0"
    assert facts["Trained on"] == "mlr_viper + cuhk01 + pku"
    assert facts["Data hash"] == tiny.hash()
    assert facts["Data hash in training"] == "0123"
    assert facts["Evaluation"] == "multi-shot, same-camera rule on, flip test"
    assert facts["Backbone"] == "hrnet_w32, weights before training: random"
    assert facts["Super-resolution"] == "VDSRCA, channels=64"
    assert facts["Input size"] == "256 x 128"
    assert facts["Up-sampling"] == "bilinear"
    assert "Variant" not in facts
    assert facts["Trained"] == "1,200 steps, 10 of 71 epochs"
    assert facts["Precision"] == "32-true"
    assert facts["Revision"] == "unknown"
    meta["model"]["recipe"]["upsampling"] = "bicubic"  # type: ignore[index]
    cfg = composed("dataset=mlr_synthetic", "variant=[unseen_rates,realistic]")
    facts = facts_of(Path("last.ckpt"), content, cfg.dataset, tiny, precision="32-true")
    assert facts["Up-sampling"] == "bicubic"
    assert facts["Variant"] == "test_rates [8], degradation realistic"


def test_queries_without_a_match_are_told():
    assert warnings_of({"trained": {}}) == []
    lost = "1,200 queries have no match in the gallery. They are left out of every score."
    assert warnings_of({"trained": {"queries_without_match": 1_200}}) == [lost]


def test_joined_sets_are_not_needed_to_evaluate(tiny: Manifest):
    dataset = composed("dataset=mlr_synthetic").dataset
    model = {
        "_target_": "psnet.tasks.ReID",
        "recipe": {"image_size": [256, 128], "epochs": 1, "upsampling": "bilinear"},
    }
    meta = {
        "model": model,
        "dataset": {"name": "own"},
        "joined": ["other"],
        "seed": 0,
        "git_revision": "",
        "versions": {},
    }
    meta |= {"data_hash": "of both", "set_hash": tiny.hash()}
    facts = facts_of(Path("a.ckpt"), {"psnet": meta, "epoch": 0, "global_step": 1}, dataset, tiny, precision="32-true")
    assert facts["Trained on"] == "own + other"
    assert facts["Data hash in training"] == facts["Data hash"]
