"""HRNet-ReID: a high-resolution backbone, pooled on every branch, and a bottleneck classifier.

Section and constants after PS-HRNet (Zhang et al., IEEE TIP 2021) and the behaviour of its released results.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from psnet.models.backbone import create_backbone, load_covering, load_official, read_state
from psnet.models.normalise import Normalise


class ReIDFeatures(NamedTuple):
    """What HRNet-ReID says of B images.

    branches: one flattened vector per branch, for HRNet (B, 2048), (B, 1024), (B, 2048), (B, 1024).
    pooled: the branches side by side, (B, 6144). neck: FC1 after batch norm, before dropout, (B, 512).
    logits: (B, num_classes).
    """

    branches: tuple[Tensor, ...]
    pooled: Tensor
    neck: Tensor
    logits: Tensor

    @property
    def descriptor(self) -> Tensor:
        """pooled and neck side by side, (B, 6656): the embedding before flip test and normalisation."""
        return torch.cat([self.pooled, self.neck], dim=1)

    @property
    def compared(self) -> tuple[Tensor, ...]:
        """What L_PS compares between teacher and student: pooled, the branches, the logits."""
        return (self.pooled, *self.branches, self.logits)


class BranchPool(nn.Module):
    """AdaptiveAvgPool + weight * AdaptiveMaxPool to size x size, flattened in (channel, row, column) order."""

    def __init__(self, size: int, max_weight: float) -> None:
        super().__init__()
        self.average = nn.AdaptiveAvgPool2d(size)
        self.maximum = nn.AdaptiveMaxPool2d(size)
        self.max_weight = max_weight

    def forward(self, maps: Tensor) -> Tensor:
        return (self.average(maps) + self.max_weight * self.maximum(maps)).flatten(1)


class HRNetReID(nn.Module):
    """Backbone, branch pooling, bottleneck and classifier.

    Args:
        num_classes: identities in the training set.
        backbone: a timm model that offers `features_only` with maps at strides 4, 8, 16 and 32.
        weights: "imagenet" (timm's, from the hub), the path of an official HRNet `.pth`, that of a checkpoint that
            psnet trained on other people (everything but the classifier is taken), or None for random.
        pool_sizes: side of each branch's pooled map. 4/2/2/1 is what the authors' saved results used; their last
            revision pools branch 2 by 3 and does not fit its own classifier.
        max_weights: weight of the maximum beside the average, per branch.
        bottleneck: width of FC1.
        dropout: between batch norm and FC2.

    Raises:
        ValueError: timm does not know the backbone, or it does not give such maps of images of any size.
        WeightsError: the weights cannot be had, do not cover the whole network, or want images normalised otherwise.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = "hrnet_w32",
        weights: str | None = "imagenet",
        pool_sizes: Sequence[int] = (4, 2, 2, 1),
        max_weights: Sequence[float] = (0.5, 0.2, 0.2, 0.2),
        bottleneck: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone_name = backbone
        self.normalise = Normalise()
        self.backbone, channels = create_backbone(backbone, imagenet=weights == "imagenet")
        self.pools = nn.ModuleList(BranchPool(s, w) for s, w in zip(pool_sizes, max_weights, strict=True))
        width = sum(c * s * s for c, s in zip(channels, pool_sizes, strict=True))
        self.fc1 = nn.Linear(width, bottleneck)
        self.bn = nn.BatchNorm1d(bottleneck)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(bottleneck, num_classes, bias=True)
        self._init_head()
        if weights not in (None, "imagenet"):
            self._load(Path(str(weights)))

    def _init_head(self) -> None:
        nn.init.kaiming_normal_(self.fc1.weight, mode="fan_out")
        nn.init.zeros_(self.fc1.bias)
        nn.init.normal_(self.bn.weight, 1.0, 0.02)
        nn.init.zeros_(self.bn.bias)
        nn.init.normal_(self.fc2.weight, 0.0, 0.001)
        nn.init.zeros_(self.fc2.bias)

    def _load(self, file: Path) -> None:
        """The backbone of an official file; of a checkpoint of psnet all but the classifier, as people are others."""
        state, refusal = read_state(file), f"{file} does not fit {self.backbone_name}"
        own = {key.removeprefix("reid."): value for key, value in state.items() if key.startswith("reid.")}
        if own:
            own |= {f"fc2.{name}": value for name, value in self.fc2.state_dict().items()}
            load_covering(self, own, refusal)
        else:
            load_official(self.backbone, state, refusal)

    def forward(self, images: Tensor) -> ReIDFeatures:
        """images (B, 3, H, W), RGB in [0, 1]."""
        maps = self.backbone(self.normalise(images))  # strides 4, 8, 16, 32
        branches = tuple(pool(m) for pool, m in zip(self.pools, maps, strict=True))
        pooled = torch.cat(branches, dim=1)
        neck = self.bn(self.fc1(pooled))
        return ReIDFeatures(branches, pooled, neck, self.fc2(self.dropout(neck)))
