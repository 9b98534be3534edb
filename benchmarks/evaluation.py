"""psnet's evaluation beside the bare matrix product and other tools' rankers, in one run, alternately.

    python -m benchmarks.evaluation                          # 3,368 queries, 15,913 gallery images, 512 numbers each
    python -m benchmarks.evaluation --dimensions 6656
    python -m benchmarks.evaluation --gallery 200000 --without fast-reid torchreid
    python -m benchmarks.evaluation --gallery 1000000 --queries 1000 --mapped --without fast-reid torchreid product

Times are told in units of the matrix product of the same round; memory is the peak of a process of its own, beyond its
inputs. Other tools take part where they can be imported:

    pip install --no-deps torchreid==0.2.5 fastreid==1.4.0   # torchreid's ranker in Python
    # fast-reid's ranker in Cython: evaluation/rank_cylib/rank_cy.pyx, compiled to where Python finds it

The tools' time includes the distances they need. torchreid's ranker is slow, so it ranks a tenth of the queries.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import machine, ratios
from psnet.metrics import Labels, evaluate_ranking, summarise

PEOPLE, IMAGES, CAMERAS, DISTRACTOR = 750, 20, 6, 0
SHARE = 10
"""torchreid ranks one query in so many."""


class Case:
    """People with some 20 images each as in Market-1501, and distractors beyond 15,913 images. Nothing can be told from
    random embeddings, which is the worst case for counting: no match is far ahead of the others."""

    def __init__(self, given: argparse.Namespace) -> None:
        random = np.random.default_rng(0)
        self.query = random.standard_normal((given.queries, given.dimensions), dtype=np.float32)
        images = min(given.gallery, 15_913)
        people = max(1, min(PEOPLE, images // IMAGES))
        self.query_pid = random.integers(1, people + 1, given.queries)
        self.gallery_pid = np.full(given.gallery, DISTRACTOR)
        self.gallery_pid[:images] = random.integers(1, people + 1, images)
        self.query_camid, self.gallery_camid = (
            random.integers(1, CAMERAS + 1, n) for n in (given.queries, given.gallery)
        )
        self.gallery = _mapped(given, random) if given.mapped else self._drawn(given, random)

    @staticmethod
    def _drawn(given: argparse.Namespace, random: np.random.Generator) -> Any:
        return random.standard_normal((given.gallery, given.dimensions), dtype=np.float32)


def _mapped(given: argparse.Namespace, random: np.random.Generator) -> Any:
    """The gallery in a file, never whole in memory."""
    file = Path(tempfile.gettempdir()) / f"gallery-{given.queries}-{given.gallery}-{given.dimensions}.npy"
    if not file.exists():
        part = file.with_suffix(".part.npy")
        made = np.lib.format.open_memmap(part, "w+", np.float32, (given.gallery, given.dimensions))
        for start in range(0, given.gallery, 50_000):
            rows = made[start : start + 50_000]
            rows[:] = random.standard_normal(rows.shape, dtype=np.float32)
        made.flush()
        part.rename(file)
    return np.load(file, mmap_mode="r")


def product(case: Case) -> None:
    """What no evaluation by all pairs can do without; in blocks, as the whole may not fit."""
    query = torch.from_numpy(case.query)
    for start in range(0, len(case.gallery), 16_000):
        query @ torch.from_numpy(case.gallery[start : start + 16_000]).T


def psnet(case: Case) -> dict[str, float]:
    arrays = (case.query_pid, case.query_camid, case.gallery_pid, case.gallery_camid)
    qp, qc, gp, gc = map(torch.from_numpy, arrays)
    gallery = case.gallery if isinstance(case.gallery, np.memmap) else torch.from_numpy(case.gallery)
    return summarise(evaluate_ranking(torch.from_numpy(case.query), gallery, Labels(qp, qc), Labels(gp, gc)))


def distances(case: Case, queries: int) -> np.ndarray:
    """Cosine distances, as fast-reid takes them."""
    query, gallery = (torch.nn.functional.normalize(torch.from_numpy(x)) for x in (case.query[:queries], case.gallery))
    return (1 - query @ gallery.T).numpy()


def fast_reid(case: Case) -> dict[str, float]:
    import rank_cy

    labels = case.query_pid, case.gallery_pid, case.query_camid, case.gallery_camid
    cmc, ap, inp = rank_cy.evaluate_cy(distances(case, len(case.query)), *labels, 50, False)
    return {"rank1": float(cmc[0]), "mAP": float(np.mean(ap)), "mINP": float(np.mean(inp))}


def torchreid(case: Case) -> dict[str, float]:
    spec = importlib.util.find_spec("torchreid")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "reid" / "metrics" / "rank.py"  # by itself: the package wants much else
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("torchreid_rank", file))  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    part = len(case.query) // SHARE
    labels = case.query_pid[:part], case.gallery_pid, case.query_camid[:part], case.gallery_camid
    cmc, mean = module.evaluate_rank(distances(case, part), *labels, max_rank=50, use_cython=False)
    return {"rank1": float(cmc[0]), "mAP": float(mean)}


CONTESTANTS: dict[str, Callable[[Case], Any]] = {
    "product": product, "psnet": psnet, "fast-reid": fast_reid, "torchreid": torchreid,
}  # fmt: skip
NEEDED = {"fast-reid": "rank_cy", "torchreid": "torchreid"}


def peak(name: str, given: argparse.Namespace) -> tuple[float, float]:
    """(MiB beyond the inputs, seconds of the first call) in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.evaluation", "--only", name, *_settings(given)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    found = json.loads(told)
    return found["mib"], found["seconds"]


