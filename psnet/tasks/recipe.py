"""How a model is trained: everything that is neither network, loss nor data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from psnet.data.dataset import Augmentation
from psnet.data.preprocess import UPSAMPLINGS

STRIDE = 32
"""Of HRNet's coarsest branch, against the image."""


class Schedule(Protocol):
    """See `psnet.tasks.schedules`."""

    def __call__(self, epoch: float, epochs: int, lr: float) -> float: ...


@dataclass(frozen=True)
class Batch:
    """identities (P) x images (K) of each."""

    identities: int
    images: int

    def __post_init__(self) -> None:
        if self.identities < 2 or self.images < 2:
            raise ValueError(
                f"model.recipe.batch={self.identities}x{self.images}: triplets need at least 2 identities x 2 images"
            )


@dataclass(frozen=True)
class Recipe:
    """
    image_size: (height, width) of the network's input, in training and ever after.
    upsampling: how images get to that size: "bilinear", the method's, or "bicubic".
    epochs: length of the run. batch: of the P x K sampler. augment: a torchvision v2 transform.
    rates_anew: a training image's rate is drawn each time it is shown, see `psnet.data.dataset.PairDataset`.
    optimizer: takes parameter groups. schedule: see `psnet.tasks.schedules`.
    validate_every: epochs between two validations.
    average: decay of a moving average of the weights (0 to 1, such as 0.99, about the last 100 steps), which is what is
        validated, kept and scored; None for the weights themselves.
    patience: so many validations in a row without a better `Task.monitor` end the training; None for none.
    clip: largest Euclidean norm of all gradients together; longer ones are shortened to it. None for none.
    accumulate: so many batches make a step, of the mean of their gradients.
    frozen: parts of the task by dotted name, such as "reid.backbone.layer1", that keep their weights and statistics.
    lr_factors: of the learning rate, by part; the longest name that fits a weight decides.
    """

    image_size: tuple[int, int]
    epochs: int
    batch: Batch
    augment: Augmentation
    optimizer: Callable[[Iterable[nn.Parameter] | Iterable[dict[str, Any]]], Optimizer]
    schedule: Schedule
    validate_every: int = 1
    upsampling: str = "bilinear"
    rates_anew: bool = False
    average: float | None = None
    patience: int | None = None
    clip: float | None = None
    accumulate: int = 1
    frozen: Sequence[str] = ()
    lr_factors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.image_size) != 2 or any(side <= 0 or side % STRIDE for side in self.image_size):
            raise ValueError(
                f"model.recipe.image_size={list(self.image_size)} must be [height, width], both multiples of {STRIDE}: "
                "HRNet halves the image five times"
            )
        if self.upsampling not in UPSAMPLINGS:
            raise ValueError(
                f"model.recipe.upsampling={self.upsampling!r} must be one of {', '.join(UPSAMPLINGS)}; "
                "bilinear is the method's"
            )
        for name in ("epochs", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.recipe.{name}={getattr(self, name)} must be 1 or more epochs")
        if self.average is not None and not 0 < self.average < 1:
            raise ValueError(f"model.recipe.average={self.average} must be between 0 and 1, such as 0.99, or null")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"model.recipe.patience={self.patience} must be a number of validations, or null")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"model.recipe.clip={self.clip} must be positive, or null for none")
        if self.accumulate < 1:
            raise ValueError(f"model.recipe.accumulate={self.accumulate} must be 1 or more batches a step")
        if any(factor <= 0 for factor in self.lr_factors.values()):
            raise ValueError(
                f"model.recipe.lr_factors={dict(self.lr_factors)} must be positive; what is not to be trained is named "
                "in model.recipe.frozen"
            )
