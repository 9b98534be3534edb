"""A gallery of drawn people, some of it odd, and the service that searches it."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

pytest.importorskip("fastapi", reason="FastAPI is not installed; pip install -e '.[test]'")
pytest.importorskip("lancedb", reason="LanceDB is not installed; pip install -e '.[test]'")

import uvicorn

from psnet.cli import main
from psnet.data.manifest import Manifest
from psnet.embedder import Embedder
from psnet.gallery import open_gallery
from psnet.serving.access import Access
from psnet.serving.app import create_app
from psnet.serving.files import Pictures
from psnet.serving.limits import Limits
from psnet.serving.metrics import Metrics
from psnet.serving.service import Service
from tests.serving.world import NAMES, Server, person

QUEUE = 8

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="session")
def place(tiny: Manifest, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with crops/, the model, a threshold of it, and the gallery.

    crops/ has people 0 to 7 by two cameras; 8 is a link to secret.png outside of it, 9 is going to be changed.
    """
    folder = tmp_path_factory.mktemp("served")
    for number, row in enumerate(tiny.split("gallery")):
        target = folder / "crops" / f"cam{number % 2}" / f"{number:04d}_c{number % 2 + 1}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny.path(row), target)
    person(8).save(folder / "secret.png")
    (folder / "crops/cam0/0008_c1.png").symlink_to(folder / "secret.png")
    person(9).save(folder / "crops/cam1/0009_c2.png")
    shutil.copy(checkpoint, folder / "last.ckpt")
    model = ["--model", str(folder / "last.ckpt")]
    for side in ("query", "gallery"):
        shutil.copytree(folder / "crops", folder / side)
    for file in (folder / "gallery").rglob("*.png"):  # other files of the same people
        file.write_bytes(file.read_bytes() + b"\0")
    for side in ("query", "gallery"):
        main(
            ["embed", str(folder / side), *model, "--out", str(folder / f"{side}.npz"), "--names", "/(?P<pid>[0-9]+)_"]
        )
    main(["calibrate", str(folder / "query.npz"), str(folder / "gallery.npz"), *model, "--far", "0.1"])
    main(["index", str(folder / "crops"), "--gallery", str(folder / "people"), *model, "--names", NAMES])
    person(10).save(folder / "crops/cam1/0009_c2.png")
    return folder


@pytest.fixture(scope="session")
def processes() -> Iterator[list[Server]]:
    """The last of which runs, unless a test has stopped it."""
    started: list[Server] = []
    yield started
    if started and started[-1].process.poll() is None:
        assert started[-1].stop() == 0


@pytest.fixture
def server(place: Path, processes: list[Server]) -> Server:
    """The service as a process, started once for as many tests as leave it alive."""
    if not processes or processes[-1].process.poll() is not None:
        limits = ["--most-images", "8", "--queue", str(QUEUE), "--most-bytes", "1000000", "--per-minute", "100000"]
        processes.append(Server(place / "people", *limits))
    return processes[-1]


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, timeout=60) as client:
        yield client
    assert server.lives


@pytest.fixture
def serving(place: Path) -> Callable[..., AbstractContextManager[str]]:
    """A service in this process, which gives its address. It wants `TOKEN`."""

    @contextmanager
    def started(per_minute: int, *folders: Path) -> Iterator[str]:
        gallery, limits = open_gallery(str(place / "people")), Limits()
        embedder = Embedder.from_checkpoint(place / "last.ckpt", precision="32-true")
        service = Service(embedder, gallery, Pictures(gallery, limits, folders), limits)
        app = create_app(service, Access(per_minute, TOKEN, None), Metrics())
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=server.run, args=([listening],))
            thread.start()
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join()

    return started
