"""Many runs from one command: none is lost by another's failure, and none is repeated that has been finished."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from psnet.atomic import write_whole
from psnet.command_line import setting, typed
from psnet.configuration import USER_ERRORS, build_manifest
from psnet.data.samples import NoSuchSplit
from psnet.record import given_now
from psnet.run_folder import AUTO, METRICS, finished, is_used

log = logging.getLogger("psnet")

Train = Callable[[DictConfig], dict[str, float]]

SWEEP = "hydra.sweep.dir"
OUTCOME = "outcome.json"
FINISHED, SKIPPED, FAILED = "finished", "skipped", "failed"


def run_job(cfg: DictConfig, train: Train, processes: Callable[[DictConfig], int]) -> dict[str, float]:
    """One job of a sweep: train, or find what an earlier call of the same sweep has finished.

    A job that was killed goes on from its checkpoint. One that fails leaves its reason in its folder and gives no
    figures, so that the others go on. A split that the data set does not have is skipped.

    Args:
        train: of one configuration, returns its metrics. processes: how many it has; a job of several is a command of
            its own, as the processes that Lightning starts would each run the whole sweep.

    Raises:
        Exception: what the job failed with, where a sweeper has to know (Optuna).
    """
    folder = Path(cfg.output_dir)
    cfg.group, cfg.name = Path(HydraConfig.get().sweep.dir).name, folder.name
    try:
        if cfg.resume is None or is_used(folder):
            cfg.resume = AUTO  # with what an earlier call of the sweep has begun
        metrics = train(cfg) if processes(cfg) == 1 else train_apart(cfg, folder)
        write_outcome(folder, FINISHED)
        return metrics
    except NoSuchSplit as error:
        log.warning("skipped: %s", error)
        write_outcome(folder, SKIPPED, str(error))
    except Exception as error:
        log.error("failed: %s", error, exc_info=not isinstance(error, USER_ERRORS))
        write_outcome(folder, FAILED, f"{type(error).__name__}: {error}", traceback.format_exc())
        if optimised():
            raise
    except (KeyboardInterrupt, SystemExit):
        log.warning("stopped; go on with the same command and %s", typed(SWEEP, HydraConfig.get().sweep.dir))
        raise
    return {}


def train_apart(cfg: DictConfig, folder: Path) -> dict[str, float]:
    """The job as a command of its own. What is wrong with its data is raised here, where it still has its kind.

    Raises:
        DataError: the data set cannot be had. RuntimeError: the command ended otherwise than well.
    """
    metrics = finished(cfg, folder, given_now(cfg)) if cfg.resume == AUTO else None
    if metrics is not None:
        return metrics
    build_manifest(cfg.dataset, cfg.join)
    own = [setting("hydra.run.dir", folder), *(setting(name, cfg[name]) for name in ("name", "group", "resume"))]
    hydra = HydraConfig.get()
    mine = [f"--config-dir={found.path}" for found in hydra.runtime.config_sources if found.provider == "command-line"]
    command = [sys.executable, sys.argv[0], *mine, *hydra.overrides.task, *own]
    ended = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    sys.stderr.write(ended.stderr)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"the job ended with {ended.returncode}: {last}")
    metrics = finished(cfg, folder, given_now(cfg))
    assert metrics is not None, f"{folder} has no {METRICS}"
    return metrics


def optimised() -> bool:
    """The sweeper chooses the next jobs by the figures of those before."""
    return not str(HydraConfig.get().sweeper._target_).endswith("BasicSweeper")


def write_outcome(folder: Path, status: str, reason: str = "", details: str = "") -> None:
    write_whole(folder / OUTCOME, json.dumps({"status": status, "reason": reason, "details": details}, indent=2))


class Sweep(Callback):
    """Says in the end what became of each job; the sweep's exit status is 1 if one failed."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        given = config.hydra.overrides
        if f"resume={AUTO}" in given.task and not any(word.startswith(f"{SWEEP}=") for word in given.hydra):
            sys.exit(f"error: resume=auto of many runs needs their folder: give {SWEEP}=..., and go on with it")
        _say(f"If this is stopped, go on with the same command and {typed(SWEEP, config.hydra.sweep.dir)}")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        outcomes = outcomes_of(folder)
        Console().print(outcome_table(folder, outcomes))
        _say(f"All runs: psnet table {folder}")
        failed = sum(outcome["status"] == FAILED for outcome in outcomes.values())
        if failed:
            sys.exit(
                f"error: {failed} of {len(outcomes)} jobs failed; the same command with {typed(SWEEP, folder)} tries "
                "them again"
            )


def outcomes_of(sweep: Path) -> dict[str, dict[str, str]]:
    """By the job's folder, below that of the sweep."""
    files = sorted(sweep.rglob(OUTCOME))
    return {str(file.parent.relative_to(sweep)): json.loads(file.read_text(encoding="utf-8")) for file in files}


def outcome_table(sweep: Path, outcomes: dict[str, dict[str, str]]) -> Table:
    """A line per job, which is called by the settings that not all jobs have."""
    settings = {job: _overrides(sweep / job) for job in outcomes}
    common = set.intersection(*map(set, settings.values())) if len(settings) > 1 else set()
    table = Table("job", "outcome", "reason", title="Sweep")
    for job, outcome in outcomes.items():
        own = [setting for setting in settings[job] if setting not in common]
        table.add_row(*(Text(cell) for cell in (" ".join(own) or job, outcome["status"], outcome["reason"])))
    return table


def _say(line: str) -> None:
    """As it is: overrides and reasons have brackets, which would be markup to rich."""
    Console().print(line, soft_wrap=True, highlight=False, markup=False)


def _overrides(folder: Path) -> list[str]:
    """What Hydra has written down of a job."""
    file = folder / ".hydra" / "overrides.yaml"
    return [str(override) for override in OmegaConf.load(file)] if file.is_file() else []
