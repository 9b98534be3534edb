"""Every row, every network, and several processes, through the main job."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.crashes import log_of
from evaluate import evaluate_checkpoint
from psnet.checkpoint import read_checkpoint
from psnet.configuration import configuration_folder
from tests.composed import composed
from tests.job.world import Ran, World, assert_same_weights, logged, phases, run, weights
from tests.tiny import QUICK, TINY

pytestmark = pytest.mark.slow


NETWORKS = {file.stem: file.read_text() for file in sorted(Path(configuration_folder(), "net").glob("*.yaml"))}
BACKBONES = [name for name, text in NETWORKS.items() if "backbone:" in text]
SR_NETWORKS = [name for name in NETWORKS if name not in BACKBONES]
"""Options of the group net."""


def test_the_row_id_and_joined_data(world: World, drawn: Path):
    more = ["+dataset@join.more=mlr_synthetic", f"join.more.source.reader.root={drawn}"]
    more += ["join.more.source.reader.identities=6", "join.more.source.reader.images_per_camera=1"]
    more += ["join.more.source.reader.height=64", "join.more.source.reader.width=32"]
    more += ["join.more.source.protocol.train_identities=3", "join.more.source.reader.seed=5"]
    ran = run(world, "id", "hrnet_reid_small", "model.view=low", *more)
    meta = read_checkpoint(ran.folder / "last.ckpt")["psnet"]
    assert meta["num_classes"] == 4 + 3
    assert meta["joined"] == ["more"]
    facts = json.loads((ran.folder / "metrics.json").read_text())["facts"]
    assert facts["Trained on"] == "mlr_synthetic + more"
    assert facts["Data hash"] == facts["Data hash in training"]
    cfg = composed(f"checkpoint={ran.folder / 'last.ckpt'}", "loader.workers=0", job="evaluate")
    assert evaluate_checkpoint(ran.folder / "last.ckpt", cfg, ran.folder / "alone") == ran.metrics
    assert "too good" not in (ran.folder / "alone" / "report.html").read_text()


def test_the_row_id_sr(whole: Ran, world: World):
    ran = run(world, "id_sr", "hrnet_reid_sr_small", "untrained=false")
    assert "train/ps" not in logged(ran.folder)
    assert {"rank1", "psnr_restored"} <= set(ran.metrics)


def test_a_restorer_that_is_kept_as_it_is(whole: Ran, world: World):
    given = f"model.sr_checkpoint={phases(world)['sr_start'] / 'model.ckpt'}"
    ran = run(world, "kept", "hrnet_reid_sr_small", given, "model.sr_lr=0", "untrained=false")
    before = weights(phases(world)["sr_start"] / "model.ckpt")
    after = weights(ran.folder / "last.ckpt")
    for key, value in before.items():
        assert torch.equal(after[key], value), key


@pytest.mark.parametrize("name", SR_NETWORKS)
def test_every_super_resolution_network(world: World, name: str):
    """Trained first, then with re-identification. Where there is none nothing is trained first, and none is shown."""
    ran = run(world, f"sr_{name}", "hrnet_reid_sr_small", f"net@model.sr={name}", f"phases_dir={world.folder / name}")
    restores = name != "none"
    assert all(math.isfinite(value) for value in ran.metrics.values())
    assert ("psnr_restored" in ran.metrics) == restores
    assert (world.folder / name).exists() == restores
    assert all(math.isfinite(value) for value in logged(ran.folder)["train/sr"])
    page = (ran.folder / "report.html").read_text()
    assert ('id="restoration"' in page) == restores


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone(world: World, name: str):
    ran = run(world, f"reid_{name}", "hrnet_reid_small", f"net@model.reid={name}", "model.reid.weights=null")
    assert all(math.isfinite(value) for value in ran.metrics.values())
    assert 0 < ran.metrics["rank1"] <= 1
    backbone = read_checkpoint(ran.folder / "last.ckpt")["psnet"]["model"]["reid"]["backbone"]
    assert backbone.startswith(name.split("_")[0])


def test_a_teacher_without_a_restorer(world: World):
    """The method without its super-resolution; the dashboard has lists to show and no restored image."""
    kept = [f"phases_dir={world.folder / 'alone'}", "untrained=false"]
    ran = run(world, "ps_alone", "ps_hrnet_demo", "net@model.sr=none", *kept, logger="wandb")
    assert [folder.name.split("-")[1] for folder in (world.folder / "alone").iterdir()] == ["teacher"]
    assert {key.split(".")[0] for key in weights(ran.folder / "last.ckpt")} == {"reid"}
    (offline,) = (ran.folder / "wandb").glob("offline-run-*")
    pictures = [file.name.partition("_")[0] for file in (offline / "files" / "media" / "images").iterdir()]
    assert set(pictures) == {"ranked"}


def test_gradients_of_several_batches(world: World):
    """The rate falls to its end with the last of the steps, also where the batches do not divide evenly."""
    more = ["model.recipe.accumulate=3", "model.recipe.epochs=5", "untrained=false"]
    ran = run(world, "several", "hrnet_reid_small", *more)
    assert read_checkpoint(ran.folder / "last.ckpt")["global_step"] == 5 * 2  # 4 batches: 3 and 1
    rates = logged(ran.folder)["lr-AdamW"]
    assert min(rates) > 0


def test_restoration_alone(world: World):
    ran = run(world, "sr", "vdsr_ca_small", epochs=2)
    assert set(ran.metrics) == {"psnr_bicubic", "psnr_restored", "ssim_bicubic", "ssim_restored"}
    content = json.loads((ran.folder / "metrics.json").read_text())["metrics"]
    assert [row["rate"] for row in content["restoration"]] == [2, 3, 4]
    assert content["untrained"]["psnr_bicubic"] == content["trained"]["psnr_bicubic"]


def test_two_processes(tmp_path: Path, drawn: Path):
    """All phases with DDP on a CPU: files are written once, every image is scored once, as one process ranks it to the
    last digit, and a run whose processes were killed goes on to where an unbroken one ends."""
    root = Path(__file__).parents[2]
    recipe = ["epochs=1", "validate_every=1", "batch.identities=2", "batch.images=2"]
    small = [f"{model}.recipe.{what}" for model in ("model", "model.teacher", "model.sr_start") for what in recipe]
    tiny = [setting for setting in TINY if not setting.startswith(("model.recipe.batch", "model.recipe.val"))]
    settings = [*tiny, f"dataset.source.reader.root={drawn}", *small, "model.recipe.epochs=2"]
    settings += ["trainer=ddp_cpu", "trainer.precision=32-true", f"model.reid.backbone={QUICK}"]
    kept_in = [f"phases_dir={tmp_path / 'phases'}", "logger=none", "untrained=false"]
    command = [sys.executable, "train.py", "resume=auto", *settings, *kept_in, f"hydra.run.dir={tmp_path / 'run'}"]
    first = subprocess.Popen(command, cwd=root, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    try:
        while not (tmp_path / "run" / "last.ckpt").is_file():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert not (tmp_path / "run" / "metrics.json").exists()
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert "going on from" in ran.stdout
    unbroken = [*command[:-1], f"hydra.run.dir={tmp_path / 'unbroken'}"]
    subprocess.run(unbroken, cwd=root, stdout=subprocess.DEVNULL, check=True, timeout=300)
    assert_same_weights(tmp_path / "run" / "last.ckpt", tmp_path / "unbroken" / "last.ckpt")
    assert log_of(tmp_path / "run") == log_of(tmp_path / "unbroken")
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert found["trained"]["queries"] == 8
    alone = ["checkpoint=x", "loader.workers=0", "trainer.precision=32-true", "untrained=false"]
    cfg = composed(*alone, job="evaluate")
    one = evaluate_checkpoint(tmp_path / "run" / "last.ckpt", cfg, tmp_path / "alone")
    ranks = {name for name in one if not name.startswith(("psnr", "ssim"))}
    assert {name: one[name] for name in ranks} == {name: found["trained"][name] for name in ranks}
    assert one == pytest.approx(found["trained"], rel=1e-6)  # a batch of another size is rounded otherwise
    kept = sorted((tmp_path / "phases").iterdir())
    assert [folder.name.split("-")[1] for folder in kept] == ["sr_start", "teacher"]
    for folder in [*kept, tmp_path / "run"]:
        assert "train/loss" in logged(folder)
        assert not list(folder.glob("*.part"))
    assert all((folder / "model.ckpt").is_file() for folder in kept)
