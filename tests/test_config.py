"""Every configuration file composes and builds what it names."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from torchvision import tv_tensors

from evaluate import build_trainer, scored_dataset
from psnet.assembly import build_task
from psnet.configuration import SettingsError, build
from psnet.data.protocol import VARIANTS, variants_of
from psnet.data.source import MLRSource
from psnet.metrics import RetrievalMetric
from psnet.models import VDSRCA, HRNetReID, NAFNet, NoRestoration
from psnet.phases import own_settings, without_idle_phases
from psnet.record import row_of
from psnet.tasks import PSHRNet, Recipe, Task
from tests.composed import composed

CONF = Path(__file__).parents[1] / "conf"
NEEDED = {"csv": ["dataset.source.reader.path=x.csv"], "folder": ["dataset.source.reader.root=x"]}
"""What data sets of one's own cannot know."""


def options(group: str) -> list[str]:
    files = (file.relative_to(CONF / group).with_suffix("") for file in (CONF / group).rglob("*.yaml"))
    return sorted(file.as_posix() for file in files if file.parent.name != "base")


def check_model(cfg: DictConfig) -> Task:
    """Builds the task and its recipe, and the same of the phases before it."""
    OmegaConf.set_struct(cfg, False)
    if "reid" in cfg.model:
        cfg.model.reid.num_classes, cfg.model.reid.weights = 3, None
    model: Any = OmegaConf.to_container(cfg.model, resolve=True)
    for part in (model.get("teacher"), model.get("sr_start")):
        if part is not None:
            check_one(part)
            for name in ("image_size", "upsampling"):
                assert part["recipe"][name] == model["recipe"][name]
    return check_one(model)


def check_one(model: dict[str, Any]) -> Task:
    recipe = build(model["recipe"])
    assert isinstance(recipe, Recipe)
    task = build_task(model, recipe, RetrievalMetric(expected=4))
    optimizer = recipe.optimizer(task.parameter_groups())
    for epoch in (0.0, recipe.epochs / 2, recipe.epochs - 0.1):
        for group in optimizer.param_groups:
            assert 0 < recipe.schedule(epoch=epoch, epochs=recipe.epochs, lr=group["lr"]) <= group["lr"]
    return task


@pytest.mark.parametrize("name", options("dataset"))
def test_data_sets(name: str):
    cfg = composed(f"dataset={name}", *NEEDED.get(name, ()))
    assert cfg.dataset.name == name
    source = build(cfg.dataset.source)
    assert isinstance(source, MLRSource)
    assert cfg.dataset.shots in ("single", "multi")


@pytest.mark.parametrize("name", options("variant"))
@pytest.mark.parametrize("data", ["mlr_viper", "caviar", "csv"])
def test_variants(name: str, data: str):
    plain = composed(f"dataset={data}", *NEEDED.get(data, ())).dataset
    varied = composed(f"dataset={data}", f"variant={name}", *NEEDED.get(data, ())).dataset
    assert variants_of(plain.source.protocol) == {}
    changed = variants_of(asdict(build(varied.source).protocol))
    assert len(changed) == 1
    own = OmegaConf.load(CONF / "variant" / f"{name}.yaml")
    assert changed == own
    assert OmegaConf.merge(varied, {"source": {"protocol": dict.fromkeys(changed)}}) == OmegaConf.merge(
        plain, {"source": {"protocol": dict.fromkeys(changed)}}
    )  # and nothing else


def test_several_variants():
    every = f"variant=[{','.join(options('variant'))}]"
    both = composed("dataset=mlr_viper", every, "dataset.source.protocol.test_rates=[2,8]").dataset
    assert variants_of(both.source.protocol) == {
        "test_rates": [2, 8],
        "gallery_low_share": 0.5,
        "degradation": "realistic",
        "rate_per": "identity",
    }
    assert set(variants_of(both.source.protocol)) == set(VARIANTS)


def test_a_variant_of_a_joined_set():
    cfg = composed("+dataset@join.more=mlr_cuhk01", "+variant@join.more.source.protocol=realistic")
    assert variants_of(cfg.join.more.source.protocol) == {"degradation": "realistic"}
    assert variants_of(cfg.dataset.source.protocol) == {}


@pytest.mark.parametrize("name", options("model"))
def test_models(name: str):
    check_model(composed(f"model={name}"))


@pytest.mark.parametrize("name", options("model"))
def test_all_phases_see_images_alike(name: str):
    task = check_model(composed(f"model={name}", "model.recipe.upsampling=bicubic"))
    assert task.recipe is not None
    assert task.recipe.upsampling == "bicubic"


