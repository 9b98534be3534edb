"""Protocols beyond the paper from end to end: trained, scored, inspected and written as files."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from omegaconf import DictConfig

import train as main_job
from evaluate import evaluate_checkpoint
from psnet.cli import main as psnet
from psnet.configuration import build_manifest
from psnet.data.manifest import Manifest
from psnet.data.samples import DataError
from psnet.data.synthetic import read_synthetic
from tests.composed import composed
from tests.tiny import QUICK

PROTOCOL = "dataset.source.protocol"
READER = {"identities": 8, "cameras": 2, "images_per_camera": 2, "height": 64, "width": 32}
DATA = [
    "dataset=mlr_synthetic",
    *(f"dataset.source.reader.{name}={value}" for name, value in READER.items()),
    f"{PROTOCOL}.low_cameras=[2]",
    f"{PROTOCOL}.train_identities=4",
]
MODEL = [
    "model=hrnet_reid_sr_small",
    f"model.reid.backbone={QUICK}",
    "model.sr_start=null",
    "model.recipe.image_size=[64,32]",
    "model.recipe.epochs=1",
    "model.recipe.validate_every=1",
    "model.recipe.batch.identities=2",
    "model.recipe.batch.images=2",
    "callbacks={}",
    "logger=none",
]
QUIET = ["loader.workers=0", "untrained=false", "report.ranked_lists=1", "report.restored=2"]


class World(NamedTuple):
    """drawn: root of drawn people. checkpoint: trained on some, without variants. compose: of a job by its name."""

    folder: Path
    drawn: Path
    checkpoint: Path
    compose: Callable[..., DictConfig]


@pytest.fixture(scope="module")
def world(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("variants")

    def configuration(job: str, *overrides: str) -> DictConfig:
        where = [f"output_dir={folder / 'unused'}", *QUIET]
        where += ["name=tiny", f"phases_dir={folder / 'phases'}"] if job == "train" else ["checkpoint=unused"]
        root = f"dataset.source.reader.root={drawn}"
        named = any(override == "dataset=mlr_synthetic" for override in overrides)
        return composed(*overrides, *where, *([root] if named else []), job=job)

    world = World(folder, drawn, folder / "plain" / "last.ckpt", configuration)
    trained(world, "plain", *DATA)
    return world


def trained(world: World, name: str, *overrides: str) -> dict[str, float]:
    cfg = world.compose("train", *MODEL, *overrides)
    cfg.output_dir = str(world.folder / name)
    return main_job.train(cfg)


class Scored(NamedTuple):
    trained: dict[str, float]
    metrics: dict[str, Any]
    facts: dict[str, str]
    page: str


def scored(world: World, *overrides: str, checkpoint: Path | None = None) -> Scored:
    folder = world.folder / f"scored{len(list(world.folder.iterdir()))}"
    found = evaluate_checkpoint(checkpoint or world.checkpoint, world.compose("evaluate", *overrides), folder)
    content = json.loads((folder / "metrics.json").read_text())
    return Scored(found, content["metrics"], content["facts"], (folder / "report.html").read_text())


def prepared(world: World, *overrides: str) -> Manifest:
    return build_manifest(world.compose("train", *DATA, *overrides).dataset)


def rates(metrics: dict[str, Any]) -> dict[float, int]:
    """Queries by rate, in the order of the table."""
    return {row["rate"]: row["queries"] for row in metrics["per_rate"]}


pytestmark = pytest.mark.slow


# A finished checkpoint


def test_rates_that_training_has_not_shown(world: World):
    unseen = scored(world, "variant=unseen_rates")
    assert rates(unseen.metrics) == {8.0: 8}
    row = unseen.metrics["per_rate"][0]
    assert {name: row[name] for name in unseen.trained if name in row} == {
        name: value for name, value in unseen.trained.items() if not name.startswith(("psnr", "ssim"))
    }
    assert [(row["rate"], row["count"]) for row in unseen.metrics["restoration"]] == [(8.0, 8)]
    assert unseen.facts["Variant"] == "test_rates [8]"
    assert "with the same training people but another protocol" in unseen.page
    assert "A query of rate r has 1/r" in unseen.page


def test_the_checkpoints_own_data_or_the_same_by_name(world: World):
    own = scored(world, "variant=unseen_rates", f"{PROTOCOL}.test_rates=[2,3,4,8]")
    named = scored(world, *DATA, "variant=unseen_rates", f"{PROTOCOL}.test_rates=[2,3,4,8]")
    assert (own.metrics, own.facts) == (named.metrics, named.facts)
    drawn = prepared(world, "variant=unseen_rates", f"{PROTOCOL}.test_rates=[2,3,4,8]")
    assert own.facts["Data hash"] == drawn.hash()
    assert rates(own.metrics) == dict(sorted(Counter(row.rate for row in drawn.split("query")).items()))


def test_rates_are_those_of_queries_where_the_gallery_is_mixed(world: World):
    variants = ["variant=[unseen_rates,mixed_gallery]", f"{PROTOCOL}.test_rates=[2,8]"]
    mixed, drawn = scored(world, *variants), prepared(world, *variants)
    low = [row.rate for row in drawn.rows if row.is_low and row.split != "train"]
    queries = Counter(row.rate for row in drawn.split("query"))
    assert rates(mixed.metrics) == dict(sorted(queries.items()))
    assert {row["rate"]: row["count"] for row in mixed.metrics["restoration"]} == Counter(low)
    assert len(low) > queries.total()
    for name in ("rank1", "mAP", "mINP"):
        mean = sum(row[name] * row["queries"] for row in mixed.metrics["per_rate"]) / 8
        assert mixed.trained[name] == pytest.approx(mean)
    assert mixed.facts["Variant"] == "test_rates [2, 8], gallery_low_share 0.5"


def test_another_split_is_refused_unless_allowed(world: World, caplog: pytest.LogCaptureFixture):
    split = [*DATA, f"{PROTOCOL}.split=1"]
    other = prepared(world, f"{PROTOCOL}.split=1")
    count = len(other.trained_on(prepared(world).train_digests()))
    assert count > 0
    with pytest.raises(
        DataError, match=rf"{count} of the 16 query and gallery images were trained on by the checkpoint, e\.g\. "
    ):
        scored(world, *split)
    with caplog.at_level(logging.WARNING):
        allowed = scored(world, *split, "allow_trained_images=true")
    assert "The figures are too good" in caplog.text
    assert "The figures are too good" in allowed.page


def another_set(world: World) -> list[str]:
    """Other people, in a CSV file."""
    people = read_synthetic(world.drawn, seed=5, **READER)
    file = people.root / "people.csv"
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "pid", "camid"])
        writer.writerows([sample.path, sample.pid, sample.camid] for sample in people.samples)
    return ["dataset=csv", f"dataset.source.reader.path={file}", f"{PROTOCOL}.low_cameras=[2]"]


def test_another_set(world: World, caplog: pytest.LogCaptureFixture):
    other = [*another_set(world), f"{PROTOCOL}.train_identities=4"]
    with caplog.at_level(logging.WARNING):
        found = scored(world, *other)
    said = "A test across data sets: trained on mlr_synthetic, tested on csv."
    assert said in caplog.text
    assert said in found.page
    assert "split" not in caplog.text
    assert "too good" not in found.page
    assert found.facts["Trained on"] == "mlr_synthetic"
    assert found.facts["Data set"].startswith("csv")


# Training


def test_bicubic_up_sampling_in_training_and_after(world: World):
    metrics = trained(world, "bicubic", *DATA, "model.recipe.upsampling=bicubic")
    again = scored(world, checkpoint=world.folder / "bicubic" / "last.ckpt")
    assert again.trained == metrics
    assert again.facts["Up-sampling"] == "bicubic"
    plain = scored(world)
    assert metrics["psnr_restored"] != plain.trained["psnr_restored"]


def test_all_variants_in_training(world: World):
    every = "variant=[unseen_rates,mixed_gallery,realistic,per_identity]"
    metrics = trained(world, "every", *DATA, every)
    again = scored(world, checkpoint=world.folder / "every" / "last.ckpt")
    assert again.trained == metrics
    assert rates(again.metrics) == {8.0: 8}
    kept = (world.folder / "every" / "manifest.csv").read_text()
    assert kept.count("jpeg(") == len([row for row in prepared(world, every).rows if row.is_low])


def test_a_set_with_its_own_training_images_in_the_gallery(world: World):
    other = another_set(world)
    file = Path(other[1].partition("=")[2])
    lines = file.read_text().splitlines()
    parts = ["split", *(["train"] * 16), *(["query", "query", "gallery", "gallery"] * 4)]
    copied = file.with_name("copied.csv")
    train, twin = lines[1].split(",")[0], lines[-1].split(",")[0]
    (file.parent / "copy.png").write_bytes((file.parent / train).read_bytes())
    rows = [f"{line},{part}" for line, part in zip(lines, parts, strict=True)]
    copied.write_text("\n".join(rows).replace(twin, "copy.png") + "\n")
    settings = [other[0], f"dataset.source.reader.path={copied}", f"{PROTOCOL}.low_cameras=[2]"]
    with pytest.raises(
        DataError, match=r"1 of the 16 query and gallery images were trained on by this run, e\.g\. copy\.png"
    ):
        trained(world, "copied", *settings, "dataset.source.camera_rule=false")
    assert {file.name for file in (world.folder / "copied").iterdir()} <= {"lock"}


# As files


def test_variants_of_files(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: Any):
    variants = ["variant=[unseen_rates,mixed_gallery,realistic]", f"dataset.source.reader.root={world.drawn}"]
    drawn = prepared(world, variants[0])
    with caplog.at_level(logging.INFO):
        psnet(["inspect", *DATA, *variants])
    low = sum(row.is_low for row in drawn.split("gallery"))
    assert f"gallery      4 identities       8 images ({low} at 1/8)" in caplog.text
    assert "degraded in several steps, e.g. " in caplog.text
    psnet(["build-mlr", str(tmp_path / "set"), *DATA, *variants])
    listed = tmp_path / "set" / "images.csv"
    assert len(list((tmp_path / "set" / "gallery").glob("*.bmp"))) == low
    from_files = scored(world, "dataset=csv", f"dataset.source.reader.path={listed}")
    made = scored(world, variants[0])
    names = ("rank1", "rank5", "mAP", "psnr_bicubic", "psnr_restored")
    assert [from_files.trained[n] for n in names] == pytest.approx([made.trained[n] for n in names])
