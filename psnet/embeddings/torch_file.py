"""Files of torch.save: a dictionary of tensors and lists, or the predictions that fast-reid's evaluator collects."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from psnet.embeddings.naming import there_is
from psnet.embeddings.part import FileError, Part, damaged

PREDICTIONS = "predictions"
"""A list of dictionaries, one a batch; each key becomes one array."""


def read_torch(path: Path) -> Part:
    """Tensors are mapped into memory where the file's form allows it. Nothing is unpickled but what holds no code.

    Raises:
        FileError: the file is damaged, or holds other objects than tensors, numbers, text, lists and dictionaries; and
            when an array is read: it cannot be one.
    """
    content = _load(path)
    if isinstance(content, list):
        content = {PREDICTIONS: content}
    if not isinstance(content, Mapping):
        raise FileError(f"{path} holds a {type(content).__name__}; save a dictionary of tensors, by their names")
    content = {str(name): value for name, value in content.items()}
    if PREDICTIONS in content:
        content |= _joined(content.pop(PREDICTIONS), path)
    return Part(path, {name: partial(_array, value, f"{path}: {name}") for name, value in content.items()})


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        found = str(error).partition("Unsupported global: GLOBAL ")[2].split(" ", 1)[0]
        if not found:
            raise damaged(path, error) from error
        raise FileError(
            f"{path} holds Python objects besides tensors, lists, numbers and text ({found}). Loading them runs code, "
            "so it is refused; save NumPy arrays as torch.from_numpy(array), or all of them with np.savez. If it "
            "should hold nothing else, it is cut off; write it again"
        ) from error
    except Exception as error:  # whatever a file that is not whole makes of its reader
        raise damaged(path, error) from error


def _joined(batches: Any, path: Path) -> dict[str, Tensor]:
    """From one dictionary a batch to one tensor a key."""
    if not isinstance(batches, Sequence) or not batches or not all(isinstance(batch, Mapping) for batch in batches):
        raise FileError(f"{path}: predictions must be a list of dictionaries, one a batch, and not empty")
    keys = set(batches[0])
    for number, batch in enumerate(batches):
        if set(batch) != keys or not all(isinstance(value, Tensor) for value in batch.values()):
            raise FileError(f"{path}: batch {number}: {there_is(batch)}; give tensors named {', '.join(sorted(keys))}")
    try:
        return {str(key): torch.cat([batch[key] for batch in batches]) for key in keys}
    except (RuntimeError, TypeError) as error:
        raise FileError(f"{path}: the batches do not fit together: {error}") from error


def _array(value: Any, what: str) -> NDArray[Any]:
    if isinstance(value, Tensor):
        try:
            return value.detach().numpy()
        except (TypeError, RuntimeError) as error:
            raise FileError(f"{what} is a {value.dtype} tensor, {value.layout}; save value.float(), dense") from error
    kinds = {type(item) for item in value} if isinstance(value, (list, tuple)) else {type(value)}
    if len(kinds) > 1 or not kinds <= {bool, int, float, str}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise FileError(f"{what} is a {type(value).__name__} of {names}; save a tensor, or a list of text or numbers")
    return np.asarray(value)
