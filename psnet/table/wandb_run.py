"""The table in W&B, for its reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import wandb

from psnet.loggers import wandb_logger
from psnet.table.columns import Value
from psnet.table.sections import Section


def log_table(rows: Sequence[dict[str, Value]], sections: Sequence[Section], picture: Path, folder: Path) -> None:
    """A run of job type "table" with the numbers ("table"), each set's sheets ("mlr_viper_single_figures"), and the
    picture ("rank1").

    Offline where nobody is logged in; it never asks.

    Args:
        folder: where wandb/ lies.
    """
    config = {"lines": len(rows), "sets": [section.dataset for section in sections]}
    logger = wandb_logger(folder, name="table", group="table", config=config, job_type="table")
    try:
        content: dict[str, wandb.Table | wandb.Image] = {"table": _numbers(rows), "rank1": wandb.Image(str(picture))}
        for section in sections:
            for sheet in section.sheets:
                cells = wandb.Table(columns=list(sheet.columns), data=[list(row) for row in sheet.rows])
                content[f"{section.dataset}_{sheet.name}"] = cells
        logger.experiment.log(content)
    finally:
        wandb.finish()


def _numbers(rows: Sequence[dict[str, Value]]) -> wandb.Table:
    return wandb.Table(columns=list(rows[0]), data=[list(row.values()) for row in rows])
