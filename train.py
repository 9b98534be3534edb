"""Train a model, with the phases it builds on, and score it: python train.py dataset=mlr_market model=ps_hrnet"""

from __future__ import annotations

import copy
import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import wandb
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from evaluate import build_retrieval, build_trainer, check_report, evaluate_checkpoint
from psnet.assembly import build_task, preprocess_of
from psnet.callbacks import Average, Patience
from psnet.checkpoint import CHECKPOINT, AtomicCheckpointIO, Begun, newest, read_begun, versions
from psnet.command_line import first_names, typed
from psnet.configuration import USER_ERRORS, SettingsError, build, build_manifest, configuration_folder
from psnet.csv_log import CSVLog
from psnet.data.datamodule import MLRDataModule
from psnet.data.manifest import Manifest
from psnet.data.manifest_file import write_manifest
from psnet.loggers import forget
from psnet.phases import (
    NEEDED,
    Settings,
    check_resume,
    has_restorer,
    keep,
    load_network,
    settings_hash,
    without_idle_phases,
)
from psnet.processes import alone, exit_as_shells_do, is_first, meet
from psnet.provenance import check_trained_images
from psnet.record import given_checkpoints, given_digests, given_now, meta_of
from psnet.run_folder import (
    AUTO,
    MANIFEST,
    check_same_data,
    check_same_files,
    differ,
    finished,
    settings_of,
    take,
    write_settings,
)
from psnet.sweep import run_job
from psnet.tasks import Recipe, Task

log = logging.getLogger("psnet")

# Lightning's remarks that a folder we made has files in it, and that a run goes on in another
warnings.filterwarnings("ignore", message=r"Checkpoint directory .* exists and is not empty")
warnings.filterwarnings("ignore", message=r"The dirpath has changed")


@dataclass(frozen=True)
class Run:
    """What all phases of a run share. cfg: the whole configuration. manifest: the data set. begun: what the run, not
    its phases, goes on from."""

    cfg: DictConfig
    manifest: Manifest
    begun: Begun | None = None

    @property
    def num_classes(self) -> int:
        return len(self.manifest.train_labels())


def train(cfg: DictConfig) -> dict[str, float]:
    """Train `cfg.model`, with the phases it builds on; score it; return its metrics.

    With resume=auto, from where a run of the same settings in the same folder was stopped, however that was; one that
    was finished is not trained again. While another process is at work in the folder, this one waits.

    Raises:
        DataError, CheckpointError, WeightsError, SettingsError: what a user can put right, before any training begins
            where that can be known. WriteError: there is no room left for a file. BusyError: see `alone`.
    """
    folder = Path(cfg.output_dir)
    with alone(folder, cfg.name):
        if cfg.resume != AUTO:
            return train_from(cfg, None if cfg.resume is None else read_begun(cfg.resume))
        metrics = finished(cfg, folder, given_now(cfg))
        return train_from(cfg, newest(folder)) if metrics is None else metrics


def train_from(cfg: DictConfig, begun: Begun | None) -> dict[str, float]:
    """As `train`, from a checkpoint or from the start."""
    if begun is not None:
        log.info("going on from %s, %d epochs done", begun.file, begun.epochs)
    folder = Path(cfg.output_dir)
    run = Run(cfg, build_manifest(cfg.dataset, cfg.join), begun)
    model = model_of(run)
    if begun is not None:
        check_resume(begun, meta_of(cfg, run.manifest, model))
    check_unseen(run, model)
    check(run, model)
    if is_first():
        take(folder, begun)
        if begun is None and differ(cfg, folder):  # what died here before its first checkpoint was another
            forget(folder)
        write_settings(cfg, folder)
        write_manifest(run.manifest, folder / MANIFEST)
        if cfg.again is not None:
            check_same_data(cfg.again, folder)
            check_same_files(Path(cfg.again), given_digests(model))
    parts = build_parts(run, model)
    checkpoint = fit(run, model, folder, cfg.name, run.begun, **parts)
    return evaluate_checkpoint(checkpoint, cfg, folder, cfg.dataset, run.manifest, parts.get("teacher"))


def model_of(run: Run) -> Settings:
    """The model's settings, resolved, with a class for each person to train on."""
    cfg = copy.deepcopy(run.cfg)
    if "reid" in cfg.model:
        cfg.model.reid.num_classes = run.num_classes
    settings: Any = OmegaConf.to_container(cfg.model, resolve=True)
    return without_idle_phases(settings)


def check_unseen(run: Run, model: Settings) -> None:
    """Nothing that is trained, or started from, may know the images to search for, or in."""
    origins = {"this run": {"trained_images": run.manifest.train_digests()}}
    origins |= {f"model.{setting}": meta for setting, meta in given_checkpoints(model).items()}
    for who, meta in origins.items():
        check_trained_images(meta, run.manifest, run.cfg.allow_trained_images, who)


