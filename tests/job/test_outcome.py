"""What a run of the whole method writes, logs and keeps."""

from __future__ import annotations

import json
import math
import shutil

import pytest

from evaluate import evaluate_checkpoint
from psnet.checkpoint import read_checkpoint
from tests.composed import composed
from tests.job.world import Ran, World, logged

pytestmark = pytest.mark.slow


def test_it_writes_what_a_person_wants_to_see(whole: Ran):
    content = json.loads((whole.folder / "metrics.json").read_text())
    assert set(content["metrics"]) == {
        "trained", "untrained", "bound", "chance", "per_rate", "restoration", "intervals", "tar_at_far",
    }  # fmt: skip
    assert {"rank1", "rank5", "rank10", "rank20", "mAP", "mAP_trapezoid", "mINP"} <= set(content["metrics"]["trained"])
    assert all(math.isfinite(value) for value in whole.metrics.values())
    assert content["facts"]["Data set"].startswith("mlr_synthetic")
    page = (whole.folder / "report.html").read_text()
    assert page.count("data:image/") > 10
    assert (whole.folder / "manifest.csv").is_file()


def test_it_logs_every_term(whole: Ran):
    columns = logged(whole.folder)
    for term in ("loss", "ce", "triplet", "sr", "ps", "images_per_s"):
        assert all(math.isfinite(value) for value in columns[f"train/{term}"]), term
    assert len(columns["val/rank1"]) == 2
    for name in ("val/rank5", "val/rank10", "val/mAP", "val/psnr_restored"):
        assert name in columns
    assert any(name.startswith("lr-") for name in columns)


def test_the_dashboard_is_written_offline(whole: Ran):
    (offline,) = (whole.folder / "wandb").glob("offline-run-*")
    pictures = [file.name for file in (offline / "files" / "media" / "images").iterdir()]
    assert sum(name.startswith("restored") for name in pictures) == 2 * 2
    assert sum(name.startswith("ranked") for name in pictures) == 2 * 2
    (record,) = offline.glob("*.wandb")
    written = record.read_bytes()
    manifest_hash = read_checkpoint(whole.folder / "last.ckpt")["psnet"]["data_hash"]
    for word in ("train/ps", "val/rank1", "lr-", manifest_hash, "ce_weight"):
        assert word.encode() in written, word


def test_the_checkpoint_holds_the_student_only(whole: Ran):
    content = read_checkpoint(whole.folder / "last.ckpt")
    assert {key.split(".")[0] for key in content["state_dict"]} == {"sr", "reid"}
    assert not {"teacher", "sr_start"} & set(content["psnet"]["model"])


def test_evaluation_agrees_with_training(whole: Ran, world: World):
    shutil.move(world.folder / "phases", world.folder / "away")  # nothing of the teacher is needed
    try:
        loading = ("loader.workers=0", "loader.eval_batch_size=64")
        cfg = composed("checkpoint=unused", *loading, "report.regions=1", job="evaluate")
        again = evaluate_checkpoint(whole.folder / "last.ckpt", cfg, world.folder / "evaluated")
    finally:
        shutil.move(world.folder / "away", world.folder / "phases")
    assert again == whole.metrics
    folders = (whole.folder, world.folder / "evaluated")
    first, second = (json.loads((folder / "metrics.json").read_text()) for folder in folders)
    del first["metrics"]["bound"]  # the teacher is not in the checkpoint
    for content in (first, second):
        del content["run"]["finished"]
    assert first == second
    assert 'id="regions"' in (folders[1] / "report.html").read_text()
    assert 'id="regions"' not in (folders[0] / "report.html").read_text()  # nobody asked
    last = {name: values[-1] for name, values in logged(whole.folder).items()}
    for name in ("rank1", "mAP", "psnr_restored"):
        assert last[f"val/{name}"] == pytest.approx(whole.metrics[name], abs=1e-6)