def _settings(given: argparse.Namespace) -> list[str]:
    sizes = [f"--{name}={getattr(given, name)}" for name in ("queries", "gallery", "dimensions")]
    return [*sizes, *(["--mapped"] if given.mapped else [])]


def alone(name: str, given: argparse.Namespace) -> None:
    """For `peak`: memory of the process's own (not that of mapped files), before and at its highest, looked at every
    two milliseconds."""
    case = Case(given)
    torch.ones(64, 64) @ torch.ones(64, 64)
    before, done = _own_kib(), threading.Event()
    most = [before]

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], _own_kib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        CONTESTANTS[name](case)
    finally:  # or the process would wait for its watcher for ever
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    print(json.dumps({"mib": (most[0] - before) / 1024, "seconds": seconds}))


def _own_kib() -> int:
    return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("queries", 3368), ("gallery", 15_913), ("dimensions", 512), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--mapped", action="store_true", help="the gallery is a file")
    parser.add_argument("--without", nargs="*", default=[], choices=list(CONTESTANTS))
    parser.add_argument("--only", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        alone(given.only, given)
        return
    print(machine())
    print(
        f"{given.queries:,} queries, {given.gallery:,} gallery images, {given.dimensions} numbers, "
        f"{given.rounds} rounds"
    )
    there = [name for name in CONTESTANTS if name not in given.without]
    for name in [name for name in there if importlib.util.find_spec(NEEDED.get(name, "torch")) is None]:
        print(f"{name}: not installed, see this file's first lines")
        there.remove(name)
    memory = {name: peak(name, given) for name in there}
    case = Case(given)
    results = {name: CONTESTANTS[name](case) for name in there}  # warm
    times: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(given.rounds):
        for name in there:
            start = time.perf_counter()
            CONTESTANTS[name](case)
            times[name].append((time.perf_counter() - start) * (SHARE if name == "torchreid" else 1))
    print(
        f"{'':10} {'time / product, median (range)':>32} {'peak beyond inputs':>20} {'first call':>12} {'seconds':>9}"
    )
    for name in there:
        told = ratios(times[name], times["product"]) if "product" in times else ""
        mib, first = memory[name]
        median = sorted(times[name])[len(times[name]) // 2]
        print(f"{name:10} {told:>32} {mib:>16,.0f} MiB {first:>10.1f} s {median:>9.2f}")
    for name, found in results.items():
        if found:
            print(name, {key: round(value, 6) for key, value in found.items() if key in ("rank1", "mAP", "mINP")})


if __name__ == "__main__":
    main()