def check(run: Run, model: Settings) -> None:
    """Build what each phase needs once, so that what cannot be built is known now and not after hours of the first."""
    if not 0 <= run.cfg.seed < 2**32:
        raise SettingsError(f"seed={run.cfg.seed} must be 0 to {2**32 - 1}")
    if model.get("student_from_teacher") and not (model.get("teacher") or model.get("teacher_checkpoint")):
        raise SettingsError("model.student_from_teacher=true: there is no teacher; give one, or say =false")
    phases = [model[need.phase] for need in NEEDED if not model.get(need.given) and model.get(need.phase)]
    shown = run.manifest.split("query") + run.manifest.split("gallery")
    for one in (*phases, model):
        task, recipe, _ = build_phase(run, one)
        if recipe.patience and task.retrieval is None and not any(row.is_low and row.has_high for row in shown):
            raise SettingsError(
                f"model.recipe.patience={recipe.patience}: no low image has a sharp twin, so nothing says whether the "
                "restorer gets better; leave it out"
            )
        try:
            task.configure_optimizers()
        except (ValueError, TypeError) as error:
            raise SettingsError(f"model.recipe.optimizer: {error}") from error
    if has_restorer(model) and not any(row.is_low and row.has_high for row in run.manifest.split("train")):
        log.warning(
            "no low training image has a sharp twin, so nothing shows the restorer how to sharpen, nor what a teacher "
            "makes of the sharp one; dataset.source.protocol.train_low_share=0.5 makes half of the sharp ones low"
        )
    # those of the model itself, the last
    check_report(run.cfg.report, task)
    asked = run.cfg.trainer.max_epochs
    if asked is not None and not 0 < asked <= recipe.epochs:
        raise SettingsError(
            f"trainer.max_epochs={asked} must be 1 to {recipe.epochs}, the recipe's; for a longer training say "
            "model.recipe.epochs"
        )


def build_parts(run: Run, model: Settings) -> dict[str, Any]:
    """The networks a model needs ready trained: those of given checkpoints, and those of earlier phases.

    A run that goes on has its own student already.
    """
    needed = [need for need in NEEDED if not (run.begun and need.in_student)]
    paths = {need: Path(model[need.given]) for need in needed if model.get(need.given)}
    parts = {
        need.argument: load_network(path, need.part, model[need.part], run.manifest) for need, path in paths.items()
    }
    for need in needed:
        if need.argument not in parts and model.get(need.phase):
            path = train_phase(run, model[need.phase], need.phase)
            parts[need.argument] = load_network(path, need.part, model[need.part], run.manifest)
    if model.get("student_from_teacher") and not run.begun:
        parts["reid"] = copy.deepcopy(parts["teacher"])
    return parts


def train_phase(run: Run, model: Settings, name: str) -> Path:
    """The checkpoint of a phase: found, if one was made with the same settings; else trained, and kept."""
    folder = Path(run.cfg.phases_dir) / f"{run.cfg.dataset.name}-{name}-{phase_hash(run, model)}"
    return keep(folder, name, lambda begun: fit(run, model, folder, f"{run.cfg.name}-{name}", begun))


def phase_hash(run: Run, model: Settings) -> str:
    """Equal for phases that would come out equal."""
    return settings_hash(
        {
            "model": model,
            "weights": given_digests(model),
            "data": run.manifest.hash(),
            "seed": run.cfg.seed,
            "same_batch": run.cfg.same_batch,
            "trainer": OmegaConf.to_container(run.cfg.trainer, resolve=True),
            "callbacks": OmegaConf.to_container(run.cfg.callbacks, resolve=True),
            "versions": versions(),
        }
    )


