"""psnet export"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    export = commands.add_parser("export", help="write a trained model as a folder to keep, send, or put on a hub")
    export.add_argument("model", help="a last.ckpt")
    export.add_argument("folder", type=Path, help="to write: weights as safetensors, settings, and a card")
    export.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from psnet.configuration import USER_ERRORS
    from psnet.embedder.command import export

    try:
        export(given.model, given.folder)
    except (*USER_ERRORS, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
