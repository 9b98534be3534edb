"""How the service is started, whom it serves, and how it ends."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from psnet.cli import main
from tests.serving.conftest import TOKEN
from tests.serving.test_process import GOOD, half, rest
from tests.serving.world import Server, images


def test_sigterm_finishes_what_is_running_and_a_token_is_needed(place: Path):
    """With a model that lies elsewhere than the gallery says, and only some files shown."""
    (place / "elsewhere.ckpt").write_bytes((place / "last.ckpt").read_bytes())
    more = ["--model", str(place / "elsewhere.ckpt"), "--per-minute", "60", "--files", str(place / "crops/cam1")]
    server = Server(place / "people", *more, PSNET_TOKEN=TOKEN)
    with httpx.Client(base_url=server.address, timeout=60) as client:
        needs_a_token(client)
        only_some_files(client)
        too_often(client)
    sock, more_of_it = half(server, header=f"Authorization: Bearer {TOKEN}\r\n", path="/embed")
    time.sleep(0.3)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(server.stop)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port)).close()
        assert not ended.done()
        assert rest(sock, more_of_it).startswith(b"HTTP/1.1 200")
        assert ended.result() == 0
    said = "".join(server.said)
    assert "Traceback" not in said
    assert TOKEN not in said


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
    told = client.get("/health").json()
    assert told["images"] == 10
    assert told["threshold"] is None, "a threshold lies beside its model, and is not beside this one"


def only_some_files(client: httpx.Client) -> None:
    hits = client.post("/search", files=images(GOOD)).json()["images"][0]["hits"]
    assert [hit["same"] for hit in hits] == [None] * 10
    for hit in hits:
        answer = client.get(f"/{hit['picture']}?small=true")
        shown = hit["columns"]["camid"] == 1 and hit["columns"]["pid"] != 9  # which has changed
        assert answer.status_code == (200 if shown else 404)


def too_often(client: httpx.Client) -> None:
    answers = [client.post("/embed", files=images(b"")) for _ in range(70)]
    assert {answer.status_code for answer in answers} == {422, 429}
    assert int(answers[-1].headers["retry-after"]) == 1
    assert "more than 60 requests a minute" in answers[-1].json()["error"]
    time.sleep(1.1)
    assert client.post("/embed", files=images(b"")).status_code == 422
    time.sleep(1.1)  # for one more


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "lets other machines ask, so give a token, in the variable PSNET_TOKEN"),
        (["--host", "0.0.0.0", "--token", "short"], "the token has 5 characters; give 16 or more"),
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


def test_an_address_that_is_taken(place: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"--host 127.0.0.1 --port {port} cannot be had"):
            main(["serve", "--gallery", str(place / "people"), "--port", str(port)])


def test_what_is_not_installed(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("psnet.cli.serve.find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(SystemExit, match=r"serving needs uvicorn; install with pip install -e '.\[serve\]'"):
        main(["serve", "--gallery", str(place / "people")])
