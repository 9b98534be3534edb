"""Teachers and restorers: trained, found again, given, and refused."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from typing import Any

import pytest
from omegaconf import OmegaConf

import train as main_job
from psnet.checkpoint import CheckpointError
from psnet.data.samples import DataError
from tests.job.world import Ran, World, assert_same_weights, phases, run

pytestmark = pytest.mark.slow


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
    (log,) = folder.rglob("metrics.csv")  # one, in which each epoch's logged step, the last, is once
    with log.open(newline="") as lines:
        steps = [int(row["step"]) for row in csv.DictReader(lines) if row["train/loss"]]
    assert steps == [3, 7]
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
        (["model.reid.backbone=hrnet_w18_small"], "backbone=test_resnet where hrnet_w18_small is wanted"),
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
    shutil.copy(phases(world)["teacher"] / "model.ckpt", whole.folder / "copy.ckpt")  # the same people, other weights
    for other in (given.replace("last.ckpt", "copy.ckpt"), "model.reid.weights=null"):
        on = [f"resume={ran.folder / 'last.ckpt'}", other, "model.view=low"]
        with pytest.raises(CheckpointError, match=r"started from other files than are now behind reid\.weights,"):
            main_job.train(world.compose("refused", "hrnet_reid_small", *on))


def test_a_restorer_is_no_teacher(whole: Ran, world: World):
    restorer = phases(world)["sr_start"] / "model.ckpt"
    cfg = world.compose("refused", "ps_hrnet_demo", f"model.teacher_checkpoint={restorer}")
    with pytest.raises(CheckpointError, match=r"SuperResolution, which has no reid; give another"):
        main_job.train(cfg)
