"""Embeddings per second of each engine that a model's folder has, against the checkpoint in 32 bits as it was trained.

    psnet export last.ckpt my-model --to onnx,openvino,int8,pt2 --images crops
    python -m benchmarks.engines my-model --images crops

All are opened, then run in turns on the same batch, so that what else the machine does meets all of them. Rates are of
the whole student, mirror image and all, from images of the network's size; decoding is left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import machine, ratios
from psnet import Embedder
from psnet.data.images import stack
from psnet.embedder.given import listed
from psnet.engines import Engine
from psnet.engines.kept import read_kept
from psnet.engines.opening import open_engine


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", nargs="+", required=True)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(arguments)
    engines = opened(given.model)
    exact = engines["pytorch, 32-true"]
    embedder = Embedder.from_pretrained(given.model, device="cpu", precision="32-true")
    images = [one.load().image for one in listed(given.images).given[: max(given.batches)]]
    batch = stack([embedder.preprocess(images[row % len(images)]) for row in range(max(given.batches))])
    wanted = exact.embed(batch).double()
    print(f"{embedder.made_by}\n{machine()}, {torch.get_num_threads()} threads\n")
    print(
        f"{'':24}{'1 - cos':>9}" + "".join(f"{f'batch {size}: images/s, times 32-true':>42}" for size in given.batches)
    )
    times = {size: timed(engines, batch[:size], given.rounds) for size in given.batches}
    for name, engine in engines.items():
        away = float((1 - (engine.embed(batch).double() * wanted).sum(dim=1)).max())
        cells = []
        for size in given.batches:
            faster = ratios(times[size]["pytorch, 32-true"], times[size][name])
            cells.append(f"{size / statistics.median(times[size][name]):12.1f}  {faster:>26}")
        print(f"{name:24}{max(away, 0.0):9.0e}" + "".join(f"{cell:>42}" for cell in cells), flush=True)


def opened(folder: Path) -> dict[str, Engine]:
    """All that the folder has, in each precision of this machine."""
    content = Embedder.from_pretrained(folder, device="cpu", precision="32-true")
    task, size, digest = content.engine.task, content.preprocess.image_size, content.made_by.digest  # type: ignore[attr-defined]
    kept = read_kept(folder, digest)
    engines: dict[str, Engine] = {}
    for name in ("pytorch", *kept):
        for precision in ("32-true", "auto"):
            if name == "int8" and precision == "32-true":
                continue
            engine = open_engine(name, folder, task, size, digest, "cpu", precision)
            engines[f"{name}, {'8 bits' if name == 'int8' else engine.precision}"] = engine
    return engines


def timed(engines: dict[str, Engine], batch: Tensor, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, all in turn; the first is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            begun = time.perf_counter()
            engine.embed(batch)
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


if __name__ == "__main__":
    main()
