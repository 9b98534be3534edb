"""What psnet score prints: tables, and bars while it works."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from psnet.findings import Findings
from psnet.metrics import Comparison, chance
from psnet.report.terms import is_count, metric_value, percent, term
from psnet.scoring.scored import Scored


def print_tables(scored: Scored, findings: Findings, compared: dict[str, Comparison], console: Console) -> None:
    """compared: with another model, nothing if there is none."""
    table = Table(title="Retrieval, %")
    for name in ("", "scored", "95 % interval", "chance"):
        table.add_column(name, justify="right" if name else "left")
    by_chance = chance(scored.retrieval.results)
    for key in (key for key in findings.figures if not is_count(key)):
        interval = findings.intervals.get(key)
        ends = f"{percent(interval.low)} to {percent(interval.high)}" if interval else ""
        table.add_row(term(key), metric_value(findings.figures, key), ends, metric_value(by_chance, key))
    for far, tar in findings.tar_at.items():
        table.add_row(f"TAR@FAR {far:g}", percent(tar))
    console.print(table)
    for name, groups in findings.groups.items():
        console.print(_group_table(name, groups.items(), scored.names.get(name)))
    if compared:
        console.print(_comparison(compared))
    for note in scored.notes:
        console.print(f"Note: {note}", soft_wrap=True, highlight=False, markup=False)


def _group_table(
    name: str, groups: Iterable[tuple[Any, tuple[dict[str, float], Any]]], texts: list[str] | None
) -> Table:
    name = escape(name)  # text of somebody's files: brackets in it are no styles
    table = Table(title=f"By {name}, %")
    keys = ("rank1", "rank5", "rank10", "mAP")
    for head in (name, "queries", *map(term, keys)):
        table.add_column(head, justify="right")
    for value, (row, _) in groups:
        label = f"{value:.10g}" if texts is None else escape(texts[int(value)])
        table.add_row(label, f"{int(row['queries']):,}", *(metric_value(row, key) for key in keys))
    return table


def _comparison(compared: dict[str, Comparison]) -> Table:
    table = Table(title="Against the other, points")
    for head in ("", "difference", "95 % interval", "p"):
        table.add_column(head, justify="right" if head else "left")
    for key, found in compared.items():
        ends = " to ".join(f"{100 * end:+.1f}" for end in found.interval)
        table.add_row(term(key), f"{100 * found.difference:+.1f}", ends, f"{found.p_value:.4f}")
    return table


class Bars:
    """Bars on a terminal; nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self.bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> Any:
        self.bars.start()
        return self._told

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def _told(self, name: str) -> Any:
        task = self.bars.add_task(name, total=None)
        return lambda done, total: self.bars.update(task, completed=done, total=total)
