"""What is answered when something is not done."""

from __future__ import annotations


class ServingError(ValueError):
    """The service cannot be started as it was asked for. The message names the thing, its value and the remedy."""


class Refused(Exception):
    """A request that is not served. status: of HTTP. wait: seconds after which it is worth another try."""

    def __init__(self, status: int, words: str, wait: int | None = None) -> None:
        super().__init__(words)
        self.status, self.words, self.wait = status, words, wait
