"""What can be typed behind psnet. Nothing that is slow to import is needed to say it; each command imports its own."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from psnet.cli import calibrate, dataset, embed, explain, export, gallery, score, serve, table

DESCRIPTION = (
    "MLR data sets, scores of any tool's embeddings, the table of results, and trained models put to use. Training: "
    "train.py, evaluate.py."
)


def parser() -> argparse.ArgumentParser:
    """Each command says by `run` what it does."""
    whole = argparse.ArgumentParser(prog="psnet", description=DESCRIPTION)
    commands = whole.add_subparsers(dest="command", required=True)
    for part in (dataset, table, score, embed, gallery, serve, explain, calibrate, export):
        part.add_to(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        from psnet.configuration import USER_ERRORS  # only now: it is slow to import

        if not isinstance(error, (*USER_ERRORS, ValueError, OSError)):
            raise
        sys.exit(f"error: {error}")
