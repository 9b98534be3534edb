"""Networks that are kept: who makes them, when they are made anew, and what they may be used for."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from psnet import phases
from psnet.checkpoint import FORM, AtomicCheckpointIO, Begun
from psnet.phases import keep, settings_hash
from psnet.processes import BusyError


def test_it_is_made_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = tmp_path / "phase"
    resumed: list[Begun | None] = []

    def training(begun: Begun | None) -> Path:
        resumed.append(begun)
        (folder / "last.ckpt").write_text("weights")
        return folder / "last.ckpt"

    with caplog.at_level(logging.INFO):
        first, second = keep(folder, "teacher", training), keep(folder, "teacher", training)
    assert first == second
    assert first.read_text() == "weights"
    assert resumed == [None]
    assert "teacher: found, made with the same settings" in caplog.text


def test_what_was_begun_goes_on(tmp_path: Path):
    content = {"psnet": {"form": FORM}, "epoch": 0, "global_step": 5}
    AtomicCheckpointIO().save_checkpoint(content, tmp_path / "last.ckpt")

    def training(begun: Begun | None) -> Path:
        assert begun == Begun(tmp_path / "last.ckpt", epochs=1, steps=5, meta={"form": FORM})
        begun.file.write_text("whole")
        return begun.file

    assert keep(tmp_path, "teacher", training).read_text() == "whole"


def test_two_runs_do_not_make_it_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    def never(begun: Begun | None) -> Path:
        raise AssertionError("the other run makes it")

    found: list[Path] = []
    other = FileLock(tmp_path / "lock", thread_local=False)
    other.acquire()
    with caplog.at_level(logging.INFO):
        waiting = threading.Thread(target=lambda: found.append(keep(tmp_path, "teacher", never)))
        waiting.start()
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
        (tmp_path / "model.ckpt").write_text("by the other")
        other.release()
        waiting.join(timeout=10)
    assert found == [tmp_path / "model.ckpt"]
    assert "another run is at work in" in caplog.text


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "SLURM_NTASKS"])
def test_one_of_several_processes_does_not_wait_while_the_others_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
):
    def never(begun: Begun | None) -> Path:
        raise AssertionError("the other run makes it")

    monkeypatch.setenv(variable, "2")
    other = FileLock(tmp_path / "lock", thread_local=False)
    with other, pytest.raises(BusyError, match=r"teacher: another run is at work in .*; start this one when that has"):
        keep(tmp_path, "teacher", never)


def test_a_stopped_training_keeps_nothing_and_lets_others_in(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    def fails(begun: Begun | None) -> Path:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, "teacher", fails)
    assert not (tmp_path / "model.ckpt").exists()
    assert "teacher: stopped; the same command goes on with it" in caplog.text
    FileLock(tmp_path / "lock").acquire(timeout=0)


def test_who_edits_the_method_gets_another_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tasks").mkdir()
    loss, page = tmp_path / "losses.py", tmp_path / "report.py"
    loss.write_text("margin = 0.3")
    page.write_text("colour = 'red'")
    monkeypatch.setattr(phases, "_PACKAGE", tmp_path)
    first = settings_hash({"seed": 0})
    page.write_text("colour = 'blue'")
    assert settings_hash({"seed": 0}) == first
    assert settings_hash({"seed": 1}) != first
    loss.write_text("margin = 0.2")
    assert settings_hash({"seed": 0}) != first


def test_the_code_of_a_network_of_ones_own_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_network.py").write_text("class Mine: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"model": {"reid": {"_target_": "own_network.Mine"}, "sr": {"_target_": "psnet.models.VDSRCA"}}}
    first = settings_hash(settings)
    assert settings_hash(settings) == first
    with (tmp_path / "own_network.py").open("a") as file:
        file.write("# and otherwise\n")
    assert settings_hash(settings) != first
