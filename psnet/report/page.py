"""The report as one HTML file that needs nothing else: no network, no other file; a script only to browse queries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from psnet.atomic import write_whole
from psnet.report import browse, pictures, terms
from psnet.report.bars import bars_svg
from psnet.report.content import GroupRow, RateRow, Report, RestorationRow, Row
from psnet.report.curves import cmc_svg
from psnet.report.histogram import ap_svg
from psnet.report.roc import TABLE_RATES, roc_svg

PAGE_BYTES = 10_000_000
"""What the whole page is meant to stay below: it is opened from disk, and sent by mail."""


@dataclass(frozen=True)
class GroupSection:
    """Table and bars of the queries by what they are grouped by. first: heading of the first column."""

    id: str
    title: str
    about: str
    first: str
    keys: Sequence[str]
    rows: Sequence[GroupRow]
    bars: str


def render(report: Report) -> str:
    """The page as text. The same report gives the same text.

    Raises:
        ValueError: for a CMC curve that is none (see `curves.check_cmc`).
    """
    room = resources.files(__package__)
    keys = terms.order(key for row in report.summary for key in row.metrics)
    groups = _group_sections(report)
    script = browse.script() if report.browser else ""
    return _template().render(
        report=report,
        style=Markup((room / "report.css").read_text(encoding="utf-8")),
        contents=_contents(report, groups),
        keys=keys,
        definitions=terms.definitions([*keys, *(key for group in groups for key in group.keys)]),
        cmc=Markup(cmc_svg(report.cmc, report.cmc_band)) if report.cmc else "",
        roc=Markup(roc_svg(report.roc)) if report.roc else "",
        roc_rates=TABLE_RATES if any(roc.tar_at for roc in report.roc.values()) else (),
        histogram=Markup(ap_svg(report.ap)) if report.ap else "",
        groups=groups,
        has_intervals=_has_intervals(report.summary) or any(_has_intervals(group.rows) for group in groups),
        script=Markup(script),
        script_source=Markup(browse.script_source(script)),
        browse_json=Markup(browse.browse_json(report.browser)) if report.browser else "",
        thumbnail_sizes=browse.thumbnail_sizes(report.browser) if report.browser else "",
        ranked=_in_order(report.ranked),
        regions=_in_order(report.regions),
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


def room_for_thumbnails(report: Report) -> int:
    """Bytes that thumbnails may take so that the page stays below PAGE_BYTES; the report has its browser, without any.

    0 where that would not be enough to see anything: the page is too large already, or nearly.
    """
    size = len(render(report).encode("utf-8", "backslashreplace"))
    room = PAGE_BYTES - size - _SHEETS_BYTES
    images = len(report.browser.images) if report.browser else 0
    return room if room >= LEAST_BYTES * images else 0


NO_ROOM = "The page has no room for pictures of all its images: their names stand alone."
"""A note where `room_for_thumbnails` is 0."""

LEAST_BYTES = 64
"""Of a thumbnail; a smaller one shows nothing."""

_SHEETS_BYTES = 100_000
"""What tells where the sheets are, and the sentences about them."""


def _contents(report: Report, groups: Sequence[GroupSection]) -> list[tuple[str, str]]:
    """(id, title) of the sections that are there, in order."""
    sections = [
        ("result", "Result", report.notes or any(row.metrics for row in report.summary)),
        ("cmc", "CMC curve", report.cmc),
        *((group.id, group.title, group.rows) for group in groups),
        ("ap", "Average precision", report.ap),
        ("roc", "ROC curve", report.roc),
        ("ranked", "Ranked lists", any(report.ranked.values())),
        ("regions", "Regions", any(report.regions.values())),
        ("browse", "Query by query", report.browser),
        ("restoration", "Restoration", report.restoration or report.restoration_table),
        ("facts", "What was run", report.facts),
    ]
    return [(section, title) for section, title, there in sections if there]


def _group_sections(report: Report) -> list[GroupSection]:
    sections = []
    if report.per_rate:
        about = "A query of rate r has 1/r of the height and width of its sharp original."
        rows = [_as_group(row) for row in report.per_rate]
        sections.append(_group_section("rates", "down-sampling rate", "rate", about, rows))
    for number, (name, rows_of) in enumerate(report.groups.items(), start=1):
        if rows_of:
            sections.append(_group_section(f"group-{number}", name, name, "", rows_of))
    return sections


def _has_intervals(rows: Sequence[Row] | Sequence[GroupRow]) -> bool:
    return any(row.intervals for row in rows)


def _as_group(row: RateRow) -> GroupRow:
    return GroupRow(terms.rate_name(row.rate), row.queries, row.metrics, row.intervals)


def _group_section(section: str, name: str, first: str, about: str, rows: Sequence[GroupRow]) -> GroupSection:
    keys = terms.order(key for row in rows for key in row.metrics if not terms.is_count(key))
    bars = bars_svg(rows, f"By {name}")
    return GroupSection(section, f"By {name}", about, first, keys, rows, Markup(bars))


def mean_restoration(rows: Sequence[RestorationRow]) -> RestorationRow | None:
    """The mean over all images, from the means per rate; None where there is no image."""
    count = sum(row.count for row in rows)
    if count == 0:
        return None

    def mean(name: str) -> float:
        return math.fsum(row.count * getattr(row, name) for row in rows if row.count) / count

    figures = ("psnr_bicubic", "psnr_restored", "ssim_bicubic", "ssim_restored")
    return RestorationRow(None, count, *(mean(name) for name in figures))


def _in_order(labelled: Mapping[str, Sequence[object]]) -> dict[str, Sequence[object]]:
    """Best, worst, random, then the others as given; labels with nothing are left out."""
    labels = [label for label in terms.RANKED_LABELS if label in labelled]
    labels += [label for label in labelled if label not in labels]
    return {label: labelled[label] for label in labels if labelled[label]}


def _difference(new: float | None, old: float | None, places: int) -> str:
    return terms.decimals(None if new is None or old is None else new - old, places, sign=True)


def _breakable(text: str) -> Markup:
    """A path may go on in the next line after "/" and "_"."""
    safe = str(Markup.escape(text))
    return Markup(safe.replace("/", "/<wbr>").replace("_", "_<wbr>"))


def _power(rate: float) -> Markup:
    """A power of ten as people write it."""
    return Markup("10<sup>{}</sup>").format(f"{terms.MINUS}{-round(math.log10(rate))}")


@cache
def _template() -> Template:
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
        interval=terms.interval,
        percent=terms.percent,
        power=_power,
        decimals=terms.decimals,
        difference=_difference,
        rate_name=terms.rate_name,
        about=terms.RANKED_LABELS,
        crop=pictures.crop,
        exact=pictures.exact,
        breakable=_breakable,
    )
    source = (resources.files(__package__) / "report.html").read_text(encoding="utf-8")
    return environment.from_string(source)
