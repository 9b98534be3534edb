"""Whatever stops a run, the same command goes on with it, to where one that was never stopped ends."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.crashes import Run, differences, kill_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def heard() -> Iterator[None]:
    """A shell's background jobs are deaf to Ctrl-C, and so would be the processes that are started here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, float]:
    """A run without a break, and how many seconds it took."""
    run, begun = Run(tmp_path_factory.mktemp("killed") / "unbroken"), time.perf_counter()
    assert run.start().wait(timeout=300) == 0, run.output
    return run, time.perf_counter() - begun


@pytest.fixture(scope="module")
def unbroken(timed: tuple[Run, float]) -> Run:
    return timed[0]


def stop(run: Run, reached: Callable[[], bool], number: int) -> int:
    """Start it, send it a signal when it has come so far, and return its exit status."""
    process = run.start()
    try:
        while not reached():
            assert process.poll() is None, run.output
            time.sleep(0.002)
        process.send_signal(number)
        return process.wait(timeout=60)
    finally:
        process.kill()


def test_the_end_is_the_same(unbroken: Run):
    run = Run(unbroken.folder.parent / "stopped")
    assert stop(run, lambda: (run.place("teacher") / "last.ckpt").is_file(), signal.SIGTERM) == 143, run.output
    assert "teacher: stopped; the same command goes on with it" in run.output
    assert stop(run, lambda: run.kept("teacher").is_file(), signal.SIGKILL) == -9
    assert stop(run, lambda: (run.place("student") / "last.ckpt").is_file(), signal.SIGINT) == 130, run.output
    assert "stopped; go on with the same command\n" in run.output
    last, before = (run.place("student") / name for name in ("last.ckpt", "last-before.ckpt"))
    assert stop(run, lambda: before.is_file() and run.writes, signal.SIGKILL) == -9
    damaged = last.read_bytes()[:-1000]
    last.unlink()  # it and the one before may be links to one file, if the kill was just between the two
    last.write_bytes(damaged)
    assert run.start().wait(timeout=300) == 0, run.output
    assert f"{last} cannot be read as a checkpoint" in run.output
    assert f"going on from {before}, " in run.output
    assert (run.place("student") / "last-aside.ckpt").is_file()
    assert "Traceback" not in run.output
    assert not run.writes  # what was half written is gone
    assert list(differences(run, unbroken)) == []


def test_the_benchmark(timed: tuple[Run, float], capsys: pytest.CaptureFixture[str]):
    assert kill_runs(*timed, number=1, seed=0) == 0
    printed = capsys.readouterr().out
    assert re.search(r"kill  1 after .* s: \w+, \d+ epochs kept", printed)
    assert re.search(r"\n1 kills in \d+ runs, of which 0 ended otherwise than they should\n$", printed)


def spoil_weights(run: Run) -> None:
    content = torch.load(run.kept("teacher"), weights_only=True)
    next(value for value in content["state_dict"].values() if value.ndim == 1)[0] += 1e-3
    torch.save(content, run.kept("teacher"))


def spoil_log(run: Run) -> None:
    file = run.place("student") / "log" / "metrics.csv"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines, lines[-1]]))


def spoil_wandb(run: Run) -> None:
    (run.place("sr_start") / "wandb" / "offline-run-20260131_120000-another").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_weights, "teacher: state_dict"),
        (spoil_log, "student: log"),
        (spoil_wandb, "sr_start: several W&B runs"),
    ],
)
def test_a_difference_would_be_seen(unbroken: Run, tmp_path: Path, spoil: Callable[[Run], None], told: str):
    other = Run(tmp_path / "other")
    shutil.copytree(unbroken.folder, other.folder, dirs_exist_ok=True, symlinks=True)
    assert list(differences(other, unbroken)) == []
    spoil(other)
    assert list(differences(other, unbroken)) == [told]


def test_it_is_not_trained_again(unbroken: Run):
    before = (unbroken.folder / "run" / "last.ckpt").stat().st_mtime_ns
    ended = subprocess.run(unbroken.command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stderr
    assert "finished already" in ended.stdout
    assert (unbroken.folder / "run" / "last.ckpt").stat().st_mtime_ns == before


def test_other_settings_are_refused_and_named(unbroken: Run):
    command = [*unbroken.command, "model.ps_weight=0.25"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 1
    assert "holds a run of other settings: model.ps_weight=0.5 where 0.25 is wanted" in ended.stderr
    assert "Traceback" not in ended.stderr
