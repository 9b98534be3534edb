"""Weights & Biases that never asks and never waits."""

from __future__ import annotations

import logging
import netrc
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import WandbLogger

from psnet.atomic import write_whole
from psnet.processes import is_first

log = logging.getLogger(__name__)

ID = "run-id"
"""The file in a run's wandb/ that says which W&B run it is."""

SERVICE = "WANDB_SERVICE"
"""The environment variable by which W&B's own process is found; wandb sets it for the processes it starts."""

CONNECT_SECONDS = 15.0
"""How long to try the network before going on offline."""


def logged_in() -> bool:
    """A key is set, or a netrc entry exists, for the W&B host in use."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def wandb_logger(
    save_dir: str | Path,
    name: str,
    group: str,
    config: dict[str, Any],
    mode: str = "auto",
    project: str = "psnet",
    job_type: str | None = None,
    goes_on: bool = False,
) -> WandbLogger:
    """A logger whose run has begun.

    Args:
        save_dir: its files go to save_dir/wandb.
        config: resolved configuration, plain values.
        mode: "online", "offline", or "auto": what WANDB_MODE says, else online if logged in, else offline. Offline, one
            line names the folder and the command that uploads it later. An online run that cannot connect goes on
            offline.
        goes_on: as the run that this folder has begun.
        job_type: what kind of run it is, to find those of a kind; None of a training.
    """
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")
    if mode not in ("online", "offline", "disabled"):
        raise ValueError(f"logger.mode={mode!r} must be auto, online or offline")
    if not is_first():  # one run for all processes; Lightning lets the others log nowhere
        return WandbLogger(save_dir=str(save_dir))
    Path(save_dir).mkdir(parents=True, exist_ok=True)
    start: dict[str, Any] = {"name": name, "group": group, "job_type": job_type, "config": config}
    start |= {"project": project, "dir": str(save_dir)}
    known = Path(save_dir) / "wandb" / ID
    if not goes_on or not known.is_file():  # written before it begins: it may be killed as soon as it has
        write_whole(known, secrets.token_hex(4))
    start |= {"id": known.read_text(encoding="utf-8"), "resume": "allow" if goes_on else None}
    # a service inherited from the process that started this one would hold the run's id after a kill of the run
    os.environ.pop(SERVICE, None)
    run = _begin(start, mode)
    if run.settings.mode == "offline":
        here = Path(run.dir).parent
        parts = here.parent / f"offline-run-*-{run.id}"  # a run that went on has several, which are uploaded in turn
        several = len(list(here.parent.glob(parts.name))) > 1
        log.info("W&B writes offline; upload with: wandb sync %s", parts if several else here)
    return WandbLogger(experiment=run, save_dir=str(save_dir))


def forget(save_dir: str | Path) -> None:
    """What has been begun there does not go on."""
    (Path(save_dir) / "wandb" / ID).unlink(missing_ok=True)


def _begin(start: dict[str, Any], mode: Any) -> Any:
    settings = wandb.Settings(silent=True, console="off", init_timeout=CONNECT_SECONDS)
    try:
        return wandb.init(**start, mode=mode, settings=settings)
    except (wandb.errors.CommError, wandb.errors.AuthenticationError, wandb.errors.UsageError) as error:
        if mode != "online":
            raise
        log.warning("W&B cannot be reached (%s); going on offline", error)
        wandb.teardown()  # its service still holds the run's id
        return wandb.init(**start, mode="offline", settings=settings)
