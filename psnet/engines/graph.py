"""What is exported: a task from an image's bytes to its embedding, as one graph without Python."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from psnet.data.preprocess import Preprocess
from psnet.engines.resize import Resize
from psnet.tasks import Task

INPUT = "images"
OUTPUTS = ("embedding", "restored")
"""By these names graphs are fed and read. Networks that restore nothing have the first alone."""


class Graph(nn.Module):
    """Images to embeddings as `Embedder` makes them, mirror image and all.

    Takes bytes (B, H, W, 3), RGB, of any size, as cameras and libraries of images have them; with `preprocess=None`,
    what the network itself takes: float32 (B, 3, h, w) in [0, 1]. Gives the embedding, float32 (B, D) of unit length,
    and the restored image, bytes (B, h, w, 3), of a network that restores.
    """

    def __init__(self, task: Task, preprocess: Preprocess | None) -> None:
        super().__init__()
        self.task = task
        self.resize = None if preprocess is None else Resize(preprocess.image_size, preprocess.upsampling)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        low = images if self.resize is None else self.resize(images) / 255
        restored, embedding = self.task.evaluate(low)
        assert embedding is not None, "a task that describes nothing is no engine"
        if restored is None:
            return (embedding,)
        return embedding, (restored.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def traced(task: Task, preprocess: Preprocess, inside: bool = True) -> ExportedProgram:
    """The graph of a task, in float32 on the CPU as it was loaded, for any number of images.

    Args:
        inside: preprocessing is part of the graph, so images may have any size.
    """
    height, width = preprocess.image_size
    if inside:
        example = torch.zeros(2, height - 1, width - 1, 3, dtype=torch.uint8)  # a size of its own for each dimension
        shapes = {0: Dim("batch"), 1: Dim("height"), 2: Dim("width")}
    else:
        example, shapes = torch.zeros(2, 3, height, width), {0: Dim("batch")}
    graph = Graph(task, preprocess if inside else None).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # PyTorch's about its own
        program = torch.export.export(graph, (example,), dynamic_shapes=(shapes,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where on this machine the network's code lies
    return program
