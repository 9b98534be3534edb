"""The report of somebody's embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from psnet.browsing import browser_of
from psnet.embeddings import EmbeddingError
from psnet.findings import Findings, shares
from psnet.metrics import chance
from psnet.report import NO_ROOM, Browser, RateRow, Report, Row, make_thumbnails, room_for_thumbnails
from psnet.scoring.scored import Scored

BROWSED = 20_000
"""Queries up to which the page lists each of them; queries.csv has them all."""

THUMBNAIL_ASPECT = 2.0
"""Height by width, of people."""


def report_of(
    scored: Scored, findings: Findings, facts: dict[str, str], names: Sequence[str], pid_names: Mapping[int, str]
) -> Report:
    """The page, without pictures. names: of all images, queries first. pid_names: see `EmbeddingSet`."""
    found, groups = scored.retrieval, dict(findings.groups)
    many = len(found.query.pid) > BROWSED
    left_out = f"The page does not list each of {len(found.query.pid):,} queries, nor show pictures; see queries.csv."
    rates, roc = groups.pop("rate", {}), findings.roc()
    rows = findings.group_rows()
    for name, texts in scored.names.items():
        rows[name] = [replace(row, label=str(texts[int(row.label)])) for row in rows[name]]
    rows.pop("rate", None)
    return Report(
        title=f"Score of {facts['Embeddings'].rpartition(',')[0]}",
        subtitle=facts["Evaluation"],
        facts=facts,
        summary=[
            Row("scored", findings.figures, findings.intervals),
            Row("chance", chance(found.results)),
        ],
        cmc={"scored": findings.cmc},
        cmc_band=findings.bands("scored"),
        roc={"scored": roc} if roc else {},
        per_rate=[RateRow(rate, int(row["queries"]), shares(row), shares(ends)) for rate, (row, ends) in rates.items()],
        groups=rows,
        ap=found.results.ap[found.results.valid].tolist(),
        browser=None if many else _by_name(browser_of(found, names), pid_names),
        score_name="cosine similarity"
        if found.distances is None and found.distance == "cosine"
        else "negative distance",
        notes=[*scored.notes, *([left_out] if many else [])],
    )


def _by_name(browser: Browser, pid_names: Mapping[int, str]) -> Browser:
    images = (replace(image, pid=pid_names.get(int(image.pid), image.pid)) for image in browser.images)
    return replace(browser, images=tuple(images))


def with_pictures(page: Report, images: Path | None) -> Report:
    """images: folder that the names of images start from; None adds nothing.

    Raises:
        EmbeddingError: an image is not there.
    """
    if images is None or page.browser is None:
        return page
    shown = page.browser.images
    missing = [image.name for image in shown if not (images / image.name).is_file()]
    if missing:
        raise EmbeddingError(
            f"{len(missing):,} of {len(shown):,} images are not below {images}, the first is {missing[0]!r}; the paths "
            "in the file must start from there"
        )
    room = room_for_thumbnails(page)
    if not room:
        return replace(page, notes=[*page.notes, NO_ROOM])
    crops = (np.asarray(Image.open(images / image.name).convert("RGB")) for image in shown)
    thumbnails = make_thumbnails(crops, len(shown), room, THUMBNAIL_ASPECT)
    return replace(page, browser=replace(page.browser, thumbnails=thumbnails))
