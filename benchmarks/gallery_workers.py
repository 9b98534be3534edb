"""What the processes of benchmarks.galleries do, and the images that they draw."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from psnet.embedder import ImageTable
from psnet.embeddings import MadeBy
from psnet.gallery import conditions_of, create_gallery, open_gallery

PEOPLE, CAMERAS, NEAREST = 20, 6, 10
"""Images of a person, cameras, and how many images are asked for."""

NOISE = 0.06
"""In each dimension, beside a person's vector of length 1: images of one person have cosines near 0.35 in 512."""

AT_ONCE = 10_000


def made_by(dimensions: int) -> MadeBy:
    return MadeBy("drawn", "0" * 16, {"image_size": [256, 128], "upsampling": "bilinear"}, "neck", dimensions)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def drawn(people: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """An image of each person, who have a vector each, whichever block they are in."""
    vectors = np.stack([np.random.default_rng(person).normal(size=dimensions) for person in people])
    noise = np.random.default_rng([1, seed]).normal(size=vectors.shape)
    return unit(unit(vectors) + NOISE * noise)


def blocks(images: int, dimensions: int) -> Iterator[ImageTable]:
    for begin in range(0, images, AT_ONCE):
        numbers = np.arange(begin, min(begin + AT_ONCE, images))
        columns = {
            "path": np.array([f"{number}.jpg" for number in numbers]),
            "sha256": np.array([f"{number:064x}" for number in numbers]),
            "camid": numbers % CAMERAS + 1,
            "pid": numbers // PEOPLE,
        }
        yield ImageTable(drawn(numbers // PEOPLE, dimensions, begin), columns, made_by(dimensions), "/drawn")


def queries_of(number: int, images: int, dimensions: int) -> np.ndarray:
    people = np.random.default_rng(2).choice(max(1, images // PEOPLE), number, replace=number > images // PEOPLE)
    return drawn(people, dimensions, -1 % 2**31)


def memory() -> float:
    """GiB at most so far, of this process."""
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**20


def size_of(uri: str) -> float:
    path = Path(uri)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 2**30


def serve(pipe: Any, uri: str, images: int, dimensions: int) -> None:
    """Builds a gallery, says what it took, and answers."""
    begun, gallery = time.perf_counter(), None
    for table in blocks(images, dimensions):
        gallery = create_gallery(uri, table, "drawn") if gallery is None else gallery
        gallery.add(table)
    assert gallery is not None
    added = time.perf_counter() - begun
    gallery.tidy()
    tidied = time.perf_counter() - begun - added
    pipe.send({"added": added, "tidied": tidied, "size": size_of(uri), "memory": memory(), "images": len(gallery)})
    while (asked := pipe.recv()) is not None:
        query, where = asked
        conditions = conditions_of(where, gallery.columns)
        begun = time.perf_counter()
        hits = gallery.search(query[None], made_by(dimensions), NEAREST, conditions)[0]
        pipe.send((time.perf_counter() - begun, {hit.path for hit in hits}, memory()))


def add_for_ever(uri: str, log: str, root: str, dimensions: int) -> None:
    gallery = open_gallery(uri)
    with open(log, "w") as file:
        for number, table in enumerate(blocks(2**40, dimensions)):
            columns = {name: values[:500] for name, values in table.columns.items()}
            gallery.add(ImageTable(table.embedding[:500], columns, table.made_by, root))
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())


def taken_out(uri: str, root: str) -> int:
    """How many images begin there; they are there no more."""
    gallery = open_gallery(uri)
    return gallery.delete(conditions_of([f"root={root}"], gallery.columns))
