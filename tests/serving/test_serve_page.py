"""What docs/serve.md and the README tell people to type around the service is typed here."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import uvicorn

from psnet.cli import main
from psnet.serving.guard import HELD, SENDING
from psnet.serving.limits import Limits
from psnet.serving.run import CONNECTIONS, FINISHING
from tests.serving.world import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")


def typed(program: str, text: str = PAGE) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith(f"{program} ")]
    assert lines
    return lines


SERVE = dict.fromkeys(typed("psnet serve") + typed("psnet serve", (ROOT / "README.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("line", SERVE)
def test_it_starts(line: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PSNET_TOKEN", "0123456789abcdef")
    (tmp_path / "crops.gallery").symlink_to(place / "people")
    started = []
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: started.append(server))
    main([*shlex.split(line, comments=True)[1:], "--port", "0"])
    assert len(started) == 1


@pytest.mark.parametrize("line", typed("curl"))
def test_it_is_asked(line: str, server: Server, place: Path, tmp_path: Path):
    for name, number in (("far", 3), ("near", 4)):
        (file,) = (place / "crops").rglob(f"{number:04d}_*")
        shutil.copy(file, tmp_path / f"{name}.jpg")
    command = line.replace("http://127.0.0.1:8000", server.address).replace("curl ", "curl -sS --fail-with-body ", 1)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    if "/search" in line:
        assert answer["images"][0]["hits"][0]["columns"]["pid"] == 3
    elif "/embed" in line:
        assert len(answer["images"]) == 2
    else:
        assert answer["status"] == "ok"


def test_its_limits_are_those_of_the_code():
    plain = Limits()
    for option, value in (
        ("most-images", plain.images),
        ("most-bytes", plain.bytes),
        ("most-pixels", plain.pixels),
        ("most-results", plain.results),
        ("per-minute", plain.per_minute),
        ("queue", plain.queue),
        ("batch-size", plain.batch),
    ):
        assert f"| `--{option}` | {value:,} " in PAGE
    assert f"| {plain.seconds} s for a request" in PAGE
    assert f"| {SENDING} s for a reader to take a piece of the answer; {CONNECTIONS} connections" in PAGE
    assert f"together {HELD} times" in PAGE
    assert f"within {FINISHING} s" in PAGE
