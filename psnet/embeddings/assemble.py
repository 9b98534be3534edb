"""From named arrays, in our names, to query and gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.embedding_set import ROLES, SIDES, EmbeddingError, EmbeddingSet, EmbeddingSide
from psnet.embeddings.identities import numbered
from psnet.embeddings.part import Loader
from psnet.embeddings.rows import as_column, sides_of_table, without_gaps

Columns = dict[str, NDArray[Any]]


def assemble(found: Mapping[str, Loader], source: str, notes: Sequence[str] = ()) -> EmbeddingSet:
    """The set that these arrays are.

    Args:
        found: by our names (see `psnet.embeddings.naming`), in either form; other names are labels.
        notes: on what has been read so far.

    Raises:
        EmbeddingError: something is missing, or does not fit.
    """
    said = list(notes)
    rest = dict(found)
    load_distances = rest.pop("distances", None)
    table = {"pid", "embedding"} & set(rest)
    both = [f"{side}_{role}" for side in SIDES for role in ("pid", "embedding") if f"{side}_{role}" in rest]
    if table and both:
        raise EmbeddingError(f"there are '{min(table)}' for all images and '{both[0]}' too; leave one of them out")
    sides = sides_of_table(rest, said) if table else _sides(rest, said)
    _check_there(sides, set(found), load_distances is not None)
    pid, pid_names = _identities(sides, "pid", said)
    camid = _identities(sides, "camid", said)[0] if all("camid" in side for side in sides.values()) else {}
    query, gallery = (_side(columns, pid[name], camid.get(name), name) for name, columns in sides.items())
    distances = None if load_distances is None else load_distances()
    return EmbeddingSet(query, gallery, source, pid_names, distances, tuple(said))


def _sides(found: Mapping[str, Loader], notes: list[str]) -> dict[str, Columns]:
    sides: dict[str, Columns] = {side: {} for side in SIDES}
    unused = []
    for name, load in found.items():
        side, _, column = name.partition("_")
        values = load() if side in SIDES and column else None
        if values is None or (column not in ROLES and values.ndim != 1):
            unused.append(name)
            continue
        values = without_gaps(values, column, side)
        if values is not None:
            sides[side][column] = values
    if unused:
        notes.append(f"Not used: {', '.join(sorted(unused))}.")
    return sides


def _check_there(sides: Mapping[str, Columns], found: set[str], distances: bool) -> None:
    roles = ("pid",) if distances else ("embedding", "pid")
    missing = [f"'{side}_{role}'" for side in SIDES for role in roles if role not in sides[side]]
    if missing:
        there = ", ".join(f"'{name}'" for name in sorted(found))
        raise EmbeddingError(f"there is no {' and no '.join(missing)}; there is {there}")


def _identities(sides: Mapping[str, Columns], role: str, notes: list[str]) -> tuple[Columns, dict[int, str]]:
    values = [as_column(sides[side][role], f"{side}_{role}") for side in SIDES]
    *numbers, names = numbered(values[0], values[1], role)
    if names:
        examples = ", ".join(f"{name!r} is {number}" for number, name in list(names.items())[:2])
        notes.append(f"The {role}s are text; {len(names):,} of them were numbered: {examples}.")
    return dict(zip(SIDES, numbers, strict=True)), names


def _side(columns: Columns, pid: NDArray[Any], camid: NDArray[Any] | None, name: str) -> EmbeddingSide:
    if camid is None and "camid" in columns:  # the set says that the other side lacks it
        camid = as_column(columns["camid"], f"{name}_camid")
    plain = {role: as_column(columns[role], f"{name}_{role}") for role in ("rate", "path") if role in columns}
    return EmbeddingSide(
        embedding=columns.get("embedding"),
        pid=pid,
        camid=camid,
        rate=_rates(plain["rate"], f"{name}_rate") if "rate" in plain else None,
        path=_text(plain["path"], f"{name}_path") if "path" in plain else None,
        labels={label: values for label, values in columns.items() if label not in ROLES},
    )


def _rates(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    if values.dtype.kind not in "iuf":
        raise EmbeddingError(f"'{name}' has dtype {values.dtype}; give numbers")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 1)))
    if len(wrong):
        raise EmbeddingError(
            f"'{name}' is {values[wrong[0]]} at row {wrong[0]}; give the factor of down-sampling: 1 for a sharp image, "
            "4 for one of a quarter of the height"
        )
    return values.astype(np.float64, copy=False)


def _text(values: NDArray[Any], name: str) -> NDArray[np.str_]:
    values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    if values.dtype.kind != "U":
        raise EmbeddingError(f"'{name}' has dtype {values.dtype}; give text, np.asarray(paths, dtype=str)")
    return values
