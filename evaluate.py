"""Score a checkpoint: python evaluate.py checkpoint=PATH

Writes metrics.json, card.md and report.html, and prints the table.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from psnet.assembly import build_task, preprocess_of, without_weights
from psnet.card import write_card
from psnet.checkpoint import read_checkpoint
from psnet.configuration import USER_ERRORS, SettingsError, build, build_manifest, configuration_folder
from psnet.data.datamodule import MLRDataModule
from psnet.data.dataset import EvalDataset
from psnet.data.manifest import Manifest
from psnet.data.preprocess import Preprocess
from psnet.embedder import made_by_of
from psnet.embeddings import EmbeddingError, check_target, save_embeddings
from psnet.evaluation import Evaluation, facts_of, metrics_of, print_table, report_of, warnings_of, write_json
from psnet.metrics import RetrievalMetric
from psnet.models import HRNetReID
from psnet.precision import resolve_precision
from psnet.processes import exit_as_shells_do, is_first
from psnet.provenance import check_trained_images, notes_on_training
from psnet.record import run_of
from psnet.regions import RegionsError, check_explainable
from psnet.report import write_report
from psnet.scoring import embeddings_of, notes_on_images
from psnet.tasks import ReID, Task

log = logging.getLogger("psnet")

# Lightning's own call of a deprecated torch function
warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)


def build_retrieval(dataset: DictConfig, manifest: Manifest) -> RetrievalMetric:
    metric: RetrievalMetric = build(
        {"_target_": "psnet.metrics.RetrievalMetric"},
        expected=len(manifest.split("query")) + len(manifest.split("gallery")),
        camera_rule=dataset.source.camera_rule,
        shots=dataset.shots,
        repeats=dataset.repeats,
    )
    return metric


def build_trainer(trainer: DictConfig, image_size: Sequence[int], **more: Any) -> pl.Trainer:
    """image_size: of the network that it trains or scores.

    Raises:
        SettingsError: a setting of the trainer that is the recipe's, or one that this machine has no device for.
    """
    settings: Any = OmegaConf.to_container(trainer, resolve=True)
    moved = {"gradient_clip_val": "clip", "accumulate_grad_batches": "accumulate"}
    for name in moved.keys() & settings.keys():
        raise SettingsError(f"trainer.{name} is a setting of the recipe here: say model.recipe.{moved[name]}")
    settings["precision"] = resolve_precision(settings["precision"], image_size)
    try:
        built: pl.Trainer = build({key: value for key, value in settings.items() if key not in more}, **more)
    except (MisconfigurationException, ImportError) as error:
        raise SettingsError(f"trainer: {error}; see to trainer.accelerator, devices and strategy") from error
    return built


def check_report(report: Mapping[str, Any], task: Task) -> None:
    """What the page is asked to show of a task, before anything is computed.

    Raises:
        SettingsError: a number is none, or the task's scores cannot be explained.
    """
    for name, number in report.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise SettingsError(f"report.{name}={number} must be a number from 0 on, of queries or images to show")
    if report.get("regions"):
        try:
            check_explainable(task)
        except RegionsError as error:
            raise SettingsError(f"report.regions={report['regions']}: {error}") from error


def check_embeddings(file: str | None, task: Task) -> None:
    """Where embeddings are to be written, before anything is computed.

    Raises:
        SettingsError: they could not be written there, or the task makes none.
    """
    if file and task.retrieval is None:
        raise SettingsError(f"embeddings={file}: this network restores images and describes none; leave it out")
    if file:
        try:
            check_target(file)
        except EmbeddingError as error:
            raise SettingsError(f"embeddings: {error}") from error


def score(task: Task, manifest: Manifest, preprocess: Preprocess, cfg: DictConfig) -> Evaluation:
    """One pass over query and gallery."""
    data = MLRDataModule(manifest, preprocess, **cfg.loader)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = build_trainer(cfg.trainer, preprocess.image_size, **quiet)
    with exit_as_shells_do():
        trainer.test(task, datamodule=data, verbose=False)
    return Evaluation(task.retrieval_result, task.restoration_scores)


def scored_dataset(cfg: DictConfig, meta: Mapping[str, Any]) -> DictConfig:
    """The data set that cfg names; else the checkpoint's own, with what cfg says of it, such as a variant."""
    given = cfg.get("dataset") or {}
    if "name" in given:
        return cfg.dataset
    own: DictConfig = OmegaConf.create(meta["dataset"])
    own.merge_with(given)
    return own


