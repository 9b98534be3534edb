"""W&B never asks, never waits for long, and says where an offline run lies."""

from __future__ import annotations

import glob
import logging
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import wandb

from psnet import loggers
from psnet.loggers import logged_in, wandb_logger

UNREACHABLE = "http://127.0.0.1:9"
"""Port 9 discards; nothing listens there."""


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Not logged in, whoever runs the tests."""
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    yield
    wandb.finish()


def begin(folder: Path, **more: Any):
    return wandb_logger(folder, name="run", group="group", config={"seed": 3}, **more)


def test_nobody_is_logged_in():
    assert not logged_in()


def test_a_key_is_a_login(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert logged_in()


@pytest.mark.parametrize(("url", "expected"), [(None, True), ("https://wandb.example.org", False)])
def test_an_entry_in_netrc_is_one_for_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, expected: bool
):
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password " + "0" * 40 + "\n")
    (tmp_path / "netrc").chmod(0o600)
    if url:
        monkeypatch.setenv("WANDB_BASE_URL", url)
    assert logged_in() is expected


def test_a_broken_netrc_is_none(tmp_path: Path):
    (tmp_path / "netrc").write_text("machine\n")
    assert not logged_in()


def test_offline_names_folder_and_command(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        logger = begin(tmp_path)
    assert logger.experiment.settings.mode == "offline"
    (message,) = [record.getMessage() for record in caplog.records if "wandb sync" in record.getMessage()]
    folder = Path(message.rpartition("wandb sync ")[2])
    assert folder.parent == tmp_path / "wandb"
    assert list(folder.glob("*.wandb"))
    assert dict(logger.experiment.config) == {"seed": 3}
    assert logger.experiment.group == "group"


def test_a_kind_of_run(tmp_path: Path):
    assert begin(tmp_path, job_type="table").experiment.job_type == "table"


def test_the_environment_decides_over_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert begin(tmp_path).experiment.settings.mode == "offline"


def test_a_wrong_mode(tmp_path: Path):
    with pytest.raises(ValueError, match=r"logger\.mode='on' must be auto, online or offline"):
        begin(tmp_path, mode="on")


def test_without_a_connection_it_goes_on_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", UNREACHABLE)
    monkeypatch.setattr(loggers, "CONNECT_SECONDS", 2.0)
    with caplog.at_level(logging.INFO):
        logger = begin(tmp_path, mode="online")
    assert logger.experiment.settings.mode == "offline"
    text = caplog.text
    assert "W&B cannot be reached" in text
    assert "wandb sync" in text


def test_it_asks_nothing_at_a_terminal(tmp_path: Path):
    """At a terminal wandb's own start shows a menu and waits for an answer."""
    terminal, end = pty.openpty()
    code = f"from psnet.loggers import wandb_logger; wandb_logger({str(tmp_path)!r}, 'run', 'group', {{}})"
    environment = {**os.environ, "HOME": str(tmp_path)}
    try:
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, stdin=end, stdout=end, stderr=end, env=environment, timeout=60, check=False)
    finally:
        os.close(end)
        os.close(terminal)
    assert ran.returncode == 0
    assert list((tmp_path / "wandb").glob("offline-run-*"))


def test_it_has_a_service_of_its_own(tmp_path: Path):
    """One inherited from the process that started the run would hold the run's id after the run was killed."""
    code = f"from psnet.loggers import wandb_logger; wandb_logger({str(tmp_path)!r}, 'run', 'group', {{}})"
    environment = {**os.environ, loggers.SERVICE: f"3-1-unix-{tmp_path / 'nobody'}"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert list((tmp_path / "wandb").glob("offline-run-*"))


def test_all_parts_of_a_run_are_uploaded(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    run = ""
    for second in range(2):
        if second:
            time.sleep(1.1)  # folders are called by the second
        with caplog.at_level(logging.INFO):
            run = begin(tmp_path, mode="offline", goes_on=True).experiment.id
        wandb.finish()
    told = [text for text in caplog.messages if "wandb sync" in text][-1].rpartition("wandb sync ")[2]
    assert told == str(tmp_path / "wandb" / f"offline-run-*-{run}")
    assert len(glob.glob(told)) == 2


def test_it_goes_on_as_the_same_run(tmp_path: Path):
    ids = []
    for goes_on in (True, True, False, True):  # the first has nothing to go on with
        ids.append(begin(tmp_path, mode="offline", goes_on=goes_on).experiment.id)
        wandb.finish()
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert len({folder.name.split("-")[3] for folder in (tmp_path / "wandb").glob("offline-run-*")}) == 2
