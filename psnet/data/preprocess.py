"""How an image of any size becomes a network's input: one object for training, evaluation, embedding, export and use.

What is done to pixels beyond it is done elsewhere: files are decoded by `psnet.data.images`, and the networks normalise
for themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from psnet.data.images import Filter, resize

UPSAMPLINGS = {"bilinear": Filter.BILINEAR, "bicubic": Filter.BICUBIC}
"""Ways to the network's input; bilinear is the method's."""


@dataclass(frozen=True)
class Preprocess:
    """Any image, low or sharp, to one size by one filter of Pillow's.

    image_size: (height, width) of the network's input, pixels. upsampling: a name of `UPSAMPLINGS`.

    Raises:
        ValueError: a value is none of these.
    """

    image_size: tuple[int, int] = (256, 128)
    upsampling: str = "bilinear"

    def __post_init__(self) -> None:
        height, width = self.image_size
        if min(height, width) < 1:
            raise ValueError(f"image_size={list(self.image_size)} must be height and width, 1 or more pixels each")
        if self.upsampling not in UPSAMPLINGS:
            raise ValueError(f"upsampling={self.upsampling!r} must be one of {', '.join(UPSAMPLINGS)}")
        object.__setattr__(self, "image_size", (int(height), int(width)))

    def __call__(self, image: Tensor, filter: Filter | None = None) -> Tensor:
        """uint8 RGB (3, H, W) of any size to (3, *image_size).

        Args:
            filter: another, for a look.
        """
        return resize(image, self.image_size, UPSAMPLINGS[self.upsampling] if filter is None else filter)

    def settings(self) -> dict[str, Any]:
        """As plain values, by which two of them can be compared."""
        return {**asdict(self), "image_size": list(self.image_size)}
