"""Sweeps: what becomes of the jobs that fail, that are done already, and that were killed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

import train as main_job
from psnet import sweep
from psnet.checkpoint import CHECKPOINT, FORM, AtomicCheckpointIO, Begun
from psnet.configuration import LONGEST_NAME, job_folder
from psnet.data.samples import NoSuchSplit
from psnet.record import given_digests
from psnet.run_folder import METRICS, write_settings
from psnet.sweep import Sweep, outcomes_of, run_job
from tests.tiny import QUICK, TINY

ROOT = Path(__file__).parents[1]

GOOD = {"rank1": 0.5}


def one(cfg: DictConfig) -> int:
    return 1


class Jobs:
    """Stands for training from a checkpoint or from the start: notes what it was asked for and does what it is told."""

    def __init__(self, then: Callable[[DictConfig], None] = lambda cfg: None) -> None:
        self.asked: list[DictConfig] = []
        self.begun: list[Begun | None] = []
        self.then = then

    def train(self, cfg: DictConfig) -> dict[str, float]:
        with mock.patch.object(main_job, "train_from", self.train_from):
            return main_job.train(cfg)

    def train_from(self, cfg: DictConfig, begun: Begun | None) -> dict[str, float]:
        self.asked.append(cfg)
        self.begun.append(begun)
        self.then(cfg)
        folder = Path(cfg.output_dir)
        write_settings(cfg, folder)
        given = given_digests(OmegaConf.to_container(cfg.model))  # type: ignore[arg-type]
        (folder / METRICS).write_text(json.dumps({"metrics": {"trained": GOOD}, "run": {"given": given}}))
        return GOOD


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DictConfig]:
    """A job of a sweep in tmp_path/sweep, by its settings."""
    hydra = OmegaConf.create({"sweep": {"dir": str(tmp_path / "sweep")}, "sweeper": {"_target_": "a.BasicSweeper"}})
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))

    def configuration(name: str = "seed=0", **settings: Any) -> DictConfig:
        own = {"name": "x", "group": None, "resume": None, "output_dir": str(tmp_path / "sweep" / name), "seed": 0}
        own["model"] = {"sr_checkpoint": None}
        return OmegaConf.create(own | settings)

    return configuration


def outcome(tmp_path: Path, name: str = "seed=0") -> dict[str, str]:
    return outcomes_of(tmp_path / "sweep")[name]


def test_a_job_is_done_once(job: Callable[..., DictConfig], tmp_path: Path):
    work = Jobs()
    assert run_job(job(), work.train, one) == GOOD
    assert run_job(job(), work.train, one) == GOOD
    assert len(work.asked) == 1
    assert outcome(tmp_path)["status"] == "finished"
    assert (work.asked[0].group, work.asked[0].name) == ("sweep", "seed=0")  # of W&B


def test_a_failed_job_is_listed_and_tried_again(job: Callable[..., DictConfig], tmp_path: Path):
    def fail(cfg: DictConfig) -> None:
        raise RuntimeError("out of memory")

    assert run_job(job(), Jobs(fail).train, one) == {}
    failed = outcome(tmp_path)
    assert (failed["status"], failed["reason"]) == ("failed", "RuntimeError: out of memory")
    assert "in fail" in failed["details"]  # the traceback
    assert run_job(job(), Jobs().train, one) == GOOD
    assert outcome(tmp_path)["status"] == "finished"


def test_a_sweeper_that_optimises_hears_of_failures(job: Callable[..., DictConfig], tmp_path: Path):
    def fail(cfg: DictConfig) -> None:
        raise RuntimeError("out of memory")

    cfg = job()
    HydraConfig.get().sweeper._target_ = "a.OptunaSweeper"
    with pytest.raises(RuntimeError, match="out of memory"):
        run_job(cfg, Jobs(fail).train, one)
    assert outcome(tmp_path)["status"] == "failed"


def test_a_split_that_is_not_there_is_skipped(job: Callable[..., DictConfig], tmp_path: Path):
    def skip(cfg: DictConfig) -> None:
        raise NoSuchSplit("split=5: there are 1")

    run_job(job(), Jobs(skip).train, one)
    assert (outcome(tmp_path)["status"], outcome(tmp_path)["reason"]) == ("skipped", "split=5: there are 1")


def test_a_job_that_was_killed_goes_on(job: Callable[..., DictConfig], tmp_path: Path):
    def die(cfg: DictConfig) -> None:
        write_settings(cfg, Path(cfg.output_dir))
        content = {"psnet": {"form": FORM}, "epoch": 1, "global_step": 8}
        AtomicCheckpointIO().save_checkpoint(content, Path(cfg.output_dir) / CHECKPOINT)
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        run_job(job(), Jobs(die).train, one)
    assert outcomes_of(tmp_path / "sweep") == {}
    work = Jobs()
    run_job(job(resume="other.ckpt"), work.train, one)  # where it would have started, had it not been begun
    assert work.begun == [Begun(tmp_path / "sweep" / "seed=0" / CHECKPOINT, epochs=2, steps=8, meta={"form": FORM})]


def test_jobs_that_start_from_different_checkpoints_are_different(job: Callable[..., DictConfig], tmp_path: Path):
    for file in ("a.ckpt", "b.ckpt"):
        content = {"psnet": {"form": FORM, "of": file}, "epoch": 1, "global_step": 8}
        AtomicCheckpointIO().save_checkpoint(content, tmp_path / file)
        name = job_folder(f"seed=0,resume={tmp_path / file}")
        work = Jobs()
        run_job(job(name, resume=str(tmp_path / file)), work.train, one)
        assert [begun and begun.meta["of"] for begun in work.begun] == [file]


def test_a_folder_of_other_settings_is_kept(job: Callable[..., DictConfig], tmp_path: Path):
    run_job(job(), Jobs().train, one)
    before = (tmp_path / "sweep" / "seed=0" / METRICS).read_bytes()
    work = Jobs()
    run_job(job(margin=0.2), work.train, one)
    assert work.asked == []
    assert "holds a run of other settings: margin=None where 0.2 is wanted" in outcome(tmp_path)["reason"]
    assert (tmp_path / "sweep" / "seed=0" / METRICS).read_bytes() == before


def test_another_file_behind_the_same_path_is_another_run(job: Callable[..., DictConfig], tmp_path: Path):
    (tmp_path / "sr.ckpt").write_bytes(b"one")
    model = {"sr_checkpoint": str(tmp_path / "sr.ckpt")}
    work = Jobs()
    run_job(job(model=model), work.train, one)
    run_job(job(model=model), work.train, one)
    assert outcome(tmp_path)["status"] == "finished"
    (tmp_path / "sr.ckpt").write_bytes(b"another")
    run_job(job(model=model), work.train, one)
    assert len(work.asked) == 1
    assert "started from other files than are now behind sr_checkpoint. " in outcome(tmp_path)["reason"]


def test_a_run_that_left_no_settings_is_named(job: Callable[..., DictConfig], tmp_path: Path):
    run_job(job(), Jobs().train, one)
    (tmp_path / "sweep" / "seed=0" / "config.yaml").unlink()
    work = Jobs()
    run_job(job(), work.train, one)
    assert work.asked == []
    assert "holds a run without config.yaml; remove it" in outcome(tmp_path)["reason"]


def test_the_listing(job: Callable[..., DictConfig], tmp_path: Path, capsys: pytest.CaptureFixture):
    def fail(cfg: DictConfig) -> None:
        raise RuntimeError("out of memory [/usr/lib/pair.cc:525], see .[cuhk03]")

    run_job(job("seed=0"), Jobs().train, one)
    end = {"config": OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path / "sweep")}}})}
    Sweep().on_multirun_end(**end)
    run_job(job("seed=1"), Jobs(fail).train, one)
    with pytest.raises(SystemExit, match="1 of 2 jobs failed"):
        Sweep().on_multirun_end(**end)
    listed = capsys.readouterr().out
    assert "finished" in listed
    listed = " ".join(re.sub(r"[│┃]", " ", listed).split())
    assert "RuntimeError: out of memory" in listed
    assert "[/usr/lib/pair.cc:525]" in listed, "brackets are no markup"
    assert ".[cuhk03]" in listed


def test_folder_names():
    assert job_folder("dataset.source.protocol.split=3,experiment=small/id") == "split=3,experiment=small-id"
    first, second = (job_folder("x" * 500 + f",seed={seed}") for seed in (0, 1))
    assert first != second
    assert len(first) < LONGEST_NAME + 10


def swept(folder: Path, drawn: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    fixed = [*TINY, f"dataset.source.reader.root={drawn}", f"phases_dir={folder.parent / 'phases'}"]
    own = [
        "model=hrnet_reid_small",
        f"model.reid.backbone={QUICK}",
        "model.recipe.epochs=1",
        "logger=none",
        "untrained=false",
    ]
    command = [sys.executable, "train.py", "-m", *own, *fixed, f"hydra.sweep.dir={folder}", *settings]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)


def test_a_command_of_its_own_finds_what_the_sweep_was_given(
    job: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A folder with files of one's own for conf/ is no override, and so not among them."""
    sources = [{"provider": "main", "path": "conf"}, {"provider": "command-line", "path": "/mine"}]
    HydraConfig.get().update({"runtime": {"config_sources": sources}, "overrides": {"task": ["seed=0"]}})
    cfg = job(dataset={}, join={})
    asked: list[list[str]] = []

    def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        Jobs().train_from(cfg, None)
        return subprocess.CompletedProcess(command, 0, stderr="")

    monkeypatch.setattr(sweep, "build_manifest", lambda *_: None)
    monkeypatch.setattr(subprocess, "run", run)
    assert run_job(cfg, Jobs().train, lambda _: 2) == GOOD
    assert asked[0][2:4] == ["--config-dir=/mine", "seed=0"]


