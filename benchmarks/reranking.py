"""k-reciprocal re-ranking, torchreid's against ours: time, memory and ranks. python -m benchmarks.reranking

Needs the peer, which is no dependency: pip install --no-deps torchreid==0.2.5 (one file of it is run, which needs NumPy
alone). Each run is a process of its own, alternately one of either. Times are of distances already in memory to
re-ranked distances, what the peer needs of full distance matrices included; embeddings are made, and kernels compiled,
before. Memory is the process's peak beyond what it had before, and, in brackets, the whole peak, libraries included.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import machine

LARGE = 200_000
"""Gallery images of --large."""

TIED = 2e-6
"""Distances of the peer that differ by less say nothing on the order: each is rounded to float32 several times."""

ROWS = 1024
"""Queries whose distances are taken at once."""

FIRST = 50
"""Ranks that are looked at separately."""


def embeddings(arguments: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Query (Q, D) and gallery (G, D): a mean for each identity, and noise of the same size."""
    random = torch.Generator().manual_seed(arguments.seed)
    count = arguments.queries + arguments.gallery
    means = torch.randn(arguments.identities, arguments.dimensions, generator=random)
    person = torch.randint(0, arguments.identities, (count,), generator=random)
    found = torch.randn(count, arguments.dimensions, generator=random).add_(means[person])
    return found[: arguments.queries], found[arguments.queries :]


def ours(query: Tensor, gallery: Tensor, progress: bool) -> Iterator[np.ndarray]:
    """Rows of re-ranked distances, a chunk of queries at a time."""
    from psnet.metrics import k_reciprocal  # here, so that the peer's memory has nothing of it

    found = k_reciprocal(query, gallery, progress=_show if progress else None)
    for start in range(0, len(query), ROWS):
        yield found[start : start + ROWS].numpy()


def peer(query: Tensor, gallery: Tensor, _: bool) -> Iterator[np.ndarray]:
    """The same; it squares distances itself."""
    pairs = ((query, gallery), (query, query), (gallery, gallery))
    yield _load_peer().re_ranking(*(torch.cdist(a, b).numpy() for a, b in pairs))


def peer_exact(query: Tensor, gallery: Tensor, _: bool) -> Iterator[np.ndarray]:
    """The same from distances that were worked out in float64, and rounded once."""
    pairs = ((query, gallery), (query, query), (gallery, gallery))
    yield _load_peer().re_ranking(*(_float64_distances(a, b) for a, b in pairs))


def _float64_distances(x: Tensor, y: Tensor) -> np.ndarray:
    y = y.double()
    return torch.cat([torch.cdist(part.double(), y).float() for part in x.split(500)]).numpy()


