"""psnet export"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    export = commands.add_parser("export", help="write a trained model as a folder to keep, send, or put on a hub")
    export.add_argument("model", help="a last.ckpt")
    export.add_argument("folder", type=Path, help="to write: weights as safetensors, settings, and a card")
    export.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from psnet.embedder.command import export

    export(given.model, given.folder)
