"""What computes embeddings: a task of psnet in PyTorch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from psnet.data.images import as_unit
from psnet.engines.errors import EngineError
from psnet.precision import resolve_precision
from psnet.tasks import Task

PRECISIONS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""By Lightning's names, which train.py and evaluate.py use too: what a network computes in."""


class TorchEngine:
    """A trained task on a device.

    Args:
        task: from `psnet.assembly.trained_task`. image_size: (height, width) of its input.
        device: "auto", or one of PyTorch's. precision: "auto", as training and evaluation choose it, or a name of
            `PRECISIONS`.

    Raises:
        EngineError: there is no such device or precision.
    """

    def __init__(self, task: Task, image_size: tuple[int, int], device: str = "auto", precision: str = "auto") -> None:
        self.name = "pytorch"
        self.device = _device(device)
        self.precision = str(resolve_precision(precision, image_size, cuda=self.device.type == "cuda"))
        if self.precision not in PRECISIONS:
            raise EngineError(f"precision={precision!r} must be auto or one of {', '.join(PRECISIONS)}")
        self.task = task.to(self.device)

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, h, w) of the network's input size -> float32 (B, D) on the CPU, of unit length."""
        with self._autocast():
            embedding = self.task.evaluate(self._unit(images))[1]
        assert embedding is not None
        return embedding.float().cpu()

    @torch.inference_mode()
    def restore(self, images: Tensor) -> Tensor | None:
        """uint8 (B, 3, h, w) -> uint8 of that shape on the CPU; None of a network that restores nothing."""
        with self._autocast():
            restored = self.task.restore(self._unit(images))
        return None if restored is None else (restored.float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()

    def _unit(self, images: Tensor) -> Tensor:
        return as_unit(images.to(self.device)).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = PRECISIONS[self.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise EngineError(f"device={name!r} cannot be used ({reason}); give auto, cpu or cuda") from error
    return device
