"""The table as a picture: Rank-1 of all lines as bars, a panel for each data set."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from psnet.table.blocks import Block, note
from psnet.table.lines import Line
from psnet.table.published import Published
from psnet.table.sections import spread, title_of

COLOURS = {"ours": "#0072B2", "PS-HRNet, as published": "#E69F00", "other methods, as published": "#BBBBBB"}
"""Told apart by colour-blind people, and in grey (Okabe & Ito, "Color Universal Design", 2008; and a grey)."""

WIDTH = 9.0
"""Inches, as all sizes here."""
BAR, HEAD, LEGEND = 0.34, 0.75, 0.5
DOTS_PER_INCH = 160
LONGEST_LABEL = 46
"""Characters of one line of a label."""


def draw(blocks: Sequence[Block]) -> bytes:
    """A PNG. Blocks without a line of ours are left out: nothing of ours may be set beside them."""
    shown = [block for block in blocks if any(line.figure("rank1") for line in block.lines)]
    if not shown:
        return _png(_nothing())
    heights = [HEAD + BAR * sum(_height(one, block) for one in _bars(block)) for block in shown]
    total = sum(heights) + LEGEND
    drawing = Drawing(figsize=(WIDTH, total), dpi=DOTS_PER_INCH, layout="constrained")
    panels = drawing.subplots(len(shown), 1, height_ratios=heights, squeeze=False)[:, 0]
    for block, axes in zip(shown, panels, strict=True):
        _panel(axes, block)
    kinds = {_kind(one) for block in shown for one in _bars(block)}
    patches = [Patch(facecolor=colour, label=kind) for kind, colour in COLOURS.items() if kind in kinds]
    drawing.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize=9)
    return _png(drawing)


def _png(drawing: Drawing) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(drawing).print_png(file)
    return file.getvalue()


def _nothing() -> Drawing:
    drawing = Drawing(figsize=(WIDTH, 1), dpi=DOTS_PER_INCH)
    drawing.text(0.5, 0.5, "No run retrieves anything: there is no Rank-1 to show.", ha="center", va="center")
    return drawing


def _bars(block: Block) -> list[Line | Published]:
    return [one for one in block.ordered() if isinstance(one, Published) or one.figure("rank1")]


def _kind(one: Line | Published) -> str:
    ours, paper, others = COLOURS
    if isinstance(one, Line):
        return ours
    return paper if one.row else others


def _label(one: Line | Published, block: Block) -> list[str]:
    """Lines of text beside a bar."""
    if isinstance(one, Published):
        return [f"{one.row}  {one.method}" if one.row else one.method, *textwrap.wrap(one.remark, LONGEST_LABEL)]
    runs = "1 run" if len(one.runs) == 1 else f"{len(one.runs)} runs"
    return [f"#{one.number}  {one.label}  ({runs})", *textwrap.wrap(note(one, block), LONGEST_LABEL)]


def _height(one: Line | Published, block: Block) -> float:
    """Of a bar with its label, in units of a bar alone."""
    return 1 + 0.42 * (len(_label(one, block)) - 1)


def _panel(axes: Axes, block: Block) -> None:
    bars = _bars(block)
    place, places = 0.0, []
    for one in bars:
        height = _height(one, block)
        places.append(place + height / 2)
        place += height
    longest = max(_draw_bar(axes, one, y) for one, y in zip(bars, places, strict=True))
    axes.set_yticks(places, ["\n".join(_label(one, block)) for one in bars], fontsize=8)
    axes.set_ylim(place, 0)
    axes.set_xlim(0, min(118, longest * 1.18))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 100])
    axes.set_title(f"{title_of(block.dataset)}, {block.shots}-shot: Rank-1, %", loc="left", fontsize=11, weight="bold")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_bar(axes: Axes, one: Line | Published, y: float) -> float:
    """How far it reaches, its error bar with it, in percent."""
    if isinstance(one, Published):
        value, std, text = one.figures["rank1"], None, f"{one.figures['rank1']:.1f}"
    else:
        found = one.figure("rank1")
        assert found is not None
        value, std = 100 * found.mean, None if found.std is None else 100 * found.std
        text = spread(found) if found.std is not None else f"{value:.1f}"
    axes.barh(y, value, height=0.68, color=COLOURS[_kind(one)])
    if std is not None:
        axes.errorbar(value, y, xerr=std, color="black", capsize=3, linewidth=1.2)
    end = value + (std or 0)
    axes.annotate(text, (end, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
    return end
