"""From what a task found to what is kept of it: the metrics and facts of metrics.json, and the closing table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from psnet.atomic import write_whole
from psnet.browsing import browser_of
from psnet.data.dataset import EvalDataset
from psnet.data.manifest import Manifest
from psnet.data.protocol import variants_of
from psnet.findings import Findings, findings_of, shares
from psnet.metrics import Interval, RestorationScore, Retrieval, chance, overall, summarise
from psnet.pictures import (
    choose_queries,
    choose_restorations,
    explained_queries,
    ranked_list,
    restorations,
    with_thumbnails,
)
from psnet.report import NO_ROOM, RateRow, Report, RestorationRow, Row, room_for_thumbnails
from psnet.report.terms import metric_value, term
from psnet.tasks import Task

SYSTEMS = {
    "trained": "",
    "untrained": "the same network with random weights",
    "bound": "the teacher, who is shown sharp queries",
    "chance": "the expectation of a random ranking",
}
"""What is scored, in the order shown; what each is beside the trained network."""

SHOWN = ("rank1", "rank5", "rank10", "mAP")
"""Columns of the closing table."""


@dataclass(frozen=True)
class Evaluation:
    """What one pass over query and gallery found. retrieval: None of a model that only restores."""

    retrieval: Retrieval | None
    restoration: list[RestorationScore]

    @cached_property
    def findings(self) -> Findings | None:
        """All figures, with how far to trust them."""
        return None if self.retrieval is None else findings_of(self.retrieval, {"rate": self.retrieval.query.rate})


def metrics_of(
    trained: Evaluation, untrained: Evaluation | None = None, bound: Evaluation | None = None
) -> dict[str, Any]:
    """All figures, plain values, in the form of metrics.json."""
    metrics: dict[str, Any] = {"trained": _figures(trained)}
    for name, evaluation in (("untrained", untrained), ("bound", bound)):
        if evaluation is not None:
            metrics[name] = _figures(evaluation)
    if trained.findings is not None:
        found = trained.findings.as_json()
        metrics["chance"] = chance(trained.retrieval.results)  # type: ignore[union-attr]
        metrics["per_rate"] = found.pop("groups")["rate"]
        metrics |= found
    if trained.restoration:
        metrics["restoration"] = [asdict(row) for row in trained.restoration]
    return metrics


def _figures(evaluation: Evaluation) -> dict[str, float]:
    figures: dict[str, float] = {}
    if evaluation.retrieval is not None:
        figures |= summarise(evaluation.retrieval.results)
    if evaluation.restoration:
        figures |= overall(evaluation.restoration)
    return figures


def facts_of(
    checkpoint: Path, content: Mapping[str, Any], dataset: DictConfig, manifest: Manifest, precision: str
) -> dict[str, str]:
    """What is needed to do it again, in the order to be shown.

    Args:
        content: of the checkpoint. dataset, manifest, precision: of the evaluation.
    """
    meta = content["psnet"]
    model, protocol = meta["model"], dataset.source.protocol
    variants = variants_of(protocol)
    whole = manifest.hash()
    # sets that were joined in training are not needed to evaluate
    trained_on = meta["set_hash"] if whole == meta["set_hash"] else meta["data_hash"]
    shots = "multi-shot" if dataset.shots == "multi" else f"single-shot, mean of {dataset.repeats} draws"
    facts = {
        "Data set": f"{dataset.name}, split {protocol.split}, seed {protocol.seed}",
        **({"Variant": ", ".join(f"{name} {value}" for name, value in variants.items())} if variants else {}),
        "Data hash": whole,
        "Trained on": meta["dataset"]["name"] + "".join(f" + {name}" for name in meta["joined"]),
        "Data hash in training": trained_on,
        "Evaluation": f"{shots}, same-camera rule {'on' if dataset.source.camera_rule else 'off'}, flip test",
        "Model": model["_target_"].rpartition(".")[2],
    }
    if "reid" in model:
        reid = model["reid"]
        backbone = reid.get("backbone") or reid["_target_"]  # a network of one's own may have none
        facts["Backbone"] = f"{backbone}, weights before training: {meta['weights']}"
    if "sr" in model:
        settings = (f"{name}={value}" for name, value in model["sr"].items() if name != "_target_")
        facts["Super-resolution"] = ", ".join([model["sr"]["_target_"].rpartition(".")[2], *settings])
    (height, width), epochs = model["recipe"]["image_size"], model["recipe"]["epochs"]
    return facts | {
        "Input size": f"{height} x {width}",
        "Up-sampling": model["recipe"]["upsampling"],
        "Trained": f"{content['global_step']:,} steps, {min(content['epoch'] + 1, epochs)} of {epochs} epochs",
        "Precision": precision,
        "Seed": str(meta["seed"]),
        "Checkpoint": str(checkpoint),
        "Revision": meta["git_revision"] or "unknown",
        "Versions": ", ".join(f"{name} {version}" for name, version in meta["versions"].items()),
    }


def report_of(
    task: Task,
    found: Evaluation,
    metrics: Mapping[str, Any],
    facts: Mapping[str, str],
    notes: Sequence[str],
    images: EvalDataset,
    ranked_lists: int = 6,
    restored: int = 12,
    regions: int = 0,
) -> Report:
    """The page on a trained task.

    Args:
        metrics, facts: `metrics_of`, `facts_of`. notes: what a reader must know. images: query and gallery.
        ranked_lists: how many of each kind. restored: how many low images beside their restorations. regions: of how
            many queries of each kind to show which regions made the scores.

    Raises:
        RegionsError: regions are asked for, and cannot be had; see `check_explainable`.
    """
    systems = [name for name in SYSTEMS if found.retrieval and name in metrics]
    intervals = {"trained": metrics.get("intervals", {})}
    report = Report(
        title=f"{facts['Model']} on {facts['Data set'].partition(',')[0]}",
        subtitle=facts["Evaluation"],
        facts=facts,
        summary=[Row(name, _retrieval_only(metrics[name]), intervals.get(name, {})) for name in systems],
        restoration=restorations(task, images, choose_restorations(images, restored)),
        restoration_table=[
            RestorationRow(**{**row, "rate": _known(row["rate"])}) for row in metrics.get("restoration", ())
        ],
        notes=[*notes, *(f"{name}: {SYSTEMS[name]}." for name in systems if SYSTEMS[name])],
    )
    if found.retrieval is None:
        return report
    report = replace(report, **_retrieval_parts(task, found, images, ranked_lists))
    report = replace(report, regions=explained_queries(task, found.retrieval, images, regions))
    room = room_for_thumbnails(report)
    assert report.browser is not None
    if not room:
        return replace(report, notes=[*report.notes, NO_ROOM])
    return replace(report, browser=with_thumbnails(report.browser, task, images, room))


def _retrieval_parts(task: Task, found: Evaluation, images: EvalDataset, ranked_lists: int) -> dict[str, Any]:
    """What the page says of the ranking, by the names of `Report`."""
    retrieval, findings = found.retrieval, found.findings
    assert retrieval is not None
    assert findings is not None
    queries = choose_queries(retrieval, ranked_lists)
    native, roc = _has_native_queries(images), findings.roc()
    rates = [_known(rate) if native else rate for rate in retrieval.query.rate.tolist()]
    return {
        "cmc": {"trained": findings.cmc},
        "cmc_band": findings.bands("trained"),
        "roc": {"trained": roc} if roc else {},
        "ap": retrieval.results.ap[retrieval.results.valid].tolist(),
        "per_rate": [_rate_row(rate, *row, native=native) for rate, row in findings.groups["rate"].items()],
        "ranked": {k: [ranked_list(task, retrieval, images, q) for q in chosen] for k, chosen in queries.items()},
        "browser": browser_of(retrieval, [row.path for row in images.rows], rates),
    }


def _retrieval_only(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if not name.startswith(("psnr", "ssim"))}


def _has_native_queries(images: EvalDataset) -> bool:
    """Queries that are low by a factor nobody knows; their rate reads 1."""
    return any(row.native_low and row.rate == 1 for row in images.rows if row.split == "query")


def _known(rate: float) -> float | None:
    """Of images that are low: rate 1 stands for a factor nobody knows."""
    return None if rate == 1 else rate


def _rate_row(rate: float, row: Mapping[str, float], intervals: Mapping[str, Interval], native: bool) -> RateRow:
    return RateRow(_known(rate) if native else rate, int(row["queries"]), shares(row), shares(intervals))


def warnings_of(metrics: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the figures themselves; of the data: `psnet.provenance`."""
    lost = int(metrics["trained"].get("queries_without_match", 0))
    return [f"{lost:,} queries have no match in the gallery. They are left out of every score."] if lost else []


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(content, indent=2) + "\n")