def fit(run: Run, model: Settings, folder: Path, name: str, begun: Begun | None, **parts: nn.Module) -> Path:
    """Train one model in `folder`; the path of its last checkpoint."""
    cfg = run.cfg
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    task, recipe, data = build_phase(run, model, **parts)
    task.meta = meta_of(cfg, run.manifest, model)
    checkpoint = folder / CHECKPOINT
    epochs = epochs_of(cfg.trainer, recipe)
    keeper = ModelCheckpoint(folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True)
    try:
        trainer = build_trainer(
            cfg.trainer,
            recipe.image_size,
            max_epochs=epochs,
            check_val_every_n_epoch=min(recipe.validate_every, epochs),
            gradient_clip_val=recipe.clip,
            accumulate_grad_batches=recipe.accumulate,
            callbacks=[keeper, *(build(callback) for callback in cfg.callbacks.values()), *callbacks_of(recipe, task)],
            logger=build_loggers(run, folder, name, begun),
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
        )
        task.meta["training"]["processes"] = trainer.world_size
        steps = max(1, data.batches.batches // trainer.world_size // recipe.accumulate)  # short epochs are logged too
        trainer.log_every_n_steps = min(trainer.log_every_n_steps, steps)  # type: ignore[attr-defined]
        with exit_as_shells_do():
            trainer.fit(task, datamodule=data, ckpt_path=begun.file if begun else None, weights_only=True)
        there = checkpoint.is_file()
        meet()  # before one of several processes writes what another is to look for
        if not there:
            if begun is None:
                raise SettingsError(
                    "not one epoch was trained; see to trainer.max_steps and trainer.limit_train_batches"
                )
            log.info("%s: nothing is left to train", begun.file)
            trainer.save_checkpoint(checkpoint)
    finally:
        wandb.finish()
    return checkpoint


def epochs_of(trainer: DictConfig, recipe: Recipe) -> int:
    """How many to train: the recipe has no learning rate for more than its own."""
    return recipe.epochs if trainer.max_epochs is None else min(trainer.max_epochs, recipe.epochs)


def callbacks_of(recipe: Recipe, task: Task) -> list[pl.Callback]:
    """What a recipe says that Lightning does by callbacks. They come after what watches a validation."""
    callbacks: list[pl.Callback] = []
    if recipe.average is not None:
        callbacks.append(Average(recipe.average))
    if recipe.patience is not None:
        callbacks.append(Patience(task.monitor, recipe.patience))
    return callbacks


def build_phase(run: Run, model: Settings, **parts: nn.Module) -> tuple[Task, Recipe, MLRDataModule]:
    """Everything that trains one model."""
    recipe: Recipe = build(model["recipe"])
    task = build_task(model, recipe, build_retrieval(run.cfg.dataset, run.manifest), **parts)
    try:
        task.freeze_parts()
    except ValueError as error:
        raise SettingsError(str(error)) from error
    batch = (recipe.batch.identities, recipe.batch.images)
    data = MLRDataModule(
        run.manifest,
        preprocess_of(model),
        batch,
        recipe.augment,
        seed=run.cfg.seed,
        same_batch=run.cfg.same_batch,
        rates_anew=recipe.rates_anew,
        **run.cfg.loader,
    )
    return task, recipe, data


def build_loggers(run: Run, folder: Path, name: str, begun: Begun | None) -> list[Any]:
    """They go on with what the run has logged in its folder, up to where it goes on from. One that left no checkpoint
    there begins its log anew, as the same W&B run."""
    loggers: list[Any] = [CSVLog(folder, begun.steps if begun and begun.is_in(folder) else 0)]
    if run.cfg.get("logger"):
        config: Any = OmegaConf.to_container(run.cfg, resolve=True)
        config["data_hash"] = run.manifest.hash()
        group = run.cfg.group or run.cfg.name
        how = {"group": group, "config": config, "goes_on": True}
        loggers.append(build(run.cfg.logger, save_dir=folder, name=name, **how))
    return loggers


@hydra.main(config_path=configuration_folder(), config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> float:
    sweeps = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        check_words(cfg, HydraConfig.get().overrides.task)
        if cfg.again is not None:
            cfg = settings_of(cfg.again, cfg, first_names(HydraConfig.get().overrides.task))
        metrics = run_job(cfg, train, processes) if sweeps else train(cfg)
    except USER_ERRORS as error:
        sys.exit(f"error: {error}")
    except (KeyboardInterrupt, SystemExit) as stopped:
        if not sweeps:
            tell_how_to_go_on(cfg)
        sys.exit(stopped.code if isinstance(stopped, SystemExit) else 128 + signal.SIGINT)
    return metrics.get("rank1", metrics.get("psnr_restored", float("nan")))


def check_words(cfg: DictConfig, words: Sequence[str]) -> None:
    """
    Raises:
        SettingsError: a word changes nothing, as it names the network of a phase that takes the model's.
    """
    model: Any = OmegaConf.to_container(cfg.model, resolve=False)
    for phase, network in ((need.phase, need.part) for need in NEEDED):
        same = f"${{model.{network}}}" == (model.get(phase) or {}).get(network)
        idle = [word for word in words if word.lstrip("+").startswith(f"net@model.{phase}.{network}=")]
        if same and idle:
            raise SettingsError(f"{idle[0]} changes nothing: {phase} has the model's network; say net@model.{network}=")


def tell_how_to_go_on(cfg: DictConfig) -> None:
    checkpoint = Path(cfg.output_dir) / CHECKPOINT
    if is_first() and checkpoint.is_file():
        how = "" if cfg.resume == AUTO else f" and {typed('resume', checkpoint)}"
        log.warning("stopped; go on with the same command%s", how)


def processes(cfg: DictConfig) -> int:
    """How many a run would have."""
    return build_trainer(cfg.trainer, cfg.model.recipe.image_size, logger=False).world_size


if __name__ == "__main__":
    main()
