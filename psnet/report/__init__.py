"""The evaluation's HTML report: fill in `Report`, call `write_report`."""

from psnet.report.browser import BrowsedEntry, BrowsedImage, BrowsedQuery, Browser, Sheet, Thumbnails
from psnet.report.content import (
    Band,
    Crop,
    Entry,
    ExplainedPair,
    ExplainedQuery,
    GroupRow,
    RankedList,
    RateRow,
    Report,
    RestorationExample,
    RestorationRow,
    Roc,
    Row,
)
from psnet.report.page import NO_ROOM, render, room_for_thumbnails, write_report
from psnet.report.thumbnails import make_thumbnails

__all__ = [
    "NO_ROOM",
    "Band",
    "BrowsedEntry",
    "BrowsedImage",
    "BrowsedQuery",
    "Browser",
    "Crop",
    "Entry",
    "ExplainedPair",
    "ExplainedQuery",
    "GroupRow",
    "RankedList",
    "RateRow",
    "Report",
    "RestorationExample",
    "RestorationRow",
    "Roc",
    "Row",
    "Sheet",
    "Thumbnails",
    "make_thumbnails",
    "render",
    "room_for_thumbnails",
    "write_report",
]
