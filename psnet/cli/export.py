"""psnet export"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psnet.export.wish import Wish


def add_to(commands: Any) -> None:
    export = commands.add_parser("export", help="write a trained model as a folder, and for other engines")
    export.add_argument("model", help="a last.ckpt, or a folder of psnet export")
    export.add_argument("folder", type=Path, help="to write: weights as safetensors, settings, and a card")
    export.add_argument("--to", default="", metavar="ENGINES", help="also onnx, openvino, int8, pt2; commas between")
    several = {"nargs": "+", "metavar": "IMAGES"}
    export.add_argument("--images", **several, help="to compare the engines with the checkpoint on; 12 or more")
    export.add_argument("--calibrate", **several, help="to take int8's ranges from; --images if left out")
    export.add_argument("--query", **several, help="of people not trained on, to see what int8 costs in Rank-1")
    export.add_argument("--gallery", **several, help="the same people by other cameras")
    export.add_argument("--names", help="pattern that reads the pid of query and gallery; see docs/use.md")
    export.add_argument("--most-loss", type=float, metavar="POINTS", help="of Rank-1 by int8; 0.5")
    export.add_argument(
        "--without-preprocessing", action="store_true", help="graphs take float32 (B, 3, h, w) in [0, 1] instead"
    )
    export.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.export.command import run

    of_engines = ("images", "calibrate", "query", "gallery", "names", "most_loss", "without_preprocessing")
    values = {name.replace("_", "-"): getattr(given, name) for name in of_engines}
    idle = [name for name, value in values.items() if value is not None and value is not False]
    if idle and not given.to:
        raise ValueError(f"--{idle[0]} is for other engines, and none is asked for; say --to, or leave it out")
    run(given.model, given.folder, _wish(given) if given.to else None, Console())


def _wish(given: argparse.Namespace) -> Wish:
    from psnet.embedder.command import listing_of
    from psnet.export.check import Labelled
    from psnet.export.wish import Wish

    if not given.images:
        raise ValueError("--to needs --images: each engine is compared with the checkpoint before it is kept")
    forms = [form.strip() for form in given.to.split(",")]
    if given.calibrate and "int8" not in forms:
        raise ValueError("--calibrate is for int8, which --to does not ask for; add it there, or leave this out")
    if given.most_loss is not None and not given.query:
        raise ValueError("--most-loss is of Rank-1, which is found by --query, --gallery and --names; give them too")
    if bool(given.query) != bool(given.gallery) or bool(given.query) != bool(given.names):
        raise ValueError("--query, --gallery and --names go together: by them it is seen what int8 costs in Rank-1")
    images = listing_of(given.images, None)
    return Wish(
        forms,
        images,
        listing_of(given.calibrate, None) if given.calibrate else images,
        Labelled(listing_of(given.query, given.names), listing_of(given.gallery, given.names)) if given.query else None,
        not given.without_preprocessing,
        **({} if given.most_loss is None else {"most_loss": given.most_loss / 100}),
    )
