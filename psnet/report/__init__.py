"""The evaluation's HTML report: fill in `Report`, call `write_report`."""

from psnet.report.content import (
    Crop,
    Entry,
    RankedList,
    RateRow,
    Report,
    RestorationExample,
    RestorationRow,
    Row,
)
from psnet.report.page import render, write_report

__all__ = [
    "Crop",
    "Entry",
    "RankedList",
    "RateRow",
    "Report",
    "RestorationExample",
    "RestorationRow",
    "Row",
    "render",
    "write_report",
]
