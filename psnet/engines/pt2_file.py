"""torch.export's own file, run by PyTorch without the task's code."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from psnet.engines.errors import EngineError
from psnet.engines.exported import ExportedEngine


def write_pt2(program: ExportedProgram, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's about its own
        torch.export.save(program, file)


def open_pt2(file: Path, device: str, precision: str, inside: bool) -> ExportedEngine:
    """Only of a file of one's own: PyTorch unpickles what such a file tells it to, which may run code.

    Raises:
        EngineError: another device than the CPU, where it was traced, or another precision is asked for.
    """
    if device not in ("auto", "cpu"):
        raise EngineError(f"device={device!r}: the graph in {file.name} was traced on the CPU; give cpu, or auto")
    if precision not in ("auto", "32-true"):
        raise EngineError(f"precision={precision!r}: the graph in {file.name} computes in 32-true; give that, or auto")
    graph = torch.export.load(file).module()

    def run(images: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        with torch.inference_mode():
            return [output.numpy() for output in graph(torch.from_numpy(images))]

    return ExportedEngine("pt2", run, "32-true", inside)
