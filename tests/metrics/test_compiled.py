"""Kernels work where numba cannot keep what it compiles."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core import caching

from psnet.metrics.compiled import kernel


def doubled(values: np.ndarray) -> None:
    for i in numba.prange(len(values)):
        values[i] *= 2


def test_no_folder_may_be_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(doubled, cache=True)
    values = np.arange(3.0)
    kernel()(doubled)(values)
    assert values.tolist() == [0, 2, 4]


def test_a_folder_without_space(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    monkeypatch.setattr(caching.IndexDataCacheFile, "load", lambda *_: None)
    values = np.arange(3.0)
    kernel(parallel=False)(doubled)(values)
    assert values.tolist() == [0, 2, 4]


def test_other_errors_are_not_hidden():
    def refused(values: np.ndarray) -> None:
        raise ValueError("not this one")

    with pytest.raises(ValueError, match="not this one"):
        kernel(parallel=False)(refused)(np.zeros(1))


def test_torch_keeps_its_threads():
    """Numba's pool tells OpenMP, and so torch, to use every core; whoever asked torch for fewer keeps fewer."""
    lines = [
        "import torch",
        "from psnet.metrics import Labels, evaluate_ranking",
        "print(torch.get_num_threads())",
        "vectors, people = torch.eye(20), torch.arange(20)",
        "query, gallery = (Labels(people, torch.full((20,), camera)) for camera in (0, 1))",
        "print(evaluate_ranking(vectors, vectors, query, gallery).ap.mean().item())",
        "print(torch.get_num_threads())",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1", "1.0", "1"], done.stderr
