"""psnet serve"""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from psnet.cli.embed import add_how
from psnet.cli.gallery import URI

NEEDED = {"fastapi": "FastAPI", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
NEEDED |= {"prometheus_client": "prometheus_client"}

LIMITS = {
    "images": "of one request",
    "bytes": "of one request, and of one file of the gallery",
    "pixels": "of one image",
    "results": "of one image",
}


def add_to(commands: Any) -> None:
    from psnet.serving.limits import Limits  # says the defaults

    serve = commands.add_parser("serve", help="a web page and an HTTP API that search a gallery")
    serve.add_argument("--gallery", required=True, help=URI)
    serve.add_argument("--model", help="that of the gallery, if it lies elsewhere now")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen; 127.0.0.1, this machine alone")
    serve.add_argument("--port", type=int, default=8000, help="8000; 0 takes one that is free")
    serve.add_argument("--token", help="that requests must bring; better in the variable PSNET_TOKEN, which ps hides")
    serve.add_argument(
        "--hostname", action="append", default=[], help="by which it is called, such as reid.example.org"
    )
    serve.add_argument("--proxy", metavar="ADDRESS", help="a reverse proxy whose X-Forwarded-For is believed")
    serve.add_argument(
        "--files", type=Path, action="append", default=[], metavar="FOLDER",
        help="whose pictures alone are shown; otherwise of the folders that were indexed",
    )  # fmt: skip
    plain = Limits()
    for name, what in LIMITS.items():
        most = getattr(plain, name)
        serve.add_argument(f"--most-{name}", dest=name, type=int, default=most, help=f"{what}; {most:,}")
    for name, words in {
        "per_minute": "requests of one address",
        "queue": "images that may wait; beyond, 503 is answered",
        "batch": "images that the network computes at once",
    }.items():
        option = {"batch": "--batch-size"}.get(name, f"--{name.replace('_', '-')}")
        serve.add_argument(option, dest=name, type=int, default=getattr(plain, name), help=f"{words}; %(default)s")
    add_how(serve)
    serve.set_defaults(run=run, engine=None)  # that of the gallery


def run(given: argparse.Namespace) -> None:
    from psnet.serving.errors import ServingError
    from psnet.serving.limits import Limits

    missing = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ServingError(f"serving needs {', '.join(missing)}; install with pip install -e '.[serve]'")
    from psnet.serving.run import Address, serve

    limits = Limits(**{name: getattr(given, name) for name in (*LIMITS, "per_minute", "queue", "batch")})
    address = Address(given.host, given.port, given.hostname, given.proxy)
    token = given.token or os.environ.get("PSNET_TOKEN") or None
    serve(given.gallery, given.model, address, token, limits, given.files, given.device, given.precision, given.engine)
