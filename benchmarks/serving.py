"""Requests per second of `psnet serve`, and how long each takes, for 1, 8 and 64 people who ask at once.

    psnet index crops --gallery crops.gallery --model last.ckpt
    python -m benchmarks.serving --gallery crops.gallery --images crops

Two services are started: one as it is, one that computes images one by one (`--batch-size 1`). They are asked in turns.
Each client sends one image, waits for the ten best matches, and sends the next. Clients run on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from benchmarks.machine import machine, ratios
from psnet.embedder.given import listed

SERVICES = {"batched": [], "one by one": ["--batch-size", "1"]}

PLENTY = ["--per-minute", "10000000", "--queue", "512"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", required=True)
    parser.add_argument("--images", nargs="+", required=True)
    parser.add_argument("--engine", default="pytorch")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    files = [Path(one.name if one.file is None else one.file) for one in listed(given.images).given[:64]]
    contents = [(file.name, file.read_bytes()) for file in files]
    print(f"{machine()}\n{len(contents)} images, engine {given.engine}, {given.rounds} turns of {given.seconds:g} s\n")
    words = ["--gallery", given.gallery, "--engine", given.engine, *PLENTY]
    with started([*words]) as batched, started([*words, *SERVICES["one by one"]]) as single:
        urls = dict(zip(SERVICES, (batched, single), strict=True))
        for url in urls.values():
            asyncio.run(asked(url, contents, 2, 1.0))  # warm
        for clients in given.clients:
            rates: dict[str, list[float]] = {name: [] for name in urls}
            seconds: dict[str, list[float]] = {name: [] for name in urls}
            for _ in range(given.rounds):
                for name, url in urls.items():
                    found = asyncio.run(asked(url, contents, clients, given.seconds))
                    rates[name].append(len(found) / given.seconds)
                    seconds[name] += found
            for name in urls:
                p50, p95, p99 = (1000 * float(np.percentile(seconds[name], q)) for q in (50, 95, 99))
                told = f"p50 {p50:6.0f} ms, p95 {p95:6.0f} ms, p99 {p99:6.0f} ms"
                print(f"{clients:3} clients, {name:10}  {statistics.median(rates[name]):7.1f} requests/s, {told}")
            print(f"{'':12} batched against one by one: {ratios(rates['batched'], rates['one by one'])}", flush=True)


async def asked(url: str, contents: Sequence[tuple[str, bytes]], clients: int, seconds: float) -> list[float]:
    """How long each request took, of all that were answered in time.

    Raises:
        httpx.HTTPStatusError: one was refused.
    """
    until = time.perf_counter() + seconds
    found: list[float] = []
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:

        async def one(number: int) -> None:
            while (begun := time.perf_counter()) < until:
                answer = await client.post("/search", files={"images": contents[number % len(contents)]})
                answer.raise_for_status()
                number += clients
                if time.perf_counter() < until:
                    found.append(time.perf_counter() - begun)

        await asyncio.gather(*(one(number) for number in range(clients)))
    return found


@contextmanager
def started(words: Sequence[str]) -> Iterator[str]:
    """The URL of a service that is ready."""
    command = [sys.executable, "-m", "psnet.cli", "serve", "--port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if " at http://" in line:
                    url = line.split()[-1]
                    break
            else:
                raise SystemExit("the service has not started; start it by hand to see why")
            while True:
                try:
                    httpx.get(f"{url}/health", timeout=5).raise_for_status()
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
