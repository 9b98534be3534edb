"""What cannot work is said before anything is trained, in one line."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import wandb

import evaluate
import train as main_job
from psnet.assembly import trained_task
from psnet.checkpoint import read_checkpoint
from psnet.configuration import SettingsError
from psnet.data.manifest import Manifest
from psnet.data.samples import DataError
from psnet.losses import DivergedError
from psnet.metrics import RetrievalMetric
from tests.composed import composed
from tests.data.real import real_set
from tests.job.world import PHASES, World
from tests.tiny import TINY

pytestmark = pytest.mark.slow


def test_a_loss_that_diverges(world: World):
    cfg = world.compose("diverged", "hrnet_reid_small", "model.recipe.optimizer.lr=1e30", epochs=3)
    with pytest.raises(DivergedError, match=r"^(ce|triplet|ce and triplet) diverged at step \d+, epoch \d, batch \d: "):
        main_job.train(cfg)
    kept = torch.load(world.folder / "diverged" / "diverged.pt", weights_only=True)
    assert kept["low"].shape == (len(kept["images"]), 3, 64, 32)


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
        (["model.triplet_pooled=maybe"], SettingsError, r"ReID: triplet_pooled='maybe' must be true or false"),
        (["dataset.source.camera_rule=yess"], SettingsError, r"camera_rule='yess' must be true or false"),
        (["model.recipe.rates_anew=2"], SettingsError, r"Recipe: rates_anew=2 must be true or false"),
        (["report.regions=-1"], SettingsError, r"report\.regions=-1 must be a number from 0 on"),
        (
            ["model=vdsr_ca_small", "report.regions=1"],
            SettingsError,
            r"report\.regions=1: SuperResolution pools no maps of regions; take a task that re-identifies",
        ),
        (["loader.eval_batch_size=0"], DataError, r"loader\.eval_batch_size=0 must be 1 or more"),
        (["loader.workers=-1"], DataError, r"loader\.workers=-1 0 or more"),
        (["dataset.shots=single", "dataset.repeats=0"], SettingsError, r"repeats=0 must be 1 or more draws"),
        (["trainer.max_epochs=2"], SettingsError, r"trainer\.max_epochs=2 must be 1 to 1, the recipe's"),
        (["trainer.max_steps=0"], SettingsError, r"not one epoch was trained; see to trainer\.max_steps"),
        (["trainer.accelerator=tpu"], SettingsError, r"trainer: .*torch_xla"),
        (["seed=-1"], SettingsError, r"seed=-1 must be 0 to 4294967295"),
        (
            ["model.recipe.optimizer._target_=torch.optim.Adamww"],
            SettingsError,
            r"torch\.optim\.Adamww cannot be found",
        ),
        (["report.restored=all"], SettingsError, r"report\.restored=all must be a number from 0 on"),
    ],
)
def test_wrong_settings(world: World, overrides: list[str], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        main_job.train(world.compose("wrong", "hrnet_reid_small", *overrides))
    assert wandb.run is None
    assert not (world.folder / "wrong" / "last.ckpt").exists()


def test_regions_want_captum_before_anything_is_trained(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(SettingsError, match=r"report\.regions=2: explaining needs Captum; install it with pip install"):
        main_job.train(world.compose("wrong", "hrnet_reid_small", "report.regions=2"))
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
    ],
)
def test_a_shell_sees_one_line(tmp_path: Path, command: list[str], message: str):
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, *command, f"hydra.run.dir={tmp_path}"], cwd=root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("job", "words", "message"),
    [
        (main_job, ["net@model.teacher.reid=resnet18"], "net@model.teacher.reid=resnet18 changes nothing: teacher has"),
        (main_job, ["model=ps_hrnet_small", "net@model.sr_start.sr=vdsr"], "changes nothing: sr_start has the model's"),
        (evaluate, [], "error: no checkpoint is given; say checkpoint=PATH"),
        (main_job, ["dataset=folder"], "error: dataset.source.reader.root has no value; give"),
    ],
)
def test_what_is_missing_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: ModuleType, words: list[str], message: str
):
    monkeypatch.setattr(sys, "argv", ["job.py", *words, f"hydra.run.dir={tmp_path}"])
    with pytest.raises(SystemExit, match=re.escape(message)):
        job.main()


def test_a_phase_with_a_network_of_its_own_may_have_another():
    """Where conf/ gives it the model's, the word is refused, see above."""
    words = ["model=ps_hrnet", "+model@model.sr_start=vdsr_ca", "net@model.sr=vdsr", "net@model.sr_start.sr=vdsr"]
    cfg = composed(*words)
    main_job.check_words(cfg, words)
    assert cfg.model.sr_start.sr == cfg.model.sr


