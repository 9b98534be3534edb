"""The command psnet: look at a data set, write it as an MLR set, score embeddings, or gather runs into a table."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

DESCRIPTION = (
    "MLR data sets, scores of any tool's embeddings, and the table of results. Training: train.py, evaluate.py."
)
SETTINGS = "as for train.py: dataset=mlr_viper dataset.source.protocol.seed=1"


def main(arguments: Sequence[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = parser().parse_args(arguments)
    if given.command == "table":
        run_table(given)
    elif given.command == "score":
        run_score(given)
    else:
        run_dataset(given)


def parser() -> argparse.ArgumentParser:
    """What can be typed. Nothing that is slow to import is needed for it; each command imports its own."""
    whole = argparse.ArgumentParser(prog="psnet", description=DESCRIPTION)
    commands = whole.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build-mlr", help="write the whole set to a folder, with its manifest")
    build.add_argument("folder", type=Path)
    inspect = commands.add_parser("inspect", help="say what is there and what it becomes")
    for command in (build, inspect):
        command.add_argument("settings", nargs="+", help=SETTINGS)
    table = commands.add_parser("table", help="gather finished runs into one table, beside published figures")
    table.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a run, of a sweep, or of many")
    table.add_argument("--out", type=Path, help="where table.md, .csv and .png go; the first folder if not given")
    table.add_argument("--wandb", action="store_true", help="log the table to W&B too")
    _add_score(commands.add_parser("score", help="score embeddings that any tool has made"))
    return whole


def _add_score(score: argparse.ArgumentParser) -> None:
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


def run_table(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.table.command import make_table
    from psnet.table.runs import TableError

    try:
        make_table(given.folders, given.out or given.folders[0], given.wandb, Console())
    except (TableError, OSError) as error:
        sys.exit(f"error: {error}")


def run_score(given: argparse.Namespace) -> None:
    from rich.console import Console

    from psnet.scoring import ScoreOptions
    from psnet.scoring.command import run

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
    try:
        run(given.files, options, given.out, Console(), **more)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def run_dataset(given: argparse.Namespace) -> None:
    from psnet.configuration import USER_ERRORS, build_manifest
    from psnet.data.export import export

    try:
        dataset = compose_dataset(given.settings)
        manifest = build_manifest(dataset)
        if given.command == "build-mlr":
            listed = export(manifest, given.folder)
            rules = " ".join(evaluation_rules(dataset))
            print(f"Train on it with: python train.py dataset=csv dataset.source.reader.path={listed} {rules}".rstrip())
    except USER_ERRORS as error:
        sys.exit(f"error: {error}")


def compose_dataset(settings: Sequence[str]) -> DictConfig:
    """The node `dataset` of what train.py would compose.

    Raises:
        SettingsError: a setting names what is not there, or no data set is named.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from psnet.configuration import SettingsError, configuration_folder

    if not any(setting.startswith("dataset=") for setting in settings):
        raise SettingsError(f"no data set among {list(settings)}; name one, such as dataset=mlr_viper")
    try:
        with initialize_config_dir(configuration_folder(), version_base="1.3"):
            dataset: DictConfig = compose("train", list(settings)).dataset
    except HydraException as error:
        raise SettingsError(str(error)) from error
    return dataset


def evaluation_rules(dataset: DictConfig) -> list[str]:
    """The settings by which dataset=csv, on this set as files, is evaluated as the set itself is."""
    from omegaconf import OmegaConf

    of_csv = compose_dataset(["dataset=csv"])
    keys = ("shots", "repeats", "source.camera_rule", "source.singletons", "source.unmatched_queries")
    values = {key: OmegaConf.select(dataset, key) for key in keys}
    return [
        f"dataset.{key}={str(value).lower()}" for key, value in values.items() if value != OmegaConf.select(of_csv, key)
    ]


if __name__ == "__main__":
    main()
