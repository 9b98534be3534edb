"""A gallery of a million images is opened without being read. The files are sparse, so they take no room."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from psnet.embeddings import EmbeddingSet, read_embeddings
from tests.embeddings.world import folder_of

IMAGES, QUERIES, WIDTH = 1_000_000, 1_000, 512
LIMIT = 100_000_000
"""Bytes: a tenth of the embeddings in half precision."""


def sparse(path: Path, rows: int, last: float) -> None:
    values = np.lib.format.open_memmap(path, "w+", np.float16, (rows, WIDTH))
    values[-1, -1] = last


def opened(path: Path, **more: int) -> EmbeddingSet:
    tracemalloc.start()
    found = read_embeddings([path], **more)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < LIMIT
    return found


@pytest.fixture
def pids() -> np.ndarray:
    return np.arange(IMAGES) % 1500


def test_a_folder_is_mapped(tmp_path: Path, pids: np.ndarray):
    place = folder_of(tmp_path / "big", {"gallery_pid": pids, "query_pid": pids[:QUERIES]})
    sparse(place / "gallery_embedding.npy", IMAGES, last=3)
    sparse(place / "query_embedding.npy", QUERIES, last=4)
    found = opened(place)
    assert isinstance(found.gallery.embedding, np.memmap)
    assert not found.gallery.embedding.flags.writeable
    assert found.gallery.embedding.shape == (IMAGES, WIDTH)
    assert (found.gallery.embedding[-1, -1], found.query.embedding[-1, -1]) == (3, 4)


@pytest.mark.parametrize("how", ["split", "num_query"])
def test_rows_of_a_mapped_table_are_not_copied(how: str, tmp_path: Path, pids: np.ndarray):
    split = np.where(np.arange(IMAGES) < QUERIES, "query", "gallery")
    place = folder_of(tmp_path / "big", {"pid": pids, how: split if how == "split" else np.array(QUERIES)})
    sparse(place / "embedding.npy", IMAGES, last=3)
    found = opened(place)
    assert isinstance(found.gallery.embedding, np.memmap)
    assert found.gallery.embedding.shape == (IMAGES - QUERIES, WIDTH)
    assert found.gallery.embedding[-1, -1] == 3
    assert found.query.embedding.shape == (QUERIES, WIDTH)


def test_tensors_are_mapped(tmp_path: Path):
    """What is written into the file after it was opened is seen: nothing has been read before."""
    rows = torch.zeros(1000, WIDTH)
    rows[7, 7] = 12345.0
    torch.save({"qf": rows, "q_pids": [1] * 1000, "gf": rows[:9].clone(), "g_pids": [1] * 9}, tmp_path / "a.pt")
    found = read_embeddings([tmp_path / "a.pt"])
    content = (tmp_path / "a.pt").read_bytes()
    mark = np.float32(12345.0).tobytes()
    with (tmp_path / "a.pt").open("r+b") as file:
        file.seek(content.index(mark))
        file.write(np.float32(54321.0).tobytes())
    assert found.query.embedding[7, 7] == 54321
