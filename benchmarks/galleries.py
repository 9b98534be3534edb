"""Engines of galleries side by side: python -m benchmarks.galleries

Each holds the same drawn embeddings, a person's images near each other. Asked are, in turns, the same queries one at a
time: all images, and those of one camera of six. The answers are compared with those of a search through all images.
Then a process that adds images is killed with -9 at random moments, and what it had been told to be there is counted.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.gallery_workers import AT_ONCE, NEAREST, add_for_ever, blocks, queries_of, serve, taken_out
from benchmarks.machine import machine

ENGINES = {"lance": "gallery", "milvus": "gallery.db"}
"""Names of galleries, by which the engine is chosen."""


def exact(queries: np.ndarray, images: int, dimensions: int, camid: int | None) -> list[set[str]]:
    """The nearest of each query, by looking at all."""
    best: list[list[tuple[float, str]]] = [[] for _ in queries]
    for table in blocks(images, dimensions):
        rows = np.flatnonzero(table.columns["camid"] == camid) if camid else np.arange(len(table))
        scores = queries @ table.embedding[rows].T
        for found, of_query in zip(best, scores, strict=True):
            for row in np.argpartition(-of_query, min(NEAREST, len(rows) - 1))[:NEAREST]:
                found.append((float(of_query[row]), str(table.columns["path"][rows[row]])))
            found.sort(reverse=True)
            del found[NEAREST:]
    return [{path for _, path in found} for found in best]


def crash(uri: str, dimensions: int, kills: int, folder: Path) -> tuple[int, int]:
    """(images that were told to be there, those of them that were lost)."""
    told = lost = 0
    chosen, spawn = random.Random(0), mp.get_context("spawn")
    for kill in range(kills):
        log, root = folder / f"told-{kill}", f"/new/{kill}"
        process = spawn.Process(target=add_for_ever, args=(uri, str(log), root, dimensions))
        process.start()
        while not (log.exists() and log.read_text()):
            assert process.is_alive()
            time.sleep(0.01)
        time.sleep(chosen.uniform(0.1, 1.5))
        process.kill()
        process.join()
        added = 500 * len(log.read_text().split())
        with spawn.Pool(1) as another:  # some engines let one process in at a time
            there = another.apply(taken_out, (uri, root))
        assert there % 500 == 0, f"{uri} holds half of an addition: {there}"
        told, lost = told + added, lost + max(0, added - there)
    return told, lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    given = parser.parse_args()
    console = Console(width=110)
    console.print(machine(), highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="galleries-"))
    try:
        run(given, folder, console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(given: argparse.Namespace, folder: Path, console: Console) -> None:
    queries = queries_of(given.queries, given.images, given.dimensions)
    workers, built = {}, {}
    for name in given.engines:
        here, there = mp.get_context("spawn").Pipe()
        arguments = (there, str(folder / ENGINES[name]), given.images, given.dimensions)
        worker = mp.get_context("spawn").Process(target=serve, args=arguments)
        worker.start()
        built[name] = here.recv()
        workers[name] = (here, worker)
    console.print(_build_table(built, given))
    for title, where, camid in (("all images", [], None), ("camera 3", ["camid=3"], 3)):
        right = exact(queries, given.images, given.dimensions, camid)
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        found: dict[str, list[float]] = {name: [] for name in workers}
        peaks = {}
        for query, expected in zip(queries, right, strict=True):
            for name, (pipe, _) in workers.items():
                pipe.send((query, where))
                took, paths, peaks[name] = pipe.recv()
                seconds[name].append(took)
                found[name].append(len(paths & expected) / len(expected))
        console.print(_search_table(title, seconds, found, peaks))
    for name, (pipe, worker) in workers.items():
        pipe.send(None)
        worker.join()
        told, lost = crash(str(folder / ENGINES[name]), given.dimensions, given.kills, folder)
        console.print(
            f"{name}: killed with -9 while adding, {given.kills} times, and opened again; of {told:,} images told to "
            f"be there, {lost:,} were lost",
            highlight=False,
        )


def _build_table(built: dict[str, dict[str, float]], given: argparse.Namespace) -> Table:
    table = Table(title=f"{given.images:,} x {given.dimensions}, added {AT_ONCE:,} at once")
    for name in ("", "adding", "tidying", "on disk", "memory"):
        table.add_column(name, justify="right")
    for name, one in built.items():
        table.add_row(
            name,
            f"{one['added']:.0f} s",
            f"{one['tidied']:.0f} s",
            f"{one['size']:.2f} GiB",
            f"{one['memory']:.2f} GiB",
        )
    return table


def _search_table(
    title: str, seconds: dict[str, list[float]], found: dict[str, list[float]], peaks: dict[str, float]
) -> Table:
    table = Table(title=f"One query at a time, {title}")
    for name in ("", f"recall@{NEAREST}", "p50", "p95", "to the first", "spread", "memory"):
        table.add_column(name, justify="right")
    first = next(iter(seconds.values()))
    for name, times in seconds.items():
        ratios = sorted(one / other for one, other in zip(times, first, strict=True))
        cut = statistics.quantiles(times, n=20)
        low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
        table.add_row(
            name,
            f"{statistics.mean(found[name]):.4f}",
            f"{1000 * statistics.median(times):.1f} ms",
            f"{1000 * cut[-1]:.1f} ms",
            f"{statistics.median(ratios):.2f}",
            f"{low:.2f}-{high:.2f}",
            f"{peaks[name]:.2f} GiB",
        )
    return table


if __name__ == "__main__":
    main()
