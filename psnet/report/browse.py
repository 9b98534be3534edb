"""The "query by query" part of the page: its data as JSON, its script, and what lets that script alone run."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from importlib import resources
from typing import Any

from psnet.report import terms
from psnet.report.browser import BrowsedQuery, Browser

FRACTION_PLACES = 4
SCORE_PLACES = 4


def browse_json(browser: Browser) -> str:
    """The data, ready to stand inside a script element: no "<" is left in it.

    Columns, not records, for size: `images` (name, pid, camera) and `queries` (image, rate as the page writes it, ap,
    first, matches, entries, scores, and right: "1" or "0" for each entry), and `sheets` as the `Sheet`s are.
    """
    images, queries = browser.images, browser.queries
    content: dict[str, Any] = {
        "images": {
            "name": [_shown(image.name) for image in images],
            "pid": [_shown(image.pid) if isinstance(image.pid, str) else image.pid for image in images],
            "camera": [image.camid for image in images],
        },
        "queries": {
            "image": [query.image for query in queries],
            "rate": [terms.rate_name(query.rate) for query in queries],
            "ap": [None if query.ap is None else round(query.ap, FRACTION_PLACES) for query in queries],
            "first": [query.first_hit for query in queries],
            "matches": [query.matches for query in queries],
            "entries": [[entry.image for entry in query.entries] for query in queries],
            "scores": [[round(entry.score, SCORE_PLACES) for entry in query.entries] for query in queries],
            "right": [_right(query) for query in queries],
        },
        "sheets": [asdict(sheet) for sheet in browser.thumbnails.sheets] if browser.thumbnails else [],
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def thumbnail_sizes(browser: Browser) -> str:
    """Width and height as the page says them; smallest to largest where they differ; empty without any."""
    if browser.thumbnails is None:
        return ""
    sizes = sorted({(sheet.width, sheet.height) for sheet in browser.thumbnails.sheets})
    cross = "\N{MULTIPLICATION SIGN}"
    words = [f"{width} {cross} {height}" for width, height in dict.fromkeys([sizes[0], sizes[-1]])]
    return " to ".join(words) + " pixels"


def script() -> str:
    """The page's only script, as it stands in it."""
    return (resources.files(__package__) / "browse.js").read_text(encoding="utf-8")


def script_source(text: str) -> str:
    """What the content security policy says of that script: its digest, so that no other inline script runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _right(query: BrowsedQuery) -> str:
    return "".join("1" if entry.match else "0" for entry in query.entries)


def _shown(name: str) -> str:
    """Undecodable bytes of a file name as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
