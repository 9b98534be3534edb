"""The main job from end to end, on a few drawn people: what it writes, keeps, finds again and refuses."""

from __future__ import annotations

import csv
import json
import logging
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import wandb
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import train as main_job
from evaluate import evaluate_checkpoint
from psnet.checkpoint import CheckpointError, read_checkpoint
from psnet.configuration import SettingsError, configuration_folder
from psnet.data.samples import DataError
from tests.tiny import TINY

pytestmark = pytest.mark.slow


def small_phase(name: str) -> list[str]:
    recipe = f"model.{name}.recipe"
    return [
        f"{recipe}.epochs=1",
        f"{recipe}.validate_every=1",
        f"{recipe}.batch.identities=2",
        f"{recipe}.batch.images=2",
    ]


PHASES = {
    "ps_hrnet_demo": [*small_phase("teacher"), *small_phase("sr_start")],
    "hrnet_reid_sr_small": small_phase("sr_start"),
}


NETWORKS = {file.stem: file.read_text() for file in sorted(Path(configuration_folder(), "net").glob("*.yaml"))}
BACKBONES = [name for name, text in NETWORKS.items() if "backbone:" in text]
SR_NETWORKS = [name for name in NETWORKS if name not in BACKBONES]
"""Options of the group net."""


class World(NamedTuple):
    """A folder with drawn people and kept phases. compose: a whole configuration for runs in it."""

    folder: Path
    compose: Callable[..., DictConfig]


class Ran(NamedTuple):
    cfg: DictConfig
    folder: Path
    metrics: dict[str, float]