def test_the_published_method():
    """method.md's numbers, as composed."""
    cfg = composed("dataset=mlr_market", "model=ps_hrnet")
    assert cfg.model.reid.weights == "imagenet"
    assert cfg.model.teacher.reid.weights == "imagenet"
    task = check_model(cfg)
    assert isinstance(task, PSHRNet)
    assert sum(p.numel() for p in task.sr.parameters()) == 677_448
    assert (task.ce_weight, task.triplet_weight, task.sr_weight, task.ps_weight) == (1.15, 1.0, 0.5, 0.5)
    assert task.sr_lr is None
    recipe, teacher = build(cfg.model.recipe), build(cfg.model.teacher.recipe)
    assert (recipe.image_size, recipe.epochs, recipe.batch.identities, recipe.batch.images) == ([256, 128], 71, 6, 4)
    assert (teacher.image_size, teacher.batch.identities, teacher.batch.images) == ([256, 128], 8, 4)
    assert [recipe.schedule(epoch=e, epochs=71, lr=0.0085) for e in (0, 5)] == [3e-4, 0.0085]
    assert teacher.schedule(epoch=0, epochs=71, lr=0.0085) == 0.0085


ROWS = {"bound": "bound", "id": "ID", "id_sr": "ID+SR", "id_sr_ps": "ID+SR+PS", "sr": "SR"}
"""What the last part of an experiment's name says, and the row of the table that it is."""


@pytest.mark.parametrize("name", options("experiment"))
def test_experiments(name: str):
    pretrains = name.startswith("pretrain")
    cfg = composed(f"experiment={name}", *([] if pretrains else ["dataset=mlr_viper"]))
    check_model(cfg)
    model: Any = OmegaConf.to_container(cfg.model, resolve=True)
    phases = {"teacher"} & set(model)
    if pretrains:
        assert cfg.dataset.name == "mlr_market751"
        assert set(cfg.join) == {"cuhk01", "pku"}
    else:
        assert cfg.dataset.name == "mlr_viper"
        assert row_of(own_settings(model), dict.fromkeys(phases)) == ROWS[name.rpartition("/")[2]]


@pytest.mark.parametrize("row", ["bound", "id", "id_sr", "id_sr_ps"])
def test_rows_as_published(row: str):
    """Network, size and recipe of Table I are the paper's; teachers are trained by phase 1, the rest by phase 2."""
    cfg = composed("dataset=mlr_cuhk03", f"experiment={row}")
    recipe = build(cfg.model.recipe)
    assert (cfg.model.reid.backbone, cfg.model.reid.weights) == ("hrnet_w32", "imagenet")
    assert (recipe.image_size, recipe.epochs) == ([256, 128], 71)
    assert recipe.schedule(epoch=0, epochs=71, lr=0.0085) == (0.0085 if row == "bound" else 3e-4)
    assert recipe.batch.identities == (8 if row == "bound" else 6)


@pytest.mark.parametrize("name", options("net"))
def test_networks(name: str):
    node: Any = OmegaConf.to_container(composed(f"+net@x={name}").x)
    given = {"num_classes": 3, "weights": None} if "num_classes" in node else {}
    network = build(node | given)
    assert isinstance(network, (VDSRCA, NAFNet, NoRestoration, HRNetReID))


@pytest.mark.parametrize("name", ["vdsr", "nafnet_small", "vdsr_ca"])
def test_another_restorer_is_the_one_that_is_trained_first(name: str):
    for model in ("hrnet_reid_sr_small", "ps_hrnet_small", "ps_hrnet_demo"):
        cfg = composed("dataset=mlr_viper", f"model={model}", f"net@model.sr={name}")
        own = OmegaConf.to_container(composed(f"+net@x={name}").x)
        assert OmegaConf.to_container(cfg.model.sr) == own  # nothing of the one it replaces is left
        first: Any = OmegaConf.to_container(cfg.model.sr_start, resolve=True)
        assert first["sr"] == own
        check_one(first)


def test_another_backbone_is_the_teachers_too():
    cfg = composed("model=ps_hrnet_small", "net@model.reid=resnet50")
    assert cfg.model.teacher.reid.backbone == cfg.model.reid.backbone == "resnet50.tv_in1k"


def test_without_a_restorer_none_is_trained_first(caplog: pytest.LogCaptureFixture):
    cfg = composed("dataset=mlr_viper", "model=hrnet_reid_sr_small", "net@model.sr=none", "model.reid.num_classes=3")
    model: Any = OmegaConf.to_container(cfg.model, resolve=True)
    with pytest.raises(SettingsError, match=r"model\.sr=none has nothing to train; give a network, such as net@model"):
        build_task(model["sr_start"], None, RetrievalMetric(expected=4))
    with caplog.at_level(logging.INFO):
        left = without_idle_phases(model)
    assert "sr_start: left out, as its network has nothing to train" in caplog.text
    assert left == {**model, "sr_start": None}
    task = check_one(left)
    assert isinstance(task, PSHRNet)
    assert task.sr_lr is not None
    assert len(task.parameter_groups()) == 1


