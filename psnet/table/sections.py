"""The table as text: for each data set sheets of cells and remarks below, for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from psnet.report.terms import NO_VALUE, decimals, percent, term
from psnet.table.blocks import Block, note
from psnet.table.compare import Comparison, compare
from psnet.table.lines import SHORT, Figure, Line
from psnet.table.published import TITLES, Published
from psnet.table.remarks import remarks_on
from psnet.table.runs import FIGURES
from psnet.table.settings import beyond_the_paper, value_text


@dataclass(frozen=True)
class Sheet:
    """Cells under a title. name: of one word, for machines. left: columns of words, not aligned to the right."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Section:
    """All about one data set."""

    dataset: str
    title: str
    sheets: list[Sheet]
    remarks: list[str]


def build_sections(blocks: Sequence[Block], twice: Sequence[tuple[str, str]]) -> list[Section]:
    """One for each data set, in order.

    Args:
        twice: remarks on runs found twice, each with its data set.
    """
    sections = []
    for dataset, group in groupby(blocks, key=lambda block: block.dataset):
        own = list(group)
        sheets = [sheet for block in own for sheet in _sheets(block)]
        remarks = [*remarks_on(own), *(text for name, text in twice if name == dataset)]
        sections.append(Section(dataset, title_of(dataset), sheets, remarks))
    return sections


def title_of(dataset: str) -> str:
    """As the paper calls it; of other sets the name in conf/dataset, and that they are none of the paper's."""
    return TITLES.get(dataset, f"{dataset} (not in the paper)")


def _sheets(block: Block) -> list[Sheet]:
    """Without those that would be empty."""
    sheets = [_figures(block), _comparisons(block), _settings(block), _rates(block)]
    return [sheet for sheet in sheets if sheet.rows]


def spread(figure: Figure | None, scale: float = 100) -> str:
    """Mean and standard deviation, in percent or as they are.

    >>> spread(Figure(0.152, 0.0094, 10))
    '15.2 ± 0.9'
    """
    if figure is None:
        return NO_VALUE
    std = None if figure.std is None else scale * figure.std
    return f"{decimals(scale * figure.mean, 1)} ± {decimals(std, 1)}"


# Figures


def _figures(block: Block) -> Sheet:
    columns = ("#", "row", "by", *(term(name) for name in FIGURES), "chance", "runs", "splits", "seeds", "note")
    shown = [one for one in block.ordered() if isinstance(one, Published) or one.figure("rank1")]
    rows = [_ours(one, block) if isinstance(one, Line) else _theirs(one) for one in shown]
    whose = "" if block.lines else ", published: another protocol than that of our runs"
    return Sheet(
        f"{block.shots}_figures", f"{block.shots}-shot, %{whose}", columns, rows, frozenset({"row", "by", "note"})
    )


def _ours(line: Line, block: Block) -> tuple[str, ...]:
    chance = line.figure("rank1", "chance")
    counts = (str(len(line.runs)), str(len(line.splits)), str(len(line.seeds)))
    figures = [spread(line.figure(name)) for name in FIGURES]
    chance_cell = NO_VALUE if chance is None else percent(chance.mean)
    return str(line.number), line.label, "ours", *figures, chance_cell, *counts, note(line, block)


def _theirs(one: Published) -> tuple[str, ...]:
    figures = [decimals(one.figures.get(name), 1) for name in FIGURES]
    return "", one.row or NO_VALUE, one.by, *figures, *[NO_VALUE] * 4, one.remark


# Settings


def _settings(block: Block) -> Sheet:
    columns = ("#", "row", "protocol", "backbone", "super-resolution", "input", "weights", "trained on", "data hash")
    rows = [(str(line.number), line.label, *settings_cells(line)) for line in block.lines]
    return Sheet(
        f"{block.shots}_settings", f"{block.shots}-shot: how it was made", columns, rows, frozenset(columns[1:])
    )


def settings_cells(line: Line) -> tuple[str, ...]:
    """protocol, backbone, super-resolution, input size, weights, trained on, data hash."""
    settings, model = line.settings, line.settings["model"]
    height, width = settings["image_size"]
    return (
        protocol_words(line),
        _backbone_words(model.get("reid") or {}),
        _restorer_words(model.get("sr") or {}),
        f"{height} x {width}",
        settings["weights"],
        " + ".join(settings["trained_on"]),
        hash_words(line),
    )


def _backbone_words(reid: Mapping[str, Any]) -> str:
    return str(reid.get("backbone") or reid.get("_target_") or NO_VALUE)