def print_table(metrics: Mapping[str, Any], report: Path) -> None:
    """Trained beside chance and untrained, in percent; restoration below; the report's path last."""
    console = Console()
    if "chance" in metrics:
        console.print(_retrieval_table(metrics))
    if "restoration" in metrics:
        console.print(_restoration_table(metrics["restoration"]))
    console.print("Report:", str(report), soft_wrap=True, highlight=False, markup=False)


def _retrieval_table(metrics: Mapping[str, Any]) -> Table:
    table = Table(title="Retrieval, %")
    table.add_column("")
    for key in SHOWN:
        table.add_column(term(key), justify="right")
    for name in SYSTEMS:
        if name in metrics:
            table.add_row(name, *(metric_value(metrics[name], key) for key in SHOWN))
    return table


def _restoration_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Restored low images against high")
    for name in ("rate", "images", "PSNR bicubic", "restored", "SSIM bicubic", "restored"):
        table.add_column(name, justify="right")
    for row in rows:
        psnr = [f"{row[f'psnr_{kind}']:.2f} dB" for kind in ("bicubic", "restored")]
        ssim = [f"{row[f'ssim_{kind}']:.3f}" for kind in ("bicubic", "restored")]
        rate = "native" if _known(row["rate"]) is None else f"1/{row['rate']:g}"
        table.add_row(rate, str(row["count"]), *psnr, *ssim)
    return table
