"""A small world of query and gallery, and what must be read of it, whatever form it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from psnet.embeddings import EmbeddingSet, EmbeddingSide

Array = NDArray[Any]

QUERIES, IMAGES, WIDTH = 3, 7, 4
"""Queries come first."""

SPLIT = np.array(["query"] * QUERIES + ["gallery"] * (IMAGES - QUERIES))


@dataclass
class World:
    """One table; a test may change it before it writes it."""

    embedding: Array
    pid: Array
    camid: Array

    def sides(self) -> tuple[dict[str, Array], dict[str, Array]]:
        return (
            {name: values[:QUERIES] for name, values in vars(self).items()},
            {name: values[QUERIES:] for name, values in vars(self).items()},
        )

    def named(self, pattern: str, sides: tuple[str, str], roles: tuple[str, str, str]) -> dict[str, Array]:
        """By another tool's names: `pattern` has {side} and {role}."""
        return {
            pattern.format(side=side, role=theirs): columns[ours]
            for side, columns in zip(sides, self.sides(), strict=True)
            for ours, theirs in zip(vars(self), roles, strict=True)
        }


def world(dtype: type[np.floating[Any]] = np.float32) -> World:
    rng = np.random.default_rng(0)
    return World(
        embedding=rng.normal(size=(IMAGES, WIDTH)).astype(dtype),
        pid=np.array([5, 3, 5, 3, 5, -1, 0]),
        camid=np.array([1, 2, 1, 1, 2, 6, 1]),
    )


def psnet_arrays(w: World) -> dict[str, Array]:
    return w.named("{side}_{role}", ("query", "gallery"), ("embedding", "pid", "camid"))


def torchreid_arrays(w: World) -> dict[str, Array]:
    query, gallery = w.sides()
    return {
        **dict(zip(("qf", "q_pids", "q_camids"), query.values(), strict=True)),
        **dict(zip(("gf", "g_pids", "g_camids"), gallery.values(), strict=True)),
    }


def without(arrays: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values for name, values in arrays.items() if name not in names}


def tensors_of(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(values) for name, values in arrays.items()}


def arrow_table(w: World, split: bool = True) -> pa.Table:
    columns = {"embedding": list(w.embedding), "pid": w.pid, "camid": w.camid}
    return pa.table({**columns, "split": SPLIT} if split else columns)


def predictions(w: World, batch: int = 2) -> list[dict[str, torch.Tensor]]:
    """What fast-reid's evaluator has collected after each batch."""
    table = {"feats": w.embedding, "pids": w.pid, "camids": w.camid}
    return [
        tensors_of({name: values[start : start + batch] for name, values in table.items()})
        for start in range(0, IMAGES, batch)
    ]


def folder_of(path: Path, arrays: dict[str, Array]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(path / f"{name}.npy", values)
    return path


def npz_of(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def check_side(found: EmbeddingSide, wanted: dict[str, Array]) -> None:
    for name, values in wanted.items():
        column = getattr(found, name)
        assert column.shape == values.shape, name
        assert (column == values).all(), name
    assert found.pid.dtype == np.int64
    assert found.embedding is None or found.embedding.dtype == wanted["embedding"].dtype


def check_set(found: EmbeddingSet, w: World) -> None:
    for side, wanted in zip((found.query, found.gallery), w.sides(), strict=True):
        check_side(side, wanted)


def check_equal(found: EmbeddingSet, wanted: EmbeddingSet) -> None:
    """Every array, bit for bit, and the names of pids."""
    for name, side in wanted.sides().items():
        own = found.sides()[name].columns()
        assert set(own) == set(side.columns())
        for column, values in side.columns().items():
            assert own[column].dtype.kind == values.dtype.kind, column
            assert values.dtype.kind == "U" or own[column].dtype == values.dtype, column
            assert own[column].tolist() == values.tolist(), column
    assert found.pid_names == wanted.pid_names
    assert (found.distances is None) == (wanted.distances is None)
    assert wanted.distances is None or (found.distances == wanted.distances).all()
