"""One process that serves until it is told to stop, and then finishes what it has begun."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from psnet.gallery import open_gallery
from psnet.gallery.command import model_of
from psnet.serving.access import Access
from psnet.serving.app import create_app
from psnet.serving.errors import ServingError
from psnet.serving.files import Pictures
from psnet.serving.limits import Limits
from psnet.serving.metrics import Metrics
from psnet.serving.service import Service

log = logging.getLogger("psnet")

CONNECTIONS = 512
"""At once. Beyond, uvicorn answers 503 by itself."""

FINISHING = 60
"""Seconds that running requests have when the service is to stop."""

OWN_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """host, port: to listen at; port 0 is any that is free. names: by which the service is called beside. proxy: the
    address of a reverse proxy whose word on who asks is believed."""

    host: str = "127.0.0.1"
    port: int = 8000
    names: Sequence[str] = ()
    proxy: str | None = None


def serve(
    gallery: str,
    model: str | None,
    address: Address,
    token: str | None,
    limits: Limits,
    folders: Sequence[Path],
    device: str = "auto",
    precision: str = "auto",
    engine: str | None = None,
) -> None:
    """Until SIGTERM or SIGINT.

    Args:
        gallery: its URI. model: that of the gallery, if it lies elsewhere now. token: that requests must bring.
            folders: see `Pictures`. engine: None for that of the gallery.

    Raises:
        ServingError, GalleryError, EmbedderError: it cannot be started as asked.
    """
    access = Access(limits.per_minute, token, _hosts(address, token))
    with _listening(address) as listening:
        opened = open_gallery(gallery)
        embedder = model_of(opened, model, device, precision, engine)
        metrics = Metrics()
        service = Service(embedder, opened, Pictures(opened, limits, folders), limits, metrics.batches.observe)
        config = uvicorn.Config(
            create_app(service, access, metrics),
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=FINISHING,
            proxy_headers=address.proxy is not None,
            forwarded_allow_ips=address.proxy,
            server_header=False,
            ws="none",
            access_log=False,  # names of files and addresses of people are nobody's business; /metrics counts
        )
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        made_by, by = embedder.made_by, embedder.engine.name
        log.info("%s, engine %s, %s images, at http://%s:%d", made_by, by, f"{len(opened):,}", shown, port)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # which uvicorn, having finished, raises again
        try:
            uvicorn.Server(config).run([listening])
        except KeyboardInterrupt:
            sys.exit(130)


def _hosts(address: Address, token: str | None) -> set[str] | None:
    """By which names the service may be called.

    Raises:
        ServingError: everybody could ask.
    """
    own, names = _is_loopback(address.host), {name.lower() for name in address.names}
    if token is None and (not own or names or address.proxy):
        raise ServingError(
            f"--host {address.host}{' behind a proxy' if own else ''} lets other machines ask, so give a token, in the "
            "variable PSNET_TOKEN or by --token; or leave --host, --hostname and --proxy out"
        )
    if own:
        return {*OWN_NAMES, address.host, *names}
    return {*names, address.host} if names else None


def _is_loopback(host: str) -> bool:
    return all(ipaddress.ip_address(str(where[0]).partition("%")[0]).is_loopback for _, where in _places(host, 0))


def _listening(address: Address) -> socket.socket:
    """Before the model is read, which takes long.

    Raises:
        ServingError: the address cannot be had.
    """
    family, where = _places(address.host, address.port)[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(where)
    except OSError as error:
        listening.close()
        raise ServingError(
            f"--host {address.host} --port {address.port} cannot be had ({error.strerror}); give others"
        ) from error
    return listening


def _places(host: str, port: int) -> list[tuple[socket.AddressFamily, Any]]:
    """What a name means.

    Raises:
        ServingError: nothing.
    """
    if not 0 <= port <= 65535:
        raise ServingError(f"--port {port} must be from 0 to 65535")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ServingError(f"--host {host} is no address ({error.strerror}); give another") from error
    return [(family, where) for family, _, _, _, where in found]
