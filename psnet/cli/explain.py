"""psnet explain"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from psnet.cli.embed import add_model


def add_to(commands: Any) -> None:
    explain = commands.add_parser("explain", help="show which regions of two images made their score")
    explain.add_argument("query")
    explain.add_argument("match")
    add_model(explain)
    explain.add_argument("--out", type=Path, default=Path("explained.png"), help=".png or .jpg; explained.png")
    explain.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from psnet.embedder.command import open_model
    from psnet.gallery.explanation import write_explanation

    embedder = open_model(given.model, given.part, given.device, given.precision, given.engine)
    score = write_explanation(given.out, embedder, Path(given.query), Path(given.match))
    print(f"{score:.4f}, {given.out}")
