"""psnet table"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    table = commands.add_parser("table", help="gather finished runs into one table, beside published figures")
    table.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a run, of a sweep, or of many")
    table.add_argument("--out", type=Path, help="where table.md, .csv and .png go; the first folder if not given")
    table.add_argument("--wandb", action="store_true", help="log the table to W&B too")
    table.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.table.command import make_table

    make_table(given.folders, given.out or given.folders[0], given.wandb, Console())