def evaluate_checkpoint(
    checkpoint: Path,
    cfg: DictConfig,
    folder: Path,
    dataset: DictConfig | None = None,
    manifest: Manifest | None = None,
    teacher: HRNetReID | None = None,
) -> dict[str, float]:
    """Score a checkpoint, write metrics.json, card.md and report.html into `folder`, print the table.

    Args:
        cfg: trainer, loader, report, untrained, allow_trained_images; and dataset, see `scored_dataset`.
        dataset, manifest: where the data set has been prepared already.
        teacher: scored on sharp queries, as a bound on what can be won on low ones.

    Raises:
        DataError: images to search for, or in, were trained on, and allow_trained_images is not set.
        SettingsError: see `check_report` and `check_embeddings`.
    """
    content = read_checkpoint(checkpoint)
    meta = content["psnet"]
    dataset = scored_dataset(cfg, meta) if dataset is None else dataset
    manifest = build_manifest(dataset) if manifest is None else manifest
    check_trained_images(meta, manifest, cfg.allow_trained_images)
    model = without_weights(meta["model"])
    preprocess = preprocess_of(model)

    pl.seed_everything(meta["seed"], workers=True, verbose=False)
    task = build_task(model, None, build_retrieval(dataset, manifest))
    check_report(cfg.report, task)
    check_embeddings(cfg.get("embeddings"), task)
    untrained = score(task, manifest, preprocess, cfg) if cfg.untrained else None
    task.load_state_dict(content["state_dict"])
    trained = score(task, manifest, preprocess, cfg)
    bound = None
    if teacher is not None and all(row.has_high for row in manifest.split("query")):
        bound = score(ReID(teacher, retrieval=build_retrieval(dataset, manifest)), manifest, preprocess, cfg)
    metrics = metrics_of(trained, untrained, bound)
    precision = str(resolve_precision(cfg.trainer.precision, preprocess.image_size))
    facts = facts_of(checkpoint, content, dataset, manifest, precision)
    notes = [*warnings_of(metrics), *notes_on_training(meta, dataset.name, manifest)]
    if trained.retrieval is not None:
        notes += notes_on_images(trained.retrieval.query, trained.retrieval.gallery)
    if is_first():
        run = run_of(content, dataset, manifest, precision)
        write_card(folder / "card.md", checkpoint, metrics, facts, model)
        images = EvalDataset(manifest, preprocess)
        if cfg.get("embeddings") and trained.retrieval is not None:
            made_by = made_by_of(content, task)
            kept = embeddings_of(trained.retrieval, [row.path for row in images.rows], str(checkpoint), made_by)
            log.info("Embeddings: %s", save_embeddings(kept, cfg.embeddings))
        report = report_of(task.eval(), trained, metrics, facts, notes, images, **cfg.report)
        print_table(metrics, write_report(report, folder / "report.html"))
        for note in notes:
            log.warning("%s", note)
        # last, as it says that the run is finished
        write_json({"metrics": metrics, "facts": facts, "run": run}, folder / "metrics.json")
    return metrics["trained"]


@hydra.main(config_path=configuration_folder(), config_name="evaluate", version_base="1.3")
def main(cfg: DictConfig) -> None:
    if OmegaConf.is_missing(cfg, "checkpoint"):
        sys.exit("error: no checkpoint is given; say checkpoint=PATH, such as outputs/.../last.ckpt")
    try:
        evaluate_checkpoint(Path(cfg.checkpoint), cfg, Path(cfg.output_dir))
    except USER_ERRORS as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
