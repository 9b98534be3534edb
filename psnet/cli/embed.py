"""psnet embed"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    embed = commands.add_parser("embed", help="turn images into embeddings with a trained model")
    add_images(embed)
    add_model(embed)
    embed.add_argument("--out", type=Path, default=Path("embeddings.npz"), help=".npz or .parquet; embeddings.npz")
    embed.set_defaults(run=run)


def add_images(command: argparse.ArgumentParser) -> None:
    """What says which images, and what is known of them."""
    command.add_argument(
        "images", nargs="+", metavar="IMAGES", help="folders, files, patterns, or one CSV file with a column path"
    )
    command.add_argument(
        "--names", help=r"a pattern with groups, such as '(?P<pid>\d+)_c(?P<camid>\d)', or market; see docs/use.md"
    )
    command.add_argument("--batch-size", type=int, default=32, help="images that the network computes at once")


def add_model(command: argparse.ArgumentParser) -> None:
    """What says which model."""
    command.add_argument("--model", required=True, help="a last.ckpt, a folder of psnet export, or a name on the hub")
    command.add_argument("--part", choices=["whole", "neck"], default="whole", help="of the descriptor")
    add_how(command)


def add_how(command: argparse.ArgumentParser) -> None:
    """What says how it computes."""
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    command.add_argument("--precision", default="auto", help="auto, 32-true, bf16-mixed or 16-mixed")
    command.add_argument(
        "--engine", default="pytorch", help="pytorch, onnx, openvino, int8, pt2 or auto; see docs/export.md"
    )


def run(given: argparse.Namespace) -> None:
    from psnet.embedder.command import embed, open_model

    embedder = open_model(given.model, given.part, given.device, given.precision, given.engine)
    embed(given.images, embedder, given.out, given.names, given.batch_size)
