"""What the three tasks share: optimisation by a recipe, and evaluation of what they restore and embed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from psnet.data.dataset import EvalBatch, PairBatch
from psnet.data.sampler import rank_and_world
from psnet.losses import batch_hard_triplet
from psnet.metrics import RestorationMetric, RestorationScore, Retrieval, RetrievalMetric
from psnet.tasks.gather import gather
from psnet.tasks.parts import by_factor, part
from psnet.tasks.recipe import Recipe


class Task(pl.LightningModule):
    """A network in training and under evaluation.

    A subclass has a `training_step`, and says by `restore` and `describe` what its network gives of an image.
    After validation or test, `retrieval_result` and `restoration_scores` hold what was found.

    Args:
        recipe: how to train; None for evaluation alone.
        retrieval: collects embeddings of query and gallery; None where nothing is to be retrieved.
    """

    def __init__(self, recipe: Recipe | None = None, retrieval: RetrievalMetric | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        self.retrieval = retrieval
        self.restoration_val = RestorationMetric(ssim=False)  # SSIM is slow, so it waits for the end
        self.restoration_test = RestorationMetric(ssim=True)
        self.retrieval_result: Retrieval | None = None
        self.restoration_scores: list[RestorationScore] = []
        self.terms: dict[str, Tensor] = {}
        """The loss of the last step and its terms, before weighting, () each."""
        self.meta: dict[str, Any] = {}
        """What a checkpoint says of itself beside the weights: configuration, data, versions. Plain values."""

    @property
    def monitor(self) -> str:
        """The figure of a validation that should rise."""
        return "val/psnr_restored" if self.retrieval is None else "val/mAP"

    @property
    def pools(self) -> nn.ModuleList:
        """What the maps that make up the descriptor go into, each of (B, C, h, w); empty of a task without such."""
        return nn.ModuleList()

    @property
    def sees_high(self) -> bool:
        """It is shown the sharp image of each pair, as a teacher is."""
        return False

    def seen(self, batch: PairBatch | EvalBatch) -> Tensor:
        """The images that the network is shown of a batch, (B, 3, H, W) in [0, 1]."""
        return batch.high if self.sees_high else batch.low

    def restore(self, low: Tensor) -> Tensor | None:
        """The image as super-resolution gives it, (B, 3, H, W), or None of a task that restores nothing."""
        return None

    def describe(self, images: Tensor) -> Tensor | None:
        """Descriptors (B, D) before flip test and normalisation, or None of a task that describes nothing.

        Args:
            images: (B, 3, H, W), restored already where the task restores.
        """
        return None

    def evaluate(self, low: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(restored, embedding) of images in [0, 1], each None where the task has none.

        The embedding is the method's: the sum of the descriptors of the image and its mirror image, L2-normalised.
        """
        restored = self.restore(low)
        straight = self.describe(low if restored is None else restored)
        if straight is None:
            return restored, None
        mirror = low.flip(-1)
        restored_mirror = self.restore(mirror)
        mirrored = self.describe(mirror if restored_mirror is None else restored_mirror)
        assert mirrored is not None
        return restored, F.normalize(straight.float() + mirrored.float(), dim=1)

    # Evaluation

    def validation_step(self, batch: EvalBatch, batch_idx: int) -> None:
        self._collect(batch, "val")

    def test_step(self, batch: EvalBatch, batch_idx: int) -> None:
        self._collect(batch, "test")

    def on_validation_epoch_end(self) -> None:
        self._conclude("val")

    def on_test_epoch_end(self) -> None:
        self._conclude("test")

    def _collect(self, batch: EvalBatch, stage: str) -> None:
        restored, embedding = self.evaluate(self.seen(batch))
        if restored is not None:
            degraded = batch.has_high & batch.is_low
            self._restoration(stage).update(restored, batch.bicubic, batch.high, batch.rate, degraded)
        if embedding is not None and self.retrieval is not None:
            self.retrieval.update(embedding, batch.pid, batch.is_query, batch.camid, batch.rate, batch.row)

    def _restoration(self, stage: str) -> RestorationMetric:
        return self.restoration_test if stage == "test" else self.restoration_val

    def _conclude(self, stage: str) -> None:
        """Compute, log and forget."""
        restoration, self.restoration_scores = self._restoration(stage), []
        if restoration.update_called:
            self._log_figures(stage, restoration.compute())
            self.restoration_scores = restoration.found
            restoration.reset()
        if self.retrieval is not None and self.retrieval.update_called:
            self._log_figures(stage, self.retrieval.compute())
            self.retrieval_result = self.retrieval.found
            self.retrieval.reset()

    def _log_figures(self, stage: str, figures: Mapping[str, float]) -> None:
        known = {f"{stage}/{name}": float(value) for name, value in figures.items() if not math.isnan(value)}
        self.log_dict(known, sync_dist=True)  # equal on all processes already; Lightning cannot know

    # Optimisation

    def on_fit_start(self) -> None:
        self._seed = torch.initial_seed()

    def on_train_batch_start(self, batch: PairBatch, batch_idx: int) -> None:
        """Dropout too depends on the seed and the number of the batch alone, so a run that goes on repeats an
        unbroken one. Each process draws its own."""
        batches = int(self.trainer.num_training_batches)
        number = (self.current_epoch * batches + batch_idx) * self.trainer.world_size + self.global_rank
        torch.manual_seed(self._seed * 1_000_003 + number)

    def freeze_parts(self) -> None:
        """Keep what the recipe says is frozen: before the task is trained, and before DDP looks for what is.

        Raises:
            ValueError: the recipe names a part that there is not, or nothing is left to train.
        """
        if self.recipe is None:
            return
        for name in self.recipe.lr_factors:
            part(self, name, "lr_factors")
        for frozen in self._frozen():
            frozen.requires_grad_(False).eval()
        if not any(p.requires_grad for p in self.parameters()):
            raise ValueError(f"model.recipe.frozen={list(self.recipe.frozen)} leaves nothing to train")

    def train(self, mode: bool = True) -> Task:
        """What is frozen keeps the statistics of its batch norms too."""
        super().train(mode)
        for frozen in self._frozen():
            frozen.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        return [part(self, name, "frozen") for name in (self.recipe.frozen if self.recipe else ())]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All alike, as in the method; the recipe may say otherwise."""
        return [{"params": list(self.parameters())}]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        assert self.recipe is not None, "a task without a recipe cannot be trained"
        recipe = self.recipe
        optimizer = recipe.optimizer(by_factor(self, self.parameter_groups(), recipe.lr_factors))

        def epoch(step: int) -> float:
            if step == 0:  # now: the loader, and so its length, is made when it is known where the run begins
                return 0.0
            return step / math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)

        def scheduled(lr: float, factor: float) -> Callable[[int], float]:
            return lambda step: factor * recipe.schedule(epoch=epoch(step), epochs=recipe.epochs, lr=lr) / (lr or 1.0)

        rates = [scheduled(group["lr"], group.pop("factor")) for group in optimizer.param_groups]
        scheduler = LambdaLR(optimizer, rates)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def triplet(self, vectors: Sequence[Tensor], label: Tensor, margin: float, gathered: bool) -> Tensor:
        """Mean of the batch-hard triplets of several vectors (B, D_i) of the images of a batch.

        Args:
            gathered: take positives and negatives from the batches of all processes. The mean over processes, which DDP
                makes of gradients, is then that of one process with all images.
        """
        if not gathered or rank_and_world()[1] == 1:
            return torch.stack([batch_hard_triplet(x, label, margin) for x in vectors]).mean()
        anchors = [x.float() for x in vectors]
        everybody = gather(torch.cat(anchors, dim=1)).split([x.shape[1] for x in anchors], dim=1)
        labels = gather(label)
        pairs = zip(anchors, everybody, strict=True)
        return torch.stack([batch_hard_triplet(x, label, margin, (others, labels)) for x, others in pairs]).mean()

    def log_terms(self, batch: PairBatch, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """The loss and each of its terms, before weighting. What Lightning shows in a bar it fetches from the device at
        every step, so that is left to `psnet.callbacks.Progress`."""
        size = len(batch.label)
        self.terms = {name: value.detach() for name, value in {**terms, "loss": loss}.items()}
        for name, value in self.terms.items():
            self.log(f"train/{name}", value, batch_size=size)

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["psnet"] = self.meta
        for logger in self.trainer.loggers:  # what was logged up to here is not logged again
            logger.save()