@pytest.fixture(scope="module")
def world(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")

    def configuration(name: str, model: str, *overrides: str, epochs: int = 1, logger: str = "none") -> DictConfig:
        own = [f"model={model}", f"model.recipe.epochs={epochs}", f"logger={logger}", *PHASES.get(model, ())]
        where = [f"output_dir={folder / name}", f"phases_dir={folder / 'phases'}"]
        return compose("train", [*TINY, *own, *where, f"dataset.source.reader.root={drawn}", *overrides])

    with initialize_config_dir(configuration_folder(), version_base="1.3"):
        yield World(folder, configuration)


def run(world: World, name: str, model: str, *overrides: str, **more: Any) -> Ran:
    cfg = world.compose(name, model, *overrides, **more)
    return Ran(cfg, world.folder / name, main_job.train(cfg))


@pytest.fixture(scope="module")
def whole(world: World) -> Ran:
    """The whole method with everything that watches it."""
    return run(world, "whole", "ps_hrnet_demo", epochs=2, logger="wandb")


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = read_checkpoint(checkpoint)["state_dict"]
    return state


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def logged(folder: Path) -> dict[str, list[float]]:
    """Columns of the CSV log, without the empty cells."""
    columns: dict[str, list[float]] = {}
    for file in (folder / "log").glob("metrics.csv"):
        for row in csv.DictReader(file.open()):
            for key, value in row.items():
                if value:
                    columns.setdefault(key, []).append(float(value))
    return columns


def phases(world: World) -> dict[str, Path]:
    """Kept phases by name."""
    return {folder.name.split("-")[1]: folder for folder in (world.folder / "phases").iterdir()}


# What a run leaves


def test_it_writes_what_a_person_wants_to_see(whole: Ran):
    content = json.loads((whole.folder / "metrics.json").read_text())
    assert set(content["metrics"]) == {"trained", "untrained", "bound", "chance", "per_rate", "restoration"}
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
        overrides = ["checkpoint=unused", "output_dir=unused", "loader.workers=0", "loader.eval_batch_size=64"]
        cfg = compose("evaluate", overrides)
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
    last = {name: values[-1] for name, values in logged(whole.folder).items()}
    for name in ("rank1", "mAP", "psnr_restored"):
        assert last[f"val/{name}"] == pytest.approx(whole.metrics[name], abs=1e-6)


# Phases


def test_phases_are_found_again(whole: Ran, world: World, caplog: pytest.LogCaptureFixture):
    before = {file: file.stat().st_mtime_ns for file in (world.folder / "phases").rglob("model.ckpt")}
    assert len(before) == 2
    with caplog.at_level(logging.INFO):
        run(world, "again", "ps_hrnet_demo", "model.ps_weight=0.1", "untrained=false")
    found = [record.getMessage() for record in caplog.records if "found" in record.getMessage()]
    assert [message.split(":")[0] for message in found] == ["teacher", "sr_start"]
    assert before == {file: file.stat().st_mtime_ns for file in (world.folder / "phases").rglob("model.ckpt")}


@pytest.mark.parametrize(
    "other",
    [
        "seed=1",
        "model.teacher.margin=0.2",
        "dataset.source.protocol.seed=1",
        "model.reid.dropout=0.1",
        "+callbacks.throughput.every_n_steps=3",
    ],
)
def test_other_settings_mean_another_teacher(whole: Ran, world: World, other: str):
    def hashed(*overrides: str) -> str:
        cfg = world.compose("unused", "ps_hrnet_demo", "model.reid.num_classes=4", *overrides)
        job = main_job.Run(cfg, main_job.build_manifest(cfg.dataset))
        teacher: Any = OmegaConf.to_container(cfg.model.teacher, resolve=True)
        return main_job.phase_hash(job, teacher)

    assert phases(world)["teacher"].name.endswith(hashed())
    assert hashed(other) != hashed()


def test_a_phase_that_was_killed_goes_on(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """The process ends after the first of two epochs of the teacher."""
    two = ["model.teacher.recipe.epochs=2", "model.sr_start=null", "untrained=false"]
    run(world, "unbroken", "ps_hrnet_demo", *two, f"phases_dir={world.folder / 'unbroken_phases'}")

    kept = world.folder / "broken_phases"
    cfg = world.compose("broken", "ps_hrnet_demo", *two, f"phases_dir={kept}")

    def die(self: Any) -> None:
        if self.current_epoch == 1:
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr("psnet.tasks.ReID.on_train_epoch_start", die)
        with pytest.raises(_Killed):
            main_job.train(cfg)
    (folder,) = kept.iterdir()
    assert not (folder / "model.ckpt").exists()
    with caplog.at_level(logging.INFO):
        main_job.train(cfg)
    assert any("going on with it" in record.getMessage() for record in caplog.records)
    assert {file.parent.name for file in folder.rglob("metrics.csv")} == {"log", "log_2"}  # what came before is kept
    assert_same_weights(folder / "model.ckpt", next((world.folder / "unbroken_phases").rglob("model.ckpt")))
    assert_same_weights(world.folder / "broken" / "last.ckpt", world.folder / "unbroken" / "last.ckpt")


class _Killed(BaseException):
    """Nothing in the program catches this."""


def test_a_given_teacher(whole: Ran, world: World):
    teacher = phases(world)["teacher"] / "model.ckpt"
    elsewhere = world.folder / "empty"
    given = [f"model.teacher_checkpoint={teacher}", "model.sr_start=null", f"phases_dir={elsewhere}", "untrained=false"]
    run(world, "given", "ps_hrnet_demo", *given)
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["dataset.source.protocol.train_identities=3", "allow_trained_images=true"],
            "num_classes=4 where 3 is wanted",
        ),
        (["model.reid.backbone=hrnet_w18_small_v2"], "backbone=hrnet_w18_small where hrnet_w18_small_v2 is wanted"),
    ],
)
def test_an_unsuitable_teacher_is_refused(whole: Ran, world: World, overrides: list[str], message: str):
    teacher = phases(world)["teacher"] / "model.ckpt"
    cfg = world.compose("refused", "ps_hrnet_demo", f"model.teacher_checkpoint={teacher}", *overrides)
    with pytest.raises(CheckpointError, match=message) as error:
        main_job.train(cfg)
    assert str(teacher) in str(error.value)


def test_a_teacher_of_other_people_is_refused(whole: Ran, world: World):
    teacher = phases(world)["teacher"] / "model.ckpt"
    other = [f"model.teacher_checkpoint={teacher}", "model.sr_start=null", "untrained=false"]
    others = [*other, "dataset.source.protocol.split=1"]
    with pytest.raises(DataError, match=r"images were trained on by model\.teacher_checkpoint, e\.g\. "):
        main_job.train(world.compose("refused", "ps_hrnet_demo", *others))
    with pytest.raises(CheckpointError, match="was trained on other people than this run"):
        main_job.train(world.compose("refused", "ps_hrnet_demo", *others, "allow_trained_images=true"))
    run(world, "other_rates", "ps_hrnet_demo", *other, "dataset.source.protocol.rates=[2]")  # the same people


def test_weights_of_other_people(whole: Ran, world: World):
    """A run starts from a checkpoint that knows the people to train on, and says so; never from one that knows those
    to search for."""
    given = f"model.reid.weights={whole.folder / 'last.ckpt'}"
    ran = run(world, "further", "hrnet_reid_small", given, "model.view=low", "untrained=false")
    facts = json.loads((ran.folder / "metrics.json").read_text())["run"]
    assert facts["weights"].startswith("trained on mlr_synthetic (16 images, hash ")
    cfg = world.compose("refused", "hrnet_reid_small", given, "dataset.source.protocol.split=1")
    with pytest.raises(DataError, match=r"query and gallery images were trained on by model\.reid\.weights, e\.g\. "):
        main_job.train(cfg)


