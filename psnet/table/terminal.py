"""The table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from psnet.table.sections import Section, Sheet


def print_sections(sections: Sequence[Section], closing: Sequence[str], console: Console) -> None:
    """The same cells and remarks as in table.md."""
    for section in sections:
        console.rule(Text(section.title))
        for sheet in section.sheets:
            console.print(_table(sheet))
        for remark in section.remarks:
            _print_remark(remark, console)
    for remark in closing:
        _print_remark(remark, console)


def _table(sheet: Sheet) -> Table:
    table = Table(title=Text(sheet.title), title_justify="left")
    for column in sheet.columns:
        words = column in sheet.left
        table.add_column(Text(column), justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _print_remark(remark: str, console: Console) -> None:
    console.print(Text(f"- {remark}"), soft_wrap=True, highlight=False)