def test_going_on_by_itself_needs_a_folder():
    command = [sys.executable, "train.py", "-m", "resume=auto", "seed=0,1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 1
    assert (
        ran.stderr
        == "error: resume=auto of many runs needs their folder: give hydra.sweep.dir=..., and go on with it\n"
    )


@pytest.mark.slow
def test_a_whole_sweep(tmp_path: Path, drawn: Path):
    """Two jobs that train and one that cannot; the same command again, by submitit, finds the first two done."""
    folder = tmp_path / "sweep"
    ran = swept(folder, drawn, "model.view=low,high,up", "+trainer.limit_test_batches=1.0")
    assert ran.returncode == 1
    assert "error: 1 of 3 jobs failed" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert re.search(r"model\.view=up +│ failed", ran.stdout)  # called by what distinguishes it
    outcomes = outcomes_of(folder)
    assert sorted(found["status"] for found in outcomes.values()) == ["failed", "finished", "finished"]
    assert any("model.view='up' must be high" in found["reason"] for found in outcomes.values())
    before = {file: file.stat().st_mtime_ns for file in folder.rglob(METRICS)}
    assert len(before) == 2
    apart = ["hydra/launcher=submitit_local", f"hydra.launcher.submitit_folder={tmp_path / 'jobs'}"]
    again = swept(folder, drawn, "model.view=low,high,up", "+trainer.limit_test_batches=1.0", *apart)
    said = "".join(file.read_text() for file in (tmp_path / "jobs").glob("*_log.out"))
    assert said.count("finished already") == 2
    assert "error: 1 of 3 jobs failed" in again.stderr
    assert before == {file: file.stat().st_mtime_ns for file in folder.rglob(METRICS)}


@pytest.mark.slow
def test_a_sweep_over_two_processes(tmp_path: Path, drawn: Path):
    """Each job is a command of its own. A split that is not there is skipped all the same."""
    ran = swept(tmp_path / "sweep", drawn, "trainer=ddp_cpu", "dataset.source.protocol.split=0,-1")
    assert ran.returncode == 0, ran.stderr
    outcomes = outcomes_of(tmp_path / "sweep").values()
    assert sorted(found["status"] for found in outcomes) == ["finished", "skipped"]
    for file in (tmp_path / "sweep").rglob(METRICS):
        assert json.loads(file.read_text())["metrics"]["trained"]["queries"] == 8


@pytest.mark.slow
def test_a_seeded_search(tmp_path: Path, drawn: Path):
    """Optuna draws what the same sampler draws on its own."""
    optuna = pytest.importorskip("optuna")
    few = ["search=loss_weights", "hydra.sweeper.n_trials=2", "model=hrnet_reid_sr_small", "model.sr_start=null"]
    ran = swept(tmp_path / "sweep", drawn, *few)
    assert ran.returncode == 0, ran.stderr
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    weights = {"model.ps_weight": (0.1, 2.0), "model.sr_weight": (0.1, 2.0), "model.triplet_weight": (0.5, 2.0)}
    for _ in range(2):
        trial = study.ask({name: optuna.distributions.UniformDistribution(*ends) for name, ends in weights.items()})
        study.tell(trial, 0.0)
        assert any(all(f"{name}={value}" in text for name, value in trial.params.items()) for text in jobs(tmp_path))


def jobs(tmp_path: Path) -> list[str]:
    """The overrides of each job, one text each."""
    return [file.read_text() for file in (tmp_path / "sweep").rglob(".hydra/overrides.yaml")]