def protocol_words(line: Line) -> str:
    """Shots, what is low by which rates, what goes beyond the paper, and the camera rule."""
    protocol, settings = line.settings["protocol"], line.settings
    cameras, share = protocol.get("low_cameras") or [], protocol.get("low_fraction") or 0
    shots = f"{line.shots}-shot"
    if line.shots == "single" and settings["repeats"] > 1:
        shots += f" x {settings['repeats']}"
    if not cameras and not share:
        low = "low as they are"
    else:
        rates = ", ".join(value_text(rate) for rate in protocol.get("rates", ()))
        which = f"camera {', '.join(map(str, cameras))}" if cameras else f"{100 * share:g} % of the images"
        low = f"{which} low, rates {rates}"
    beyond = [word for word in beyond_the_paper(settings) if not word.startswith("rates=")]
    return "; ".join([shots, low, *beyond, f"same-camera rule {'on' if settings['camera_rule'] else 'off'}"])


def _restorer_words(restorer: dict[str, object]) -> str:
    values = [f"{key}={value_text(value)}" for key, value in restorer.items() if key != "_target_"]
    name = str(restorer.get("_target_", "")).rpartition(".")[2]
    return " ".join([name, *values]).strip() or NO_VALUE


def hash_words(line: Line) -> str:
    several = f" ({len(line.hashes)} splits)" if len(line.hashes) > 1 else ""
    return line.data_hash[:SHORT] + several


# Comparison


def _comparisons(block: Block) -> Sheet:
    columns = ("step", "lines", "Rank-1", "difference", "95 % interval", "pairs", "verdict", "also differ in")
    rows = [_comparison_cells(one) for one in compare(block.lines)]
    for line in block.lines:
        if rows and line.row == "bound":
            rows.append(("bound", str(line.number), spread(line.figure("rank1")), *[NO_VALUE] * 4, ""))
    left = frozenset({"step", "verdict", "also differ in"})
    title = f"{block.shots}-shot: rows compared run by run, in points of Rank-1"
    return Sheet(f"{block.shots}_compared", title, columns, rows, left)


def _comparison_cells(one: Comparison) -> tuple[str, ...]:
    lower, upper, difference = one.rank1(False), one.rank1(True), one.difference
    std = None if difference.std is None else 100 * difference.std
    interval = NO_VALUE if one.interval is None else " to ".join(points(end) for end in one.interval)
    return (
        f"{one.lower.row} → {one.upper.row}",
        f"{one.lower.number} → {one.upper.number}",
        f"{percent(lower.mean)} → {percent(upper.mean)}",
        f"{points(difference.mean)} ± {decimals(std, 1)}",
        interval,
        str(difference.size),
        one.verdict,
        ", ".join(f"{name}={value_text(a)} / {value_text(b)}" for name, (a, b) in one.also_differ.items()),
    )


def points(fraction: float) -> str:
    """Percentage points with a sign.

    >>> points(0.009), points(-0.0001)
    ('+0.9', '0.0')
    """
    return decimals(100 * fraction, 1, sign=True)


# Rates


def _rates(block: Block) -> Sheet:
    found = {line.number: (line.rank1_per_rate(), line.psnr_gain_per_rate()) for line in block.lines}
    ranks = sorted({rate for rank1, _ in found.values() for rate in rank1})
    gains = sorted({rate for _, gain in found.values() for rate in gain})
    columns = (
        "#",
        "row",
        *(f"Rank-1, {rate_words(rate)}" for rate in ranks),
        *(f"PSNR gain, {rate_words(rate)}" for rate in gains),
    )
    rows = []
    for line in (line for line in block.lines if any(found[line.number])):
        rank1, gain = found[line.number]
        cells = [spread(rank1.get(rate)) for rate in ranks]
        rows.append((str(line.number), line.label, *cells, *(_decibels(gain.get(rate)) for rate in gains)))
    title = f"{block.shots}-shot, per down-sampling rate: Rank-1 in %, and restored against bicubic in dB"
    return Sheet(f"{block.shots}_rates", title, columns, rows, frozenset({"row"}))


def rate_words(rate: float) -> str:
    """Rate 1 stands for images that nobody made low: low by nature, or sharp."""
    return "as it is" if rate == 1 else f"1/{rate:g}"


def _decibels(gain: Figure | None) -> str:
    if gain is None:
        return NO_VALUE
    return f"{decimals(gain.mean, 2, sign=True)} ± {decimals(gain.std, 2)}"
