"""Score a checkpoint: python evaluate.py checkpoint=PATH

Writes metrics.json and report.html, and prints the table.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from psnet.checkpoint import read_checkpoint
from psnet.configuration import USER_ERRORS, build, build_manifest, configuration_folder
from psnet.data.datamodule import MLRDataModule
from psnet.data.dataset import EvalDataset
from psnet.data.manifest import Manifest
from psnet.evaluation import Evaluation, facts_of, metrics_of, print_table, report_of, warnings_of, write_json
from psnet.metrics import RetrievalMetric
from psnet.precision import resolve_precision
from psnet.processes import is_first
from psnet.report import write_report
from psnet.tasks import Recipe, Task

log = logging.getLogger("psnet")

# Lightning's own call of a deprecated torch function
warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)

NOT_OF_THE_TASK = ("recipe", "teacher", "teacher_checkpoint", "sr_start", "sr_checkpoint", "student_from_teacher")
"""Keys of a model's configuration that say how to train it rather than what it is."""


def build_retrieval(dataset: DictConfig, manifest: Manifest) -> RetrievalMetric:
    metric: RetrievalMetric = build(
        {"_target_": "psnet.metrics.RetrievalMetric"},
        expected=len(manifest.split("query")) + len(manifest.split("gallery")),
        camera_rule=dataset.source.camera_rule,
        shots=dataset.shots,
        repeats=dataset.repeats,
    )
    return metric


def build_task(model: Mapping[str, Any], recipe: Recipe | None, retrieval: RetrievalMetric, **more: Any) -> Task:
    """The task that a model's resolved configuration describes.

    Args:
        more: arguments that replace configured ones, such as a teacher.
    """
    own = {key: value for key, value in model.items() if key not in NOT_OF_THE_TASK and key not in more}
    task: Task = build(own, recipe=recipe, retrieval=retrieval, **more)
    return task


def build_trainer(trainer: DictConfig, **more: Any) -> pl.Trainer:
    settings: Any = OmegaConf.to_container(trainer, resolve=True)
    settings["precision"] = resolve_precision(settings["precision"])
    built: pl.Trainer = build({key: value for key, value in settings.items() if key not in more}, **more)
    return built


def score(task: Task, manifest: Manifest, image_size: tuple[int, int], cfg: DictConfig) -> Evaluation:
    """One pass over query and gallery."""
    data = MLRDataModule(manifest, image_size, **cfg.loader)
    trainer = build_trainer(cfg.trainer, logger=False, enable_checkpointing=False, enable_model_summary=False)
    trainer.test(task, datamodule=data, verbose=False)
    return Evaluation(task.retrieval_result, task.restoration_scores)


def random_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """The same model without weights from elsewhere."""
    if "reid" not in model:
        return dict(model)
    return {**model, "reid": {**model["reid"], "weights": None}}


def evaluate_checkpoint(
    checkpoint: Path, cfg: DictConfig, folder: Path, dataset: DictConfig | None = None, manifest: Manifest | None = None
) -> dict[str, float]:
    """Score a checkpoint, write metrics.json and report.html into `folder`, print the table.

    Args:
        cfg: trainer, loader, report, untrained.
        dataset: other than the checkpoint's own. manifest: of the data set, where it has been prepared already.
    """
    content = read_checkpoint(checkpoint)
    meta = content["psnet"]
    dataset = OmegaConf.create(meta["dataset"]) if dataset is None else dataset
    manifest = build_manifest(dataset) if manifest is None else manifest
    model = random_weights(meta["model"])
    image_size = tuple(model["recipe"]["image_size"])

    pl.seed_everything(meta["seed"], workers=True, verbose=False)
    task = build_task(model, None, build_retrieval(dataset, manifest))
    untrained = score(task, manifest, image_size, cfg) if cfg.untrained else None
    task.load_state_dict(content["state_dict"])
    trained = score(task, manifest, image_size, cfg)
    metrics = metrics_of(trained, untrained)
    facts = facts_of(checkpoint, content, dataset, manifest, str(resolve_precision(cfg.trainer.precision)))
    if is_first():
        write_json({"metrics": metrics, "facts": facts}, folder / "metrics.json")
        report = report_of(task.eval(), trained, metrics, facts, EvalDataset(manifest, image_size), **cfg.report)
        print_table(metrics, write_report(report, folder / "report.html"))
        for warning in warnings_of(metrics, facts):
            log.warning("%s", warning)
    return metrics["trained"]


@hydra.main(config_path=configuration_folder(), config_name="evaluate", version_base="1.3")
def main(cfg: DictConfig) -> None:
    if OmegaConf.is_missing(cfg, "checkpoint"):
        sys.exit("error: no checkpoint is given; say checkpoint=PATH, such as outputs/.../last.ckpt")
    named = HydraConfig.get().runtime.choices.get("dataset")
    try:
        dataset = cfg.dataset if named else None
        evaluate_checkpoint(Path(cfg.checkpoint), cfg, Path(cfg.output_dir), dataset)
    except USER_ERRORS as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