def test_a_restorer_is_no_teacher(whole: Ran, world: World):
    restorer = phases(world)["sr_start"] / "model.ckpt"
    cfg = world.compose("refused", "ps_hrnet_demo", f"model.teacher_checkpoint={restorer}")
    with pytest.raises(CheckpointError, match=r"SuperResolution, which has no reid; give another"):
        main_job.train(cfg)


# Going on


@pytest.mark.parametrize("workers", [0, 2])  # workers fetch before Lightning says which epoch it is
def test_a_run_that_goes_on_ends_where_an_unbroken_one_does(whole: Ran, world: World, workers: int):
    # given, since phases of another trainer would be others
    kept = [f"model.teacher_checkpoint={phases(world)['teacher'] / 'model.ckpt'}"]
    kept += [f"model.sr_checkpoint={phases(world)['sr_start'] / 'model.ckpt'}"]
    kept += [f"loader.workers={workers}", "untrained=false"]
    half = run(world, f"half{workers}", "ps_hrnet_demo", "trainer.max_epochs=1", *kept, epochs=2)
    on = run(world, f"on{workers}", "ps_hrnet_demo", f"resume={half.folder / 'last.ckpt'}", *kept, epochs=2)
    assert_same_weights(on.folder / "last.ckpt", whole.folder / "last.ckpt")
    assert on.metrics == whole.metrics


def test_a_finished_run_is_scored_again(whole: Ran, world: World, caplog: pytest.LogCaptureFixture):
    kept = [f"model.teacher_checkpoint={phases(world)['teacher'] / 'model.ckpt'}"]
    kept += [f"model.sr_checkpoint={phases(world)['sr_start'] / 'model.ckpt'}"]
    with caplog.at_level(logging.INFO):
        again = run(world, "over", "ps_hrnet_demo", f"resume={whole.folder / 'last.ckpt'}", *kept, epochs=2)
    assert "nothing is left to train" in caplog.text
    assert_same_weights(again.folder / "last.ckpt", whole.folder / "last.ckpt")
    assert again.metrics == whole.metrics


@pytest.mark.parametrize(
    ("model", "overrides", "message"),
    [
        ("ps_hrnet_demo", ["dataset.source.protocol.split=1"], "was trained on other data .* same dataset settings"),
        ("ps_hrnet_demo", ["model.reid.max_weights=[1,1,1,1]"], r"of another model: reid\.max_weights=\[0\.5, 0\.2, "),
        ("ps_hrnet_demo", ["model.sr.blocks=2"], r"of another model: sr\.blocks=6 where 2 is wanted"),
        ("hrnet_reid_small", [], r"of another model: _target_=psnet\.tasks\.PSHRNet where psnet\.tasks\.ReID"),
    ],
)
def test_going_on_with_something_else_is_refused(
    whole: Ran, world: World, model: str, overrides: list[str], message: str
):
    cfg = world.compose("other", model, f"resume={whole.folder / 'last.ckpt'}", *overrides)
    with pytest.raises(CheckpointError, match=message):
        main_job.train(cfg)


def test_other_settings_of_a_run_that_goes_on_are_said(whole: Ran, world: World, caplog: pytest.LogCaptureFixture):
    run(
        world,
        "louder",
        "ps_hrnet_demo",
        f"resume={whole.folder / 'last.ckpt'}",
        "model.ps_weight=0.1",
        "untrained=false",
    )
    assert "goes on with other settings: ps_weight=0.5 where 0.1 is wanted, recipe.epochs=2 where 1" in caplog.text


def test_resuming_from_nothing(world: World):
    with pytest.raises(CheckpointError, match=r"checkpoint nowhere\.ckpt does not exist"):
        main_job.train(world.compose("unused", "hrnet_reid_small", "resume=nowhere.ckpt"))


# Once more


def again(folder: Path, output: Path) -> DictConfig:
    return compose("train", [f"again={folder}", f"output_dir={output}", "name=unused"])


def test_a_run_is_made_again_from_its_folder_alone(whole: Ran, world: World):
    """With teacher and restorer trained anew: the same seed gives the same bits."""
    shutil.move(world.folder / "phases", world.folder / "away")
    try:
        metrics = main_job.train(again(whole.folder, world.folder / "again_whole"))
        first, second = (
            json.loads((f / "metrics.json").read_text()) for f in (whole.folder, world.folder / "again_whole")
        )
    finally:
        shutil.rmtree(world.folder / "phases")
        shutil.move(world.folder / "away", world.folder / "phases")
    assert_same_weights(whole.folder / "last.ckpt", world.folder / "again_whole" / "last.ckpt")
    assert metrics == whole.metrics
    assert first["metrics"] == second["metrics"]