def test_patience_for_what_cannot_be_judged(tmp_path: Path):
    """CAVIAR's low images are low as they are."""
    real_set("CAVIAR4REID")
    patience = ["model=vdsr_ca_small", "model.recipe.patience=2", "logger=none"]
    cfg = composed("dataset=caviar", *patience, f"output_dir={tmp_path}", f"phases_dir={tmp_path}")
    with pytest.raises(SettingsError, match=r"patience=2: no low image has a sharp twin.*leave it out"):
        main_job.train(cfg)


@pytest.mark.parametrize(("share", "warned"), [(0, True), (0.5, False)])
def test_nothing_to_restore_from(
    tmp_path: Path, tiny: Manifest, caplog: pytest.LogCaptureFixture, share: float, warned: bool
):
    """Poor images without a sharp twin, beside sharp ones."""
    rows = [f"{row.path},{row.pid},{row.camid},{'low' if row.camid == 2 else ''}" for row in tiny.rows]
    (tmp_path / "poor.csv").write_text("\n".join(["path,pid,camid,rate", *rows]))
    root = tiny.path(tiny.rows[0]).parent
    people = [
        f"dataset.source.reader.root={root}",
        "dataset.source.protocol.train_identities=0.5",
        f"dataset.source.protocol.train_low_share={share}",
    ]
    few = [word for word in TINY if not word.startswith("dataset")]
    cfg = composed(
        "dataset=csv",
        f"dataset.source.reader.path={tmp_path / 'poor.csv'}",
        *people,
        *few,
        "model=ps_hrnet_demo",
        *PHASES["ps_hrnet_demo"],
    )
    run = main_job.Run(cfg, main_job.build_manifest(cfg.dataset))
    with caplog.at_level(logging.WARNING):
        main_job.check(run, main_job.model_of(run))
    assert ("no low training image has a sharp twin" in caplog.text) == warned


def test_an_optimiser_that_has_no_fused_form(world: World):
    cfg = world.compose("unfused", "hrnet_reid_small", "model.recipe.optimizer._target_=torch.optim.NAdam")
    with pytest.raises(SettingsError, match=r"model\.recipe\.optimizer: .*unexpected keyword argument 'fused'"):
        main_job.train(cfg)


@pytest.mark.parametrize(("file", "message"), [("out.csv", "ends in '.csv'"), ("taken", "is no folder of embeddings")])
def test_where_embeddings_go_is_looked_at_first(tmp_path: Path, checkpoint: Path, file: str, message: str):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").touch()
    task = trained_task(read_checkpoint(checkpoint))
    task.retrieval = RetrievalMetric()
    with pytest.raises(SettingsError, match=f"embeddings: .*{message}"):
        evaluate.check_embeddings(str(tmp_path / file), task)
    evaluate.check_embeddings(None, task)
    evaluate.check_embeddings(str(tmp_path / "new.npz"), task)
    task.retrieval = None
    with pytest.raises(SettingsError, match=r"new\.npz: this network restores images and describes none"):
        evaluate.check_embeddings("new.npz", task)
