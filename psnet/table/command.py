"""psnet table: from folders of runs to the table, printed and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from psnet.atomic import write_whole
from psnet.table.blocks import build_blocks
from psnet.table.bounds import bounds_of
from psnet.table.columns import rows_of
from psnet.table.lines import build_lines
from psnet.table.picture import draw
from psnet.table.published import TITLES, read_published
from psnet.table.runs import Found, find_runs
from psnet.table.sections import build_sections
from psnet.table.terminal import print_sections
from psnet.table.write import csv_text, markdown


def make_table(folders: Sequence[Path], out: Path, wandb: bool, console: Console) -> None:
    """Write table.md, table.csv and table.png into `out`, and print what is in the first.

    Args:
        wandb: log them to W&B too.

    Raises:
        TableError: there is nothing to make a table of.
    """
    found = find_runs(folders)
    lines, twice = build_lines([*found.runs, *bounds_of(found.runs)], list(TITLES))
    blocks = build_blocks(lines, read_published())
    sections, rows, closing = build_sections(blocks, twice), rows_of(blocks), closing_of(found)
    write_whole(out / "table.md", markdown(sections, closing))
    write_whole(out / "table.csv", csv_text(rows))
    picture = write_whole(out / "table.png", draw(blocks))
    print_sections(sections, closing, console)
    console.print(
        "Table:", ", ".join(str(out / f"table.{kind}") for kind in ("md", "csv", "png")), soft_wrap=True, markup=False
    )
    if wandb:
        from psnet.table.wandb_run import log_table  # Lightning is slow to import

        log_table(rows, sections, picture, out)


def closing_of(found: Found) -> list[str]:
    """How many runs were found, and which files are left out and why."""
    left_out = [f"Left out: {file}: {reason}" for file, reason in found.left_out]
    total = len(found.runs) + len(left_out)
    return [*left_out, f"{total} metrics.json were found, {len(left_out)} of them left out."]