@pytest.mark.parametrize("model", ["ps_hrnet_small", "ps_hrnet", "hrnet_reid_small", "vdsr_ca"])
def test_phases_that_train_something_stay(model: str):
    settings: Any = OmegaConf.to_container(composed(f"model={model}", "+model.reid.num_classes=3").model, resolve=True)
    assert without_idle_phases(settings) == settings


def check_augmentation(recipe: Recipe) -> None:
    image = tv_tensors.Image(torch.randint(0, 256, (3, *recipe.image_size), dtype=torch.uint8))
    low, high = recipe.augment(torch.stack([image, image]))
    assert low.dtype == torch.uint8
    assert torch.equal(low, high)


@pytest.mark.parametrize("name", options("recipe"))
def test_recipes(name: str):
    recipe = build(composed(f"+recipe@x={name}").x)
    assert isinstance(recipe, Recipe)
    check_augmentation(recipe)


@pytest.mark.parametrize("name", options("augment"))
def test_augmentations(name: str):
    """Each in the place of a recipe's own."""
    check_augmentation(build(composed("+recipe@x=small", f"augment@x.augment={name}").x))


@pytest.mark.parametrize("name", options("trainer"))
def test_trainers(name: str, tmp_path: Path):
    settings, where = composed(f"trainer={name}").trainer, {"logger": False, "default_root_dir": tmp_path}
    trainer = build_trainer(settings, (256, 128), max_epochs=1, **where)
    assert isinstance(trainer, pl.Trainer)


@pytest.mark.parametrize("name", options("callbacks"))
def test_callbacks(name: str):
    built = [build(callback) for callback in composed(f"callbacks={name}").callbacks.values()]
    assert built
    assert all(isinstance(callback, pl.Callback) for callback in built)


def test_loggers(tmp_path: Path):
    assert not composed("logger=none").get("logger")
    given = {"save_dir": tmp_path, "name": "run", "group": "runs", "config": {"seed": 0}}
    logger = build(composed("logger=wandb").logger, **given)
    logger.experiment.finish()
    assert isinstance(logger, pl.loggers.WandbLogger)
    assert options("logger") == ["none", "wandb"]


def test_evaluation():
    cfg = composed("checkpoint=x.ckpt", job="evaluate")
    assert cfg.get("dataset") is None
    assert cfg.allow_trained_images is composed().allow_trained_images is False
    assert set(composed().report) == set(cfg.report)
    assert composed("checkpoint=x", "dataset=mlr_viper", job="evaluate").dataset.name == "mlr_viper"


def test_what_is_scored():
    """The data set that is named, or the checkpoint's own; a variant changes either."""
    meta = {"dataset": OmegaConf.to_container(composed("dataset=caviar", "dataset.repeats=7").dataset)}
    old = {"dataset": {**meta["dataset"], "source": {**meta["dataset"]["source"]}}}
    old["dataset"]["source"]["protocol"] = {"rates": [2, 3, 4]}  # from before there were variants

    def scored(meta: dict[str, Any], *overrides: str) -> DictConfig:
        return scored_dataset(composed("checkpoint=x", *overrides, job="evaluate"), meta)

    assert scored(meta) == meta["dataset"]
    named = scored(meta, "dataset=mlr_viper", "variant=unseen_rates")
    assert (named.name, variants_of(named.source.protocol)) == ("mlr_viper", {"test_rates": [8]})
    for one in (meta, old):
        own = scored(one, "variant=[unseen_rates,mixed_gallery]", "dataset.source.protocol.test_rates=[2,8]")
        assert (own.name, own.repeats) == ("caviar", 7)
        assert variants_of(own.source.protocol) == {"test_rates": [2, 8], "gallery_low_share": 0.5}
    assert variants_of(meta["dataset"]["source"]["protocol"]) == {}  # the checkpoint's stays as it is


@pytest.mark.parametrize("typo", ["dataset=mlr_vipre", "model.recipe.epoch=3", "modle=ps_hrnet", "variant=unseen_rate"])
def test_a_typo_is_an_error(typo: str):
    with pytest.raises(HydraException, match=r"(?s)mlr_vipre.*mlr_viper|epoch|modle|unseen_rate.*unseen_rates"):
        composed(typo)


def test_a_constructor_is_the_schema():
    with pytest.raises(SettingsError, match=r"psnet\.models\.VDSRCA.*unexpected keyword.*depth"):
        build({"_target_": "psnet.models.VDSRCA", "depth": 3})
