"""A run that was stopped goes on to where an unbroken one ends, or is refused."""

from __future__ import annotations

import logging
import shutil

import pytest

import train as main_job
from benchmarks.crashes import log_of
from psnet.checkpoint import CheckpointError
from psnet.configuration import SettingsError
from tests.job.world import Ran, World, assert_same_weights, phases, run

pytestmark = pytest.mark.slow


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
    with caplog.at_level(logging.INFO):
        again = run(world, "over", "ps_hrnet_demo", f"resume={whole.folder / 'last.ckpt'}", epochs=2)
    assert "nothing is left to train" in caplog.text
    assert_same_weights(again.folder / "last.ckpt", whole.folder / "last.ckpt")
    assert again.metrics == whole.metrics


@pytest.mark.parametrize(
    ("model", "overrides", "message"),
    [
        ("ps_hrnet_demo", ["dataset.source.protocol.split=1"], "was trained on other data .* same dataset settings"),
        ("ps_hrnet_demo", ["model.reid.max_weights=[1,1,1,1]"], r"of another model: reid\.max_weights=\[0\.5, 0\.2, "),
        ("ps_hrnet_demo", ["model.sr.blocks=2"], r"of another model: sr\.blocks=6 where 2 is wanted"),
        ("ps_hrnet_demo", ["model.recipe.optimizer.lr=1e-5"], r"another optimiser: recipe\.optimizer\.lr=.* 1e-05 is"),
        ("ps_hrnet_demo", ["model.sr_lr=null"], r"another optimiser: sr_lr=2e-05 where None is wanted"),
        (
            "ps_hrnet_demo",
            ["model.sr_start.recipe.epochs=3"],
            r"another restorer .*sr_start\.recipe\.epochs=1 where 3",
        ),
        ("ps_hrnet_demo", ["seed=1"], r"begun with seed=0, and a run has one seed"),
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
    others = ["model.ps_weight=0.1", "model.teacher.margin=0.2", "untrained=false"]
    others.append(f"phases_dir={world.folder / 'louder_phases'}")
    with caplog.at_level(logging.WARNING):
        run(world, "louder", "ps_hrnet_demo", f"resume={whole.folder / 'last.ckpt'}", *others)
    assert ", teacher.margin=0.3 where 0.2 is wanted" in caplog.text
    assert "goes on with other settings: ps_weight=0.5 where 0.1 is wanted, recipe.epochs=2 where 1" in caplog.text


def test_a_folder_is_of_one_run(whole: Ran, world: World):
    """What another run has left there would be taken for this one's, by whoever goes on with it."""
    files = {file: file.read_bytes() for file in whole.folder.rglob("*") if file.is_file() and file.name != "lock"}
    for more in ([], [f"resume={world.folder / 'over' / 'last.ckpt'}"]):
        cfg = world.compose("whole", "ps_hrnet_demo", *more, epochs=2, logger="wandb")
        with pytest.raises(SettingsError, match=r"whole holds a run already: go on with that by resume=auto, or give"):
            main_job.train(cfg)
    assert files == {file: file.read_bytes() for file in files}


@pytest.mark.parametrize("start", ["last.ckpt", "last-before.ckpt", "mine.ckpt"])
def test_going_on_in_its_own_folder(whole: Ran, world: World, monkeypatch: pytest.MonkeyPatch, start: str):
    """By a path that is written otherwise than the folder's."""
    name = f"own-{start}"
    shutil.copytree(whole.folder, world.folder / name)
    before = world.folder / name / "last-before.ckpt"
    shutil.copy(before, world.folder / name / "mine.ckpt")
    monkeypatch.chdir(world.folder)
    again = run(world, name, "ps_hrnet_demo", f"resume=over/../{name}/{start}", epochs=2)
    assert_same_weights(again.folder / "last.ckpt", whole.folder / "last.ckpt")
    assert again.metrics == whole.metrics
    assert log_of(again.folder) == log_of(whole.folder)
    aside = {"last.ckpt": 0, "last-before.ckpt": 1, "mine.ckpt": 2}[start]
    assert len(list(again.folder.glob("last-aside*.ckpt"))) == aside


def test_resuming_from_nothing(world: World):
    with pytest.raises(CheckpointError, match=r"checkpoint nowhere\.ckpt does not exist"):
        main_job.train(world.compose("unused", "hrnet_reid_small", "resume=nowhere.ckpt"))
