"""From other people's names of persons and cameras to numbers, the same ones in query and gallery."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.embedding_set import EmbeddingError

Numbers = NDArray[np.int64]

_WHOLE = re.compile(r"-?[0-9]+")
_KINDS = {"i": "whole numbers", "u": "whole numbers", "f": "whole numbers", "U": "text"}


def numbered(query: NDArray[Any], gallery: NDArray[Any], role: str) -> tuple[Numbers, Numbers, dict[int, str]]:
    """Both as int64, and the text behind each number, which is empty where they were numbers already.

    Text that is whole numbers everywhere, none too long for int64, keeps its value ("0012" is 12, "-1" stays junk).
    Otherwise all are numbered from 0 in sorted order. So numbers depend on the names alone, not on the order they came
    in.

    Args:
        query, gallery: (N,) each. role: "pid" or "camid".

    Raises:
        EmbeddingError: one side has text and the other numbers; numbers are not whole; one number is written in two
            ways; or a negative number stands among names.
    """
    query, gallery = _clean(query, f"query_{role}"), _clean(gallery, f"gallery_{role}")
    kinds = _KINDS[query.dtype.kind], _KINDS[gallery.dtype.kind]
    if kinds[0] != kinds[1]:
        raise EmbeddingError(
            f"'query_{role}' is {kinds[0]} ({query[:1].tolist()}) and 'gallery_{role}' is {kinds[1]} "
            f"({gallery[:1].tolist()}), so nothing would match; save both alike"
        )
    if kinds[0] != "text":
        return _whole(query, f"query_{role}"), _whole(gallery, f"gallery_{role}"), {}
    names, inverse = np.unique(np.concatenate([query, gallery]), return_inverse=True)
    values = _values([str(name) for name in names], role)
    numbers = np.asarray(values, dtype=np.int64)[inverse.reshape(-1)]
    return numbers[: len(query)], numbers[len(query) :], dict(zip(values, map(str, names), strict=True))


def _clean(values: NDArray[Any], name: str) -> NDArray[Any]:
    values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    if values.dtype.kind not in _KINDS:
        raise EmbeddingError(f"'{name}' has dtype {values.dtype}; give whole numbers or text")
    return values


def _values(names: list[str], role: str) -> list[int]:
    whole = [name for name in names if _WHOLE.fullmatch(name)]
    if len(whole) < len(names) or any(abs(int(name)) >= 2**63 for name in whole):
        negative = [name for name in whole if name.startswith("-")]
        if negative:
            raise EmbeddingError(
                f"'{role}' is {negative[0]!r} for some images and a name for others; if the first mean nobody, "
                "leave them out, else give them a name"
            )
        return list(range(len(names)))
    by_value: dict[int, str] = {}
    for name in names:
        other = by_value.setdefault(int(name), name)
        if other != name:
            raise EmbeddingError(f"'{role}' is {other!r} and {name!r}, which is one number; write it in one way")
    return list(by_value)


def _whole(values: NDArray[Any], name: str) -> Numbers:
    """MATLAB's and pandas' numbers are floats unless told otherwise: whole ones are taken."""
    numbers: Numbers = values.astype(np.int64, copy=False) if values.dtype.kind != "f" else _from_floats(values, name)
    if values.dtype.kind == "u" and (numbers < 0).any():
        raise EmbeddingError(f"'{name}' holds {values.max()}, which is beyond 2**63 - 1; number them anew")
    return numbers


def _from_floats(values: NDArray[Any], name: str) -> Numbers:
    wrong = np.flatnonzero(~(np.abs(values) < 2.0**53) | (np.trunc(values) != values))
    if len(wrong):
        raise EmbeddingError(f"'{name}' holds {values[wrong[0]]} at row {wrong[0]}; give whole numbers or text")
    return values.astype(np.int64)
