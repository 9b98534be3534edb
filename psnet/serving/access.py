"""Who may ask: from which pages, with which token, and how often."""

from __future__ import annotations

import ipaddress
import math
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from psnet.serving.errors import Refused, ServingError

OPEN = ("/", "/page.js", "/style.css", "/openapi.json", "/health")
"""What anybody may see: it says nothing of anybody. /health tells strangers only that the service lives."""

SHORTEST = 16
"""Characters of a token."""

LOOKING = 1 / 50
"""What a GET counts: a page of results brings its pictures."""

ADDRESSES = 10_000
"""That are remembered, beyond which those that have been quiet are forgotten."""


class Rate:
    """So many requests a minute of each address; as many at once after a quiet minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, address: str, cost: float) -> None:
        """
        Raises:
            Refused: the address has asked too often.
        """
        now, by = self._clock(), _network(address)
        left, then = self._left.get(by, (self._most, now))
        left = min(self._most, left + (now - then) * self._most / 60)
        if left < cost:
            wait = math.ceil((cost - left) * 60 / self._most)
            raise Refused(429, f"more than {self._most:.0f} requests a minute; wait {wait} s", wait)
        self._left[by] = (left - cost, now)
        if len(self._left) > ADDRESSES:
            self._left = {one: (have, at) for one, (have, at) in self._left.items() if now - at < 60}


def _network(address: str) -> str:
    """An IPv6 network of 64 bits is one house's."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return str(known)
    # a socket for both kinds writes IPv4 so
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))


class Access:
    """
    Args:
        token: that requests must bring, None for none. hosts: by which the service may be called, None for any.

    Raises:
        ServingError: the token is too short, or cannot be sent.
    """

    def __init__(self, per_minute: int, token: str | None, hosts: Collection[str] | None) -> None:
        if token is not None and (len(token) < SHORTEST or not token.isascii() or not token.isprintable()):
            raise ServingError(
                f"the token has {len(token)} characters; give {SHORTEST} or more, of ASCII, such as "
                "$(openssl rand -hex 16)"
            )
        self._rate, self.token, self._hosts = Rate(per_minute), token, hosts

    def check(self, scope: Mapping[str, Any]) -> None:
        """A request, by what its head says.

        Raises:
            Refused.
        """
        headers = _headers(scope)
        looking = scope["method"] in ("GET", "HEAD")
        self._rate.take((scope.get("client") or ("",))[0], LOOKING if looking else 1.0)
        self._check_host(headers)
        if looking and scope["path"] in OPEN:
            return
        _check_origin(headers)
        if not self.trusts(scope):
            raise Refused(
                401, "this needs the token of the service, and none or another came: Authorization: Bearer TOKEN"
            )

    def trusts(self, scope: Mapping[str, Any]) -> bool:
        """Whether the token is there, if one is needed."""
        if self.token is None:
            return True
        kind, _, given = _headers(scope).get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), self.token.encode())

    def _check_host(self, headers: Mapping[str, str]) -> None:
        """A page elsewhere can have its own name lead to this machine; that name then stands here."""
        if self._hosts is not None and _name(headers.get("host", "")) not in self._hosts:
            raise Refused(421, f"this service is not called {headers.get('host', '')[:80]!r}; see --hostname")


def _check_origin(headers: Mapping[str, str]) -> None:
    """Browsers say which page asks; others do not, and need not."""
    site = headers.get("sec-fetch-site")
    if site is None:
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
    else:
        foreign = site not in ("same-origin", "none")
    if foreign:
        raise Refused(403, "a page of another site may not ask this service")


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _name(host: str) -> str:
    """Without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
