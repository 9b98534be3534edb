"""People's own images: a CSV file."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psnet.data.readers.layout import PARTS, ROOT_SETTING, in_order
from psnet.data.readers.numbering import numbered
from psnet.data.samples import NO_CAMERA, DataError, Sample, SampleSet

FILE_SETTING = "dataset.source.reader.path"
"""How a user says where the file lies; named in errors."""

REQUIRED = ("path", "pid")
OPTIONAL = ("camid", "split", "rate", "high")
LOW = "low"
"""Rate of an image that is low by a factor nobody knows."""


@dataclass(frozen=True)
class _Line:
    """One row of the file, and where it stands."""

    cells: dict[str, str]
    where: str
    root: Path

    def error(self, what: str) -> DataError:
        return DataError(f"{self.where}: {what}")

    def sample(self, pids: dict[str, int]) -> Sample:
        path, rate, high = self.image("path"), self.rate(), self.cells.get("high", "")
        native_low = rate > 1 or self.cells.get("rate", "") == LOW
        if high and not native_low:
            raise self.error(
                f"high={high!r} is given for a sharp image; give the rate of the low one (above 1, or {LOW!r})"
            )
        twin = self.image("high") if high else None
        if twin == path:
            raise self.error(f"high={high!r} is the image itself; name its sharp twin, or leave the cell empty")
        return Sample(
            path=path,
            pid=pids[self.cells["pid"]],
            camid=self.camid(),
            part=self.part(),
            rate=rate,
            high=twin,
            native_low=native_low,
        )

    def image(self, column: str) -> Path:
        """Path of a file that is there, relative to root."""
        given = self.cells[column]
        if not given:
            raise self.error(f"{column} is empty")
        relative = Path(os.path.relpath(self.root / given, self.root))
        if relative.parts[:1] == (os.pardir,):
            raise self.error(f"{column}={given!r} lies outside the root {self.root}; give another, {ROOT_SETTING}=PATH")
        if not (self.root / relative).is_file():
            raise self.error(f"there is no file {self.root / relative}; correct {column}, or give {ROOT_SETTING}=PATH")
        return relative

    def camid(self) -> int:
        given = self.cells.get("camid", "")
        if given and not re.fullmatch("[0-9]+", given):
            raise self.error(f"camid={given!r} must be a whole number, or empty where the camera is unknown")
        if given and int(given) >= 2**63:
            raise self.error(f"camid={given!r} is beyond 2**63 - 1; number the cameras anew")
        return int(given) if given else NO_CAMERA

    def part(self) -> str:
        given = self.cells.get("split", "")
        if given and given not in PARTS:
            raise self.error(f"split={given!r} must be one of {', '.join(PARTS)}, or empty")
        return given

    def rate(self) -> float:
        given = self.cells.get("rate", "") or "1"
        if given == LOW:
            return 1.0
        try:
            rate = float(given)
        except ValueError:
            rate = math.nan
        if not 1 <= rate < math.inf:
            raise self.error(f"rate={given!r} must be a down-sampling factor of 1 (sharp) or more, {LOW!r}, or empty")
        return rate


def read_csv(path: str | Path, root: str | Path | None = None) -> SampleSet:
    """A CSV file (UTF-8, commas, a header) with one row per image.

    Columns: `path` of the image, relative to root; `pid`, any string (see `numbered` for the pids they
    become). And if wanted: `camid`, a whole number; `split`, one of train, test, query, gallery; `rate`,
    above 1 if the file is low already, or "low" if it is, by a factor nobody knows; `high`, path of the sharp twin of
    such a file. An empty cell says nothing. Other columns are not used, and the notes say so.

    Args:
        root: where paths begin; the folder of the CSV file if not given.

    Raises:
        DataError: no such file, a missing column, no rows, a row that is wrong (with its line), a repeated
            path.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(
            f"there is no CSV file {path}. It needs a header with the columns {', '.join(REQUIRED)} "
            f"(and {', '.join(OPTIONAL)} if wanted) and a row per image; give {FILE_SETTING}=FILE"
        )
    base = path.parent if root is None else Path(root).expanduser()
    if not base.is_dir():
        raise DataError(f"{path}: there is no folder {base}, where its paths begin; give {ROOT_SETTING}=PATH")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            unused = _check_header(path, list(reader.fieldnames or []))
            lines = list(_lines(path, reader, base))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error
    if not lines:
        raise DataError(f"{path} has a header but no rows; add a row per image")
    notes = (f"columns not used: {', '.join(unused)}",) if unused else ()
    return SampleSet(path.stem, base, in_order(_samples(lines)), published={}, notes=notes)


def _check_header(path: Path, columns: list[str]) -> list[str]:
    """The columns nobody uses."""
    if not columns:
        raise DataError(f"{path} is empty; it needs a header with the columns {', '.join(REQUIRED)}")
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise DataError(f"{path} lacks the column {missing[0]!r}; it has {', '.join(columns)}")
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has the column {repeated[0]!r} twice; keep one")
    return [name for name in columns if name not in REQUIRED + OPTIONAL]


def _lines(path: Path, reader: csv.DictReader[str], root: Path) -> Iterator[_Line]:
    width = len(reader.fieldnames or [])
    for record in reader:
        where = f"{path}, line {reader.line_num}"
        # DictReader keeps surplus cells under the key None and fills missing ones with None
        if None in record or None in record.values():
            raise DataError(f"{where}: the header has {width} columns, this row has more or fewer; quote commas")
        cells = {name: cell.strip() for name, cell in record.items()}
        if not cells["pid"]:
            raise DataError(f"{where}: pid is empty")
        yield _Line(cells, where, root)


def _samples(lines: list[_Line]) -> Iterator[Sample]:
    # reversed, so that the first line of a person stands
    pids = numbered({line.cells["pid"]: line.where for line in reversed(lines)})
    first: dict[Path, str] = {}
    for line in lines:
        sample = line.sample(pids)
        if sample.path in first:
            raise line.error(f"path {sample.path} is listed already ({first[sample.path]}); list each image once")
        first[sample.path] = line.where
        yield sample
