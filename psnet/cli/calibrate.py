"""psnet calibrate, psnet compare"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from psnet.cli.embed import add_model


def add_to(commands: Any) -> None:
    calibrate = commands.add_parser("calibrate", help="find from which score on two images show one person")
    calibrate.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="embeddings of query and gallery, people not trained on"
    )
    add_model(calibrate)
    calibrate.add_argument("--far", type=float, required=True, help="share of false pairs to accept, such as 0.001")
    calibrate.set_defaults(run=run_calibrate)
    compare = commands.add_parser("compare", help="say whether two images show the same person")
    compare.add_argument("images", nargs=2, metavar="IMAGE")
    add_model(compare)
    compare.set_defaults(run=run_compare)


def run_calibrate(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.calibration import command
    from psnet.embedder.command import open_model

    embedder = open_model(given.model, given.part, given.device, given.precision, given.engine)
    command.run(embedder.place, embedder.made_by, embedder.trained_images, given.files, given.far, Console())


def run_compare(given: argparse.Namespace) -> None:
    from psnet.embedder.command import open_model

    embedder = open_model(given.model, given.part, given.device, given.precision, given.engine)
    print(embedder.compare(*given.images))
