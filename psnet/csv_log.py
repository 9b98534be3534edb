"""log/metrics.csv: every figure of a run by step, in one file however often the run was killed."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from psnet.atomic import WriteError, write_whole
from psnet.processes import is_first

FLUSH_STEPS = 10
"""So many steps are held in memory at most, and none when a checkpoint is written (`Task.on_save_checkpoint`)."""


class CSVLog(CSVLogger):
    """The log of the run in a folder.

    Args:
        folder: of the run.
        steps: the run goes on after so many, so that what was logged of later ones will be logged again and is taken
            out. None: another run, whose log gets a folder of its own beside those that are there.
    """

    def __init__(self, folder: Path, steps: int | None = None) -> None:
        there = len(list(folder.glob("log*")))
        number = max(there, 1) if steps is not None else there + 1
        version = "log" if number == 1 else f"log_{number}"
        super().__init__(folder, name="", version=version, flush_logs_every_n_steps=FLUSH_STEPS)
        self._steps = steps or 0

    @property
    def experiment(self) -> Any:
        if self._experiment is None and is_first():
            file = Path(self.log_dir) / ExperimentWriter.NAME_METRICS_FILE
            if file.is_file():
                cut(file, self._steps)
            self._experiment = _Appending(self.log_dir)
        return self._experiment or super().experiment

    @rank_zero_only
    def save(self) -> None:
        """Raises WriteError: there is no room."""
        try:
            super().save()
        except OSError as error:
            raise WriteError(f"{self.log_dir} cannot be written ({error.strerror}). Make room, and go on") from error


class _Appending(ExperimentWriter):
    """Lightning's writer, which begins with the rows that are there instead of removing them."""

    def _check_log_dir_exists(self) -> None:
        file = Path(self.metrics_file_path)
        self.metrics_keys = _rows(file)[0] if file.is_file() else []

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        file = Path(self.metrics_file_path)
        _write(file, fieldnames, _rows(file)[1])


def cut(file: Path, steps: int) -> None:
    """Take out the rows of step `steps` and later, and a last line that was not written to its end."""
    names, rows = _rows(file)
    _write(file, names, [row for row in rows if int(row["step"]) < steps])


def _rows(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    """(names of the columns, rows), of lines that are whole."""
    text = file.read_bytes().decode("utf-8")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    return list(reader.fieldnames or []), list(reader)


def _write(file: Path, names: list[str], rows: list[dict[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(file, text.getvalue())
