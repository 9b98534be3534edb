"""A run is made again from its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from omegaconf import DictConfig

import train as main_job
from psnet.command_line import first_names
from psnet.configuration import SettingsError
from psnet.run_folder import settings_of
from tests.composed import composed
from tests.job.world import Ran, World, assert_same_weights

pytestmark = pytest.mark.slow


def again(folder: Path, output: Path, *given: str) -> DictConfig:
    cfg = composed(f"again={folder}", f"output_dir={output}", *given)
    return settings_of(folder, cfg, first_names(given))


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


def test_a_repetition_may_be_done_otherwise_but_do_nothing_else(whole: Ran, tmp_path: Path):
    then = again(whole.folder, tmp_path)
    cfg = again(whole.folder, tmp_path, "loader.workers=1", "resume=here.ckpt")
    assert (cfg.loader.workers, cfg.resume, cfg.name) == (1, "here.ckpt", "tiny")
    cfg.loader.workers, cfg.resume = then.loader.workers, None
    assert cfg == then
    with pytest.raises(SettingsError, match="takes what decides a run from its folder: leave out model, seed"):
        again(whole.folder, tmp_path, "loader.workers=1", "seed=1", "model.margin=0.2")
    with pytest.raises(SettingsError, match="would replace the one it repeats; give another"):
        again(whole.folder, whole.folder)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"reid.weights": "0123"}, "other files than are now behind reid.weights. Put back"), (None, "an earlier psnet")],
)
def test_other_weights_are_not_the_same_run(whole: Ran, tmp_path: Path, given: dict[str, str] | None, message: str):
    shutil.copytree(whole.folder, tmp_path / "then", ignore=shutil.ignore_patterns("wandb", "*.ckpt"))
    metrics = tmp_path / "then" / "metrics.json"
    content = json.loads(metrics.read_text())
    content["run"]["given"] = given
    metrics.write_text(json.dumps(content))
    with pytest.raises(SettingsError, match=message):
        main_job.train(again(tmp_path / "then", tmp_path / "now"))


def test_other_data_are_not_the_same_run(whole: Ran, world: World, tmp_path: Path):
    shutil.copytree(whole.folder, tmp_path / "then", ignore=shutil.ignore_patterns("wandb"))
    manifest = tmp_path / "then" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("bicubic", "box", 1))
    with pytest.raises(SettingsError, match=r"the data are not those of .*then"):
        main_job.train(again(tmp_path / "then", tmp_path / "now"))
    with pytest.raises(SettingsError, match=r"again=.*empty: there is no .*config\.yaml"):
        main_job.train(again(tmp_path / "empty", tmp_path / "now"))
