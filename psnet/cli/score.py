"""psnet score"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    score = commands.add_parser("score", help="score embeddings that any tool has made")
    score.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="embeddings of query and gallery, see docs/score.md"
    )
    score.add_argument(
        "--out", type=Path, default=Path("score"), help="folder of score.json, queries.csv and report.html"
    )
    score.add_argument(
        "--against",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="compare with another model on the same queries",
    )
    score.add_argument("--images", type=Path, help="folder that the paths start from, for pictures on the page")
    score.add_argument("--format", help="of the files, where it is not found out")
    score.add_argument("--num-query", type=int, help="so many rows are queries and come first")
    score.add_argument("--distance", choices=["cosine", "euclidean"], default="cosine")
    score.add_argument(
        "--no-camera-rule", action="store_true", help="keep images of the query's person by its own camera"
    )
    score.add_argument("--junk-pid", type=int, default=-1, help="gallery images that do not count, -1 if not given")
    score.add_argument("--keep-junk", action="store_true", help="everybody counts")
    score.add_argument(
        "--single-shot", type=int, default=0, metavar="DRAWS", help="one gallery image a person, drawn so often"
    )
    score.add_argument("--seed", type=int, default=0, help="of the draws")
    score.add_argument("--multi-query", choices=["mean", "max"], help="pool the queries of one person and camera")
    score.add_argument("--expand", type=int, default=0, metavar="K", help="add each query's first K neighbours to it")
    score.add_argument("--rerank", action="store_true", help="by k-reciprocal neighbours, k1 20, k2 6, lambda 0.3")
    score.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.scoring import ScoreOptions, command

    options = ScoreOptions(
        distance=given.distance,
        camera_rule=False if given.no_camera_rule else None,
        junk_pid=None if given.keep_junk else given.junk_pid,
        single_shot=given.single_shot,
        seed=given.seed,
        multi_query=given.multi_query,
        expand=given.expand,
        rerank=given.rerank,
    )
    more = {"file_format": given.format, "num_query": given.num_query, "against": given.against, "images": given.images}
    command.run(given.files, options, given.out, Console(), **more)