def test_other_data_are_not_the_same_run(whole: Ran, world: World, tmp_path: Path):
    shutil.copytree(whole.folder, tmp_path / "then", ignore=shutil.ignore_patterns("wandb"))
    manifest = tmp_path / "then" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("bicubic", "box", 1))
    with pytest.raises(SettingsError, match=r"the data are not those of .*then"):
        main_job.train(again(tmp_path / "then", tmp_path / "now"))
    with pytest.raises(SettingsError, match=r"again=.*empty: there is no .*config\.yaml"):
        main_job.train(again(tmp_path / "empty", tmp_path / "now"))


# Other models


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
    cfg = compose("evaluate", [f"checkpoint={ran.folder / 'last.ckpt'}", "loader.workers=0", "output_dir=here"])
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
    more = ["+trainer.accumulate_grad_batches=3", "model.recipe.epochs=5", "untrained=false"]
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
    """All phases with DDP on a CPU: files are written once, and every image is scored once."""
    root = Path(__file__).parents[1]
    own = [f"hydra.run.dir={tmp_path / 'run'}", f"phases_dir={tmp_path / 'phases'}", "logger=none"]
    recipe = ["epochs=1", "validate_every=1", "batch.identities=2", "batch.images=2"]
    small = [f"{model}.recipe.{what}" for model in ("model", "model.teacher", "model.sr_start") for what in recipe]
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.sync_batchnorm=false"]
    tiny = [setting for setting in TINY if not setting.startswith(("model.recipe.batch", "model.recipe.val"))]
    settings = [*tiny, f"dataset.source.reader.root={drawn}", *own, *small, *two]
    command = [sys.executable, "train.py", *settings]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert found["trained"]["queries"] == 8
    kept = sorted((tmp_path / "phases").iterdir())
    assert [folder.name.split("-")[1] for folder in kept] == ["sr_start", "teacher"]
    for folder in [*kept, tmp_path / "run"]:
        assert "train/loss" in logged(folder)
        assert not list(folder.glob("*.part"))
    assert all((folder / "model.ckpt").is_file() for folder in kept)


# Bad input


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["model.recipe.image_size=[60,32]"], SettingsError, r"image_size=\[60, 32\] must be .*multiples of 32"),
        (["model.recipe.batch.identities=5"], DataError, r"a batch needs 5 identities, the training set has 4"),
        (
            ["model.reid.backbone=hrnet_w33"],
            SettingsError,
            r"'hrnet_w33' is not a model of timm; near it are hrnet_w32",
        ),
        (["dataset.shots=both"], SettingsError, r"shots='both' must be multi or single"),
        (["dataset.source.reader.seed=???"], SettingsError, r"dataset\.source\.reader\.seed has no value; give"),
        (["model.view=side"], SettingsError, r"model\.view='side' must be high"),
        (["logger=wandb", "logger.mode=maybe"], SettingsError, r"logger\.mode='maybe' must be auto"),
        (["dataset.source.protocol.low_cameras=[7]"], DataError, r"7"),
    ],
)
def test_wrong_settings(world: World, overrides: list[str], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        main_job.train(world.compose("wrong", "hrnet_reid_small", *overrides))
    assert wandb.run is None
    assert not (world.folder / "wrong" / "last.ckpt").exists()


def test_the_last_phase_is_checked_before_the_first_is_trained(world: World):
    cfg = world.compose("wrong", "ps_hrnet_demo", "model.recipe.batch.identities=5", "seed=9")
    cfg.phases_dir = str(world.folder / "none")
    with pytest.raises(DataError, match="a batch needs 5 identities"):
        main_job.train(cfg)
    assert not (world.folder / "none").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train.py", "dataset=mlr_viper", "dataset.source.reader.root=no/where"], "no/where"),
        (["evaluate.py", "checkpoint=no.ckpt"], "checkpoint no.ckpt does not exist"),
        (["evaluate.py"], "no checkpoint is given; say checkpoint=PATH"),
        (["train.py", "dataset=folder"], "dataset.source.reader.root has no value; give"),
    ],
)
def test_a_shell_sees_one_line(tmp_path: Path, command: list[str], message: str):
    root = Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, *command, f"hydra.run.dir={tmp_path}"], cwd=root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
