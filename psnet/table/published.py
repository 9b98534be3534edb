"""What others report: published.csv, a figure's source beside each line."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from psnet.table.runs import FIGURES

TITLES = {
    "mlr_market": "MLR-Market1501",
    "mlr_cuhk03": "MLR-CUHK03",
    "mlr_viper": "MLR-VIPeR",
    "mlr_duke": "MLR-DukeMTMC-reID",
    "caviar": "CAVIAR",
}
"""The paper's sets, in its order."""


@dataclass(frozen=True)
class Published:
    """figures: percent, by the names of `FIGURES`, of those that are given. row: of the paper, "" of other methods.

    remark: where it is of another protocol than the paper's, in what.
    """

    dataset: str
    method: str
    row: str
    shots: str
    figures: Mapping[str, float]
    remark: str
    source: str

    @property
    def by(self) -> str:
        return f"{self.method}, paper" if self.row else self.method


def read_published() -> list[Published]:
    """All lines of published.csv, in its order."""
    text = (resources.files(__package__) / "published.csv").read_text(encoding="utf-8")
    return [_published(row) for row in csv.DictReader(text.splitlines())]


def _published(row: Mapping[str, str]) -> Published:
    texts = {key: row[key] for key in ("dataset", "method", "row", "shots", "remark", "source")}
    return Published(**texts, figures={name: float(row[name]) for name in FIGURES if row[name]})
