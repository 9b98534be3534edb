"""The report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from psnet.atomic import write_whole
from psnet.report import pictures, terms
from psnet.report.content import Report, RestorationRow
from psnet.report.curves import cmc_svg


def render(report: Report) -> str:
    """The page as text. The same report gives the same text.

    Raises:
        ValueError: for a CMC curve that is none (see `curves.check_cmc`).
    """
    room = resources.files(__package__)
    page = _environment().from_string((room / "report.html").read_text(encoding="utf-8"))
    keys = terms.order(key for row in report.summary for key in row.metrics)
    rate_keys = terms.order(key for row in report.per_rate for key in row.metrics if not terms.is_count(key))
    return page.render(
        report=report,
        style=Markup((room / "report.css").read_text(encoding="utf-8")),
        keys=keys,
        rate_keys=rate_keys,
        definitions=terms.definitions([*keys, *rate_keys]),
        cmc=Markup(cmc_svg(report.cmc)) if report.cmc else "",
        ranked=_in_order(report.ranked),
        rate_rows=list(report.restoration_table),
        mean=mean_restoration(report.restoration_table),
    )


def write_report(report: Report, path: str | Path) -> Path:
    """Write the page to `path`, folders included, all or nothing.

    An older file stays until the new one is whole. A name that is not valid Unicode (undecodable bytes of a
    file name) is shown with escapes.

    Returns:
        The path, as given.

    Raises:
        ValueError: as `render` does; nothing is written then.
        OSError: the folder cannot be written.
    """
    path = Path(path)
    return write_whole(path, render(report))


def mean_restoration(rows: Sequence[RestorationRow]) -> RestorationRow | None:
    """The mean over all images, from the means per rate; None where there is no image."""
    count = sum(row.count for row in rows)
    if count == 0:
        return None

    def mean(name: str) -> float:
        return math.fsum(row.count * getattr(row, name) for row in rows if row.count) / count

    figures = ("psnr_bicubic", "psnr_restored", "ssim_bicubic", "ssim_restored")
    return RestorationRow(None, count, *(mean(name) for name in figures))


def _in_order(ranked: Mapping[str, Sequence[object]]) -> dict[str, Sequence[object]]:
    """Best, worst, random, then the others as given; labels without a list are left out."""
    labels = [label for label in terms.RANKED_LABELS if label in ranked]
    labels += [label for label in ranked if label not in labels]
    return {label: ranked[label] for label in labels if ranked[label]}


def _difference(new: float | None, old: float | None, places: int) -> str:
    return terms.decimals(None if new is None or old is None else new - old, places, sign=True)


def _breakable(text: str) -> Markup:
    """A path may go on in the next line after "/" and "_"."""
    safe = str(Markup.escape(text))
    return Markup(safe.replace("/", "/<wbr>").replace("_", "_<wbr>"))


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        term=terms.term,
        value=terms.metric_value,
        percent=terms.percent,
        decimals=terms.decimals,
        difference=_difference,
        rate_name=terms.rate_name,
        about=terms.RANKED_LABELS,
        crop=pictures.crop,
        exact=pictures.exact,
        breakable=_breakable,
    )
    return environment
