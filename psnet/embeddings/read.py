"""FILES -> one EmbeddingSet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psnet.embeddings.assemble import assemble
from psnet.embeddings.embedding_set import SIDES, EmbeddingError, EmbeddingSet
from psnet.embeddings.formats import read_part
from psnet.embeddings.made_by import MadeBy
from psnet.embeddings.naming import NAMINGS, choose_naming, in_words_of
from psnet.embeddings.part import FileError, Loader, Part

SIDE_OF_FILE = {**{side: side for side in SIDES}, "bounding_box_test": "gallery"}
"""Names of files and folders that say which side they hold; the last is Market-1501's."""


def read_embeddings(
    paths: str | Path | Sequence[str | Path], format: str | None = None, num_query: int | None = None
) -> EmbeddingSet:
    """Query and gallery from one file or several, whatever tool wrote them; docs/score.md shows the forms.

    Args:
        paths: a file or folder, or several. Their arrays are put together; tables of the same columns one below the
            other.
        format: a key of FORMATS for all of them; each is found out if None.
        num_query: so many rows of the table are queries, and come first; for files that do not say it.

    Raises:
        EmbeddingError: something is missing, damaged, refused, or does not fit. The message names the file, the array
            by the file's own name, and the remedy.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    _check_given(given)
    parts = [read_part(file, format) for path in given for file in _expanded(path)]
    source = _listed([str(path) for path in given])
    tool = None
    try:
        tool = choose_naming({name for part in parts for name in part.arrays})
        found = _merged([_of_side(_renamed(part, NAMINGS[tool])) for part in parts])
        if num_query is not None:
            found = _with_num_query(found, num_query)
        whole = assemble(found, source, [note for part in parts for note in part.notes])
        return replace(whole, made_by=_one_model(parts))
    except FileError:
        raise
    except EmbeddingError as error:
        raise EmbeddingError(f"{source}: {in_words_of(tool, str(error)) if tool else error}") from error


def _one_model(parts: Sequence[Part]) -> MadeBy | None:
    """That made all of it; None where a file does not say so."""
    made_by = [_made_by(part) for part in parts]
    known = [(model, part.file) for model, part in zip(made_by, parts, strict=True) if model is not None]
    for model, file in known:
        if model != known[0][0]:
            raise EmbeddingError(
                f"{known[0][1]} and {file} were made by different models, and cannot be compared: {known[0][0]}; and "
                f"{model}. Embed both with one"
            )
    return made_by[0] if len(known) == len(parts) else None


def _made_by(part: Part) -> MadeBy | None:
    if "made_by" not in part.facts:
        return None
    try:
        return MadeBy.from_json(part.facts["made_by"])
    except ValueError as error:
        raise FileError(f"{part.file}: {error}") from error


def _check_given(paths: Sequence[Path]) -> None:
    if not paths:
        raise EmbeddingError("no files are given; give the files or folders that hold the embeddings")
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise FileError(f"{path} is given twice; give each file once")
        seen.add(path.resolve())


def _expanded(path: Path) -> Iterable[Path]:
    """A folder that has a folder for each side stands for these."""
    inner = [path / name for name in SIDE_OF_FILE if (path / name).is_dir()]
    return inner if len(inner) == len(SIDES) else [path]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _renamed(part: Part, naming: Mapping[str, str]) -> Part:
    return replace(part, arrays={naming.get(name, name): load for name, load in part.arrays.items()})


def _of_side(part: Part) -> Part:
    """A table in a file named query or gallery is that side."""
    side = SIDE_OF_FILE.get(part.file.stem)
    names = set(part.arrays)
    if side is None or "pid" not in names or {"split", "num_query"} & names:
        return part
    return replace(part, arrays={f"{side}_{name}": load for name, load in part.arrays.items()})


def _merged(parts: Sequence[Part]) -> dict[str, Loader]:
    """All arrays together. Files of the same columns are one table."""
    names = [set(part.arrays) for part in parts]
    twice = sorted(set.union(*names)) if len(parts) > 1 and set.intersection(*names) else []
    if twice:
        return {name: partial(_stacked, name, parts) for name in _columns_of_all(parts)}
    found: dict[str, Loader] = {}
    for part in parts:
        again = sorted(set(found) & set(part.arrays))
        if again:
            raise EmbeddingError(f"'{again[0]}' is in more than one file, {part.file} among them; give it once")
        found |= part.arrays
    return found


def _columns_of_all(parts: Sequence[Part]) -> Iterable[str]:
    first = parts[0]
    for part in parts[1:]:
        odd = sorted(set(part.arrays) ^ set(first.arrays))
        if odd:
            there, lacking = (part, first) if odd[0] in part.arrays else (first, part)
            raise EmbeddingError(
                f"'{odd[0]}' is in {there.file} and not in {lacking.file}; files that are put together need the same "
                "columns"
            )
    if "split" not in first.arrays:
        raise EmbeddingError(
            f"{_listed([str(part.file) for part in parts])} hold the same arrays; name two files query and gallery, or "
            "give each row its 'split'"
        )
    return first.arrays


def _stacked(name: str, parts: Sequence[Part]) -> NDArray[Any]:
    arrays = [part.arrays[name]() for part in parts]
    first = arrays[0]
    for values, part in zip(arrays, parts, strict=True):
        alike = values.dtype == first.dtype if first.dtype.kind == "f" else values.dtype.kind == first.dtype.kind
        if not alike or values.shape[1:] != first.shape[1:]:
            raise EmbeddingError(
                f"'{name}' is {values.dtype} {values.shape} in {part.file} and {first.dtype} {first.shape} in "
                f"{parts[0].file}; save it alike in all files"
            )
    joined: NDArray[Any] = np.ma.concatenate(arrays) if any(np.ma.isMA(a) for a in arrays) else np.concatenate(arrays)
    return joined


def _with_num_query(found: Mapping[str, Loader], num_query: int) -> dict[str, Loader]:
    if "num_query" in found and found["num_query"]().tolist() != num_query:
        raise EmbeddingError(f"num_query={num_query} is given, and 'num_query' is {found['num_query']().tolist()}")
    if "pid" not in found:
        raise EmbeddingError(f"num_query={num_query} is given, and query and gallery are apart already; leave it out")
    return {**found, "num_query": lambda: np.asarray(num_query)}
