"""What a recipe can ask for beside the paper: each by its effect, and none of it in the paper's rows."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.utils.data import DataLoader

from evaluate import build_trainer
from psnet.assembly import build_task
from psnet.callbacks import Patience
from psnet.configuration import SettingsError, build
from psnet.metrics import RetrievalMetric
from psnet.tasks import ReID
from tests.composed import composed
from tests.tasks.tiny import TinyReID, released, tiny_batch, watched
from train import callbacks_of

LR = 0.01


def task(**more: Any) -> ReID:
    torch.manual_seed(0)
    recipe = replace(released("small"), optimizer=partial(torch.optim.SGD, lr=LR), **more)
    return ReID(TinyReID(), recipe=replace(recipe, schedule=lambda epoch, epochs, lr: lr))


def test_the_average_is_what_is_kept(tmp_path: Path):
    """By its recurrence; the first step's weights are the first average."""
    trained = task(average=0.8)
    assert trained.recipe is not None
    seen = watched(trained, tmp_path, epochs=3, callbacks=callbacks_of(trained.recipe, trained), checkpoints=True)
    average = seen.after[0]
    for weights in seen.after[1:]:
        average = {name: 0.8 * average[name] + 0.2 * weights[name] for name in average}
    (file,) = tmp_path.rglob("*.ckpt")
    kept = torch.load(file, weights_only=True)
    for name, weight in trained.named_parameters():
        torch.testing.assert_close(weight.detach(), average[name])
        torch.testing.assert_close(kept["state_dict"][name], average[name])
        torch.testing.assert_close(kept["current_model_state"][name], seen.after[-1][name])


def test_clipping(tmp_path: Path):
    seen = watched(task(), tmp_path, epochs=1, batches=1, gradient_clip_val=0.01)
    step = torch.cat([(seen.before[0][name] - seen.after[0][name]).flatten() for name in seen.before[0]])
    assert step.norm().item() == pytest.approx(LR * 0.01, rel=1e-3)


def test_accumulation(tmp_path: Path):
    """Two batches make one step, of the mean of their gradients."""
    model = task()
    one = copy.deepcopy(model)
    one.log = lambda *_, **__: None  # type: ignore[method-assign]
    gradients: list[dict[str, Tensor]] = []
    for seed in range(2):
        one.zero_grad()
        one.training_step(tiny_batch(seed=seed), 0).backward()
        gradients.append({name: p.grad.clone() for name, p in one.named_parameters() if p.grad is not None})
    seen = watched(model, tmp_path, epochs=1, batches=2, accumulate_grad_batches=2)
    assert len(seen.gradients) == 1
    for name, gradient in seen.gradients[0].items():
        torch.testing.assert_close(gradient, (gradients[0][name] + gradients[1][name]) / 2, rtol=1e-4, atol=1e-6)


class Judged(pl.LightningModule):
    """Validated with figures that are given."""

    def __init__(self, figures: list[float]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.figures = figures

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return (self.weight - 1).square()

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/mAP", self.figures[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_patience(tmp_path: Path):
    """The best is the second of five; two that are no better end it, and it does not go on."""
    figures = [0.1, 0.5, 0.4, 0.5, 0.9]

    def fit(resume: Path | None = None) -> pl.Trainer:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        keeper = pl.callbacks.ModelCheckpoint(tmp_path, filename="last", save_on_train_epoch_end=True)
        keeper._enable_version_counter = False
        callbacks: list[pl.Callback] = [keeper, Patience("val/mAP", 2)]
        trainer = pl.Trainer(max_epochs=5, accelerator="cpu", callbacks=callbacks, num_sanity_val_steps=0, **quiet)
        loader = DataLoader([torch.zeros(())])
        trainer.fit(Judged(figures), loader, loader, ckpt_path=resume, weights_only=True)
        return trainer

    assert fit().current_epoch == 4
    again = fit(tmp_path / "last.ckpt")
    assert again.global_step == 4


def test_a_run_that_goes_on_has_the_patience_it_is_given():
    ended, longer = Patience("val/mAP", 2), Patience("val/mAP", 9)
    ended.wait_count = 2
    longer.load_state_dict(ended.state_dict())
    assert (longer.wait_count, longer.patience) == (2, 9)


@pytest.mark.parametrize("name", ["gradient_clip_val", "accumulate_grad_batches"])
def test_what_is_the_recipes_is_refused_of_the_trainer(name: str):
    with pytest.raises(SettingsError, match=rf"trainer\.{name} is a setting of the recipe here: say model\.recipe\."):
        build_trainer(composed(f"+trainer.{name}=1").trainer, (128, 64))


@pytest.mark.parametrize("row", ["bound", "id", "id_sr", "id_sr_ps"])
def test_none_of_it_in_the_papers_rows(row: str):
    cfg = composed("dataset=mlr_viper", f"experiment={row}")
    for model in (cfg.model, cfg.model.get("teacher")):
        if model is None:
            continue
        recipe = model.recipe
        assert (recipe.average, recipe.patience, list(recipe.frozen), dict(recipe.lr_factors)) == (None, None, [], {})
        assert (recipe.clip, recipe.accumulate) == (None, 1)
        assert recipe.schedule["_target_"].endswith("warm_up_then_steps")
        assert not [one for one in recipe.augment.transforms if "Erasing" in one["_target_"]]


def test_each_is_a_word():
    words = ["model.recipe.average=0.99", "model.recipe.patience=3", "model.recipe.frozen=[reid.backbone.layer1]"]
    words += ["+model.recipe.lr_factors={reid.backbone: 0.1}", "schedule@model.recipe.schedule=cosine"]
    words += ["augment@model.recipe.augment=erasing", "model.recipe.clip=1", "model.recipe.accumulate=2"]
    cfg = composed("dataset=mlr_viper", "model=ps_hrnet", *words)
    assert cfg.model.recipe.schedule["_target_"].endswith("cosine")
    assert cfg.model.recipe.lr_factors == {"reid.backbone": 0.1}
    assert cfg.model.teacher.recipe.average is None
    cfg.model.reid.num_classes, cfg.model.reid.weights = 3, None
    settings: Any = OmegaConf.to_container(cfg.model, resolve=True)
    built = build_task(settings, build(settings["recipe"]), RetrievalMetric(expected=4))
    built.freeze_parts()  # the parts are parts of the published network
    assert 0 < sum(not p.requires_grad for p in built.parameters()) < 100
    groups = built.configure_optimizers()["optimizer"].param_groups
    assert sorted(group["lr"] / group["initial_lr"] for group in groups) == pytest.approx([0.005, 0.05])
