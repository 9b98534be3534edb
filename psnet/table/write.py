"""The texts of table.md and table.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from psnet.table.columns import Value
from psnet.table.sections import Section, Sheet

LEGEND = (
    "Mean ± sample standard deviation over a line's runs, which differ in split and seed alone. A dash: one run, so "
    "no deviation, or nothing is given. Runs on different data never share a line. # is a line's number, in all tables."
)


def markdown(sections: Sequence[Section], closing: Sequence[str]) -> str:
    """The whole page. closing: sentences below, such as on files that were left out."""
    parts = ["# Results", LEGEND]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [part for sheet in section.sheets for part in (f"**{sheet.title}**", _markdown_table(sheet))]
        parts.append(_bullets(section.remarks))
    parts.append(_bullets(closing))
    return "\n\n".join(part for part in parts if part) + "\n"


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(f"- {_escaped(text)}" for text in texts)


def _markdown_table(sheet: Sheet) -> str:
    rule = ["---" if column in sheet.left else "--:" for column in sheet.columns]
    rows = [sheet.columns, rule, *sheet.rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows)


def _escaped(text: str) -> str:
    """Names of files and settings may hold what Markdown takes for its own."""
    for mark in ("\\", "|", "*", "_", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")


def csv_text(rows: Sequence[dict[str, Value]]) -> str:
    """Numbers as Python writes them, so that they read as what they were; nothing where there is no value."""
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