def _load_peer() -> Any:
    package = importlib.util.find_spec("torchreid")
    if package is None or package.origin is None:
        raise SystemExit("torchreid is not installed; pip install --no-deps torchreid==0.2.5")
    file = Path(package.origin).parent / "reid" / "utils" / "rerank.py"
    spec = importlib.util.spec_from_file_location("peer_rerank", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _show(done: int, total: int) -> None:
    print(f"\r  {done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)


RUNS = {"torchreid": peer, "psnet": ours}

EXACT = "torchreid, float64 distances"

CACHE = "NUMBA_CACHE_DIR"


def one_run(arguments: argparse.Namespace) -> None:
    """In a process of its own: prints its figures as JSON, and writes the distances where it is told to."""
    run = {**RUNS, EXACT: peer_exact}[arguments.run]
    if run is ours:
        importlib.import_module("psnet.metrics")
    begin = time.perf_counter()
    for _ in run(*embeddings(argparse.Namespace(**{**vars(arguments), "queries": 20, "gallery": 80})), False):
        pass
    warm_up = time.perf_counter() - begin
    query, gallery = embeddings(arguments)
    before, begin, processor = _peak(), time.perf_counter(), time.process_time()
    took = 0.0
    with open(arguments.out or os.devnull, "wb") as file:
        for rows in run(query, gallery, arguments.large):
            took += time.perf_counter() - begin
            rows.tofile(file)  # the time of writing is not counted
            begin = time.perf_counter()
    took += time.perf_counter() - begin
    used = {"seconds": took, "processor": time.process_time() - processor, "warm_up": warm_up}
    print(json.dumps(used | {"extra": _peak() - before, "peak": _peak()}))


def _peak() -> float:
    """GB in memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def start(name: str, arguments: argparse.Namespace, cache: str, out: Path | None = None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.reranking", "--run", name]
    for key in ("queries", "gallery", "dimensions", "identities", "seed"):
        command += [f"--{key}", str(getattr(arguments, key))]
    command += ["--large"] * arguments.large + (["--out", str(out)] if out else [])
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {CACHE: cache})
    found: dict[str, float] = json.loads(done.stdout)
    times = f"{found['seconds']:.2f} s, {found['processor']:.1f} s of processors, warm-up {found['warm_up']:.1f} s"
    print(f"{name}: {times}, memory {found['extra']:.2f} GB ({found['peak']:.2f} GB)", flush=True)
    return found


def compare(arguments: argparse.Namespace) -> None:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in RUNS}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in (*RUNS, EXACT)}
        compile_kernels(arguments, folder)
        for _ in range(arguments.repeats):
            for name, runs in found.items():
                runs.append(start(name, arguments, folder, files[name]))
        rivals = ["torchreid"]
        if arguments.exact:
            start(EXACT, arguments, folder, files[EXACT])
            rivals.append(EXACT)
        shape = arguments.queries, arguments.gallery
        own, *others = (np.memmap(files[name], np.float32, "r", shape=shape) for name in ("psnet", *rivals))
        for rival, theirs in zip(rivals, others, strict=True):
            differences(rival, theirs, own)
    for what, key in (("time", "seconds"), ("time of processors", "processor")):
        ratios = [a[key] / b[key] for a, b in zip(*found.values(), strict=True)]
        print(f"{what}: {statistics.median(ratios):.1f} times less, median of {len(ratios)} pairs of runs, ", end="")
        print(f"{min(ratios):.1f} to {max(ratios):.1f}")
    for what, key in (("memory", "extra"), ("memory, libraries included", "peak")):
        theirs, own = (max(run[key] for run in runs) for runs in found.values())
        print(f"{what}: 1/{theirs / own:.1f}" if own else f"{what}: too little to be seen")


def compile_kernels(arguments: argparse.Namespace, cache: str) -> None:
    print("the first run of an installation compiles, kept for those below: ", end="", flush=True)
    start("psnet", argparse.Namespace(**{**vars(arguments), "queries": 20, "gallery": 80, "large": False}), cache)


def differences(rival: str, theirs: np.ndarray, own: np.ndarray) -> None:
    """Prints how the two rankings of each query differ. Ranks of distances that are equal are by gallery index."""
    ranks = first = real = 0
    furthest = 0.0
    for a, b in zip(theirs, own, strict=True):
        order, other = (np.argsort(row, kind="stable") for row in (a, b))
        moved = order != other
        ranks, first = ranks + int(moved.sum()), first + int(moved[:FIRST].sum())
        real += int((np.abs(a[order] - a[other])[moved] > TIED).sum())
        furthest = max(furthest, float(np.abs(a - b).max()))
    print(f"against {rival}: largest difference of a distance {furthest:.1e}")
    print(f"  ranks that differ: {ranks:,} of {theirs.size:,}, of the first {FIRST} of each query {first:,}; ", end="")
    print(f"where the peer's distances differ by more than {TIED:g}: {real:,}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--queries", type=int, default=3_368, help="Market-1501's by default, as --gallery")
    parser.add_argument("--gallery", type=int, default=None, help=f"15,913 by default, {LARGE:,} with --large")
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--identities", type=int, default=750)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="pairs of runs")
    parser.add_argument("--exact", action="store_true", help="compare with the peer's ranks from float64 distances too")
    parser.add_argument("--large", action="store_true", help="ours alone, at a size whose full matrices fit nowhere")
    parser.add_argument("--run", choices=[*RUNS, EXACT], help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.gallery is None:
        arguments.gallery = LARGE if arguments.large else 15_913
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.run:
        one_run(arguments)
        return
    print(machine())
    sizes = f"{arguments.queries:,} queries, {arguments.gallery:,} gallery images, {arguments.dimensions} dimensions"
    print(f"{sizes}, {arguments.identities} identities, seed {arguments.seed}", flush=True)
    if arguments.large:
        with tempfile.TemporaryDirectory() as folder:
            compile_kernels(arguments, folder)
            start("psnet", arguments, folder)
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
