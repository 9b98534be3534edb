"""How the service is started, whom it serves, and how it ends."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from psnet.cli import main
from psnet.serving import run
from psnet.serving.access import Access
from psnet.serving.limits import Limits
from psnet.serving.metrics import Metrics
from psnet.serving.service import Service
from tests.serving.conftest import TOKEN
from tests.serving.test_process import GOOD, half, rest
from tests.serving.world import Server, images


def test_sigterm_finishes_what_is_running(server: Server):
    sock, more = half(server)
    time.sleep(0.3)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(server.stop)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port)).close()
        assert not ended.done()
        assert rest(sock, more).startswith(b"HTTP/1.1 200")
        assert ended.result() == 0
    assert "Traceback" not in "".join(server.said)


def test_with_a_token(serving: Callable[..., AbstractContextManager[str]], place: Path):
    with (
        serving(60, place / "crops/cam1") as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        needs_a_token(client)
        only_some_files(client)
        too_often(client)


def needs_a_token(client: httpx.Client) -> None:
    assert client.get("/health").json() == dict.fromkeys(client.get("/health").json()) | {
        "status": "ok",
        "token_needed": True,
    }
    assert client.get("/").status_code == 200
    for wrong in ({}, {"authorization": "Bearer 0123456789abcdeF"}, {"authorization": f"Basic {TOKEN}"}):
        assert client.get("/metrics", headers=wrong).status_code == 401
        assert client.get("/pictures/" + "0" * 32, headers=wrong).status_code == 401
        answer = client.post("/embed", files=images(GOOD), headers=wrong)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "token" in answer.json()["error"]
    client.headers["authorization"] = f"Bearer {TOKEN}"
    assert client.get("/health").json()["images"] == 10


def only_some_files(client: httpx.Client) -> None:
    hits = client.post("/search", files=images(GOOD)).json()["images"][0]["hits"]
    assert len(hits) == 10
    for hit in hits:
        answer = client.get(f"/{hit['picture']}?small=true")
        shown = hit["columns"]["camid"] == 1 and hit["columns"]["pid"] != 9  # which has changed
        assert answer.status_code == (200 if shown else 404)


def too_often(client: httpx.Client) -> None:
    until = time.monotonic() + 30
    while (answer := client.post("/embed", files=images(b""))).status_code == 422:
        assert time.monotonic() < until
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "more than 60 requests a minute" in answer.json()["error"]
    time.sleep(1.1)
    assert client.post("/embed", files=images(b"")).status_code == 422


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "lets other machines ask, so give a token, in the variable PSNET_TOKEN"),
        (["--host", "0.0.0.0", "--token", "short"], "the token has 5 characters; give 16 or more"),
        (["--proxy", "127.0.0.1"], "--host 127.0.0.1 behind a proxy lets other machines ask, so give a token"),
        (["--hostname", "reid.example.org"], "lets other machines ask, so give a token"),
        (["--queue", "8"], "give --queue more or --most-images less"),
        (["--most-pixels", "0"], "the limit of pixels is 0; give 1 or more"),
        (["--gallery", "nowhere"], "there is no gallery nowhere"),
        (["--model", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid is no address"),
        (["--host", "", "--port", "0"], "lets other machines ask"),
        (["--port", "70000"], "--port 70000 must be from 0 to 65535"),
    ],
)
def test_what_cannot_be_started(place: Path, arguments: list[str], words: str):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--gallery", str(place / "people"), "--port", "0", *arguments])
    assert words in str(ended.value)


def test_what_is_typed_is_done(place: Path, monkeypatch: pytest.MonkeyPatch):
    """With a model that lies elsewhere than the gallery says, and so without the threshold beside it."""
    (place / "elsewhere.ckpt").write_bytes((place / "last.ckpt").read_bytes())
    found: dict[str, Any] = {}

    def create_app(service: Service, access: Access, metrics: Metrics) -> None:
        found.update(service=service, access=access)

    monkeypatch.setenv("PSNET_TOKEN", TOKEN)
    monkeypatch.setattr(run, "create_app", create_app)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: found.update(config=server.config))
    arguments = ["--gallery", str(place / "people"), "--model", str(place / "elsewhere.ckpt"), "--port", "0"]
    arguments += ["--files", str(place), "--files", "/tmp", "--hostname", "reid.example.org", "--proxy", "10.0.0.1"]
    arguments += ["--batch-size", "3", "--most-results", "4", "--precision", "32-true"]
    main(["serve", *arguments])
    assert found["access"].token == TOKEN
    assert found["access"]._hosts >= {"localhost", "127.0.0.1", "reid.example.org"}
    assert found["service"].limits == Limits(batch=3, results=4)
    assert found["service"].pictures._folders == [place.resolve(), Path("/tmp").resolve()]
    assert found["service"].threshold is None
    assert found["service"].embedder.place == place / "elsewhere.ckpt"
    assert found["config"].forwarded_allow_ips == "10.0.0.1"
    assert found["config"].proxy_headers


def test_an_address_that_is_taken(place: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"--host 127.0.0.1 --port {port} cannot be had"):
            main(["serve", "--gallery", str(place / "people"), "--port", str(port)])


def test_what_is_not_installed(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("psnet.cli.serve.find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(SystemExit, match=r"serving needs uvicorn; install with pip install -e '.\[serve\]'"):
        main(["serve", "--gallery", str(place / "people")])
