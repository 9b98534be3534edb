"""log/metrics.csv: every figure of a run by step, in one file however often the run was killed."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from psnet.atomic import WriteError, write_whole
from psnet.processes import is_first

log = logging.getLogger("psnet")

FLUSH_STEPS = 10
"""So many steps are held in memory at most, and none when a checkpoint is written (`Task.on_save_checkpoint`)."""

Rows = Iterable[Mapping[str, Any]]


class CSVLog(CSVLogger):
    """The log of the run in a folder.

    Args:
        folder: of the run.
        steps: so many are done already; what was logged of later ones will be logged again, and is taken out.

    Raises:
        WriteError: when it is written, for want of room as a rule. What was to be written is kept for the next time.
    """

    def __init__(self, folder: Path, steps: int = 0) -> None:
        super().__init__(folder, name="", version="log", flush_logs_every_n_steps=FLUSH_STEPS)
        self._steps = steps

    @property
    def experiment(self) -> Any:
        if self._experiment is None and is_first():
            file = Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE
            if file.is_file():
                cut(file, self._steps)
            self._experiment = _Appending(self.log_dir)
        return self._experiment or super().experiment


class _Appending(ExperimentWriter):
    """Lightning's writer, but it begins with the rows that are there, and what it cannot write whole it keeps."""

    def _check_log_dir_exists(self) -> None:
        self.metrics_keys = _rows(Path(self.metrics_file_path))[0]

    def save(self) -> None:
        if not self.metrics:
            return
        file = Path(self.metrics_file_path)
        names = sorted({*self.metrics_keys}.union(*self.metrics))
        if names != self.metrics_keys or not file.is_file():
            _write(file, names, [*_rows(file)[1], *self.metrics])
            self.metrics_keys = names
        else:
            _append(file, names, self.metrics)
        self.metrics = []


def cut(file: Path, steps: int) -> None:
    """Take out the rows of step `steps` and later, and what was not written to its end.

    A file that is no log is set aside, as metrics-damaged.csv.
    """
    names, rows = _rows(file)
    if "step" not in names:
        damaged = file.with_stem(f"{file.stem}-damaged")
        log.warning("%s has no column 'step', so it is no log; it is %s now, and a new one is begun", file, damaged)
        os.replace(file, damaged)
    else:
        _write(file, names, [row for row in rows if int(row["step"]) < steps])


def _rows(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    """(names of the columns, rows), of lines that are whole; none where there is no file."""
    if not file.is_file():
        return [], []
    text = file.read_bytes().decode("utf-8", "replace")
    names, *lines = [*csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))] or [[]]
    rows = (dict(zip(names, line, strict=True)) for line in lines if len(line) == len(names))
    return names, [row for row in rows if row.get("step", "").isdecimal()]


def _write(file: Path, names: list[str], rows: Rows) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(file, text.getvalue())


def _append(file: Path, names: list[str], rows: Rows) -> None:
    size = file.stat().st_size
    try:
        with file.open("a", newline="", encoding="utf-8") as end:
            csv.DictWriter(end, names).writerows(rows)
    except OSError as error:
        os.truncate(file, size)
        raise WriteError.of(file, error) from error
