"""The table as a picture: Rank-1 of all lines as bars, a panel for each data set."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from psnet.table.blocks import Block, note
from psnet.table.lines import Line
from psnet.table.published import Published
from psnet.table.sections import spread, title_of

COLOURS = {"ours": "#0072B2", "PS-HRNet, as published": "#E69F00", "other methods, as published": "#BBBBBB"}
"""Told apart by colour-blind people, and in grey (Okabe & Ito, "Color Universal Design", 2008; and a grey)."""

WIDTH, LEFT, RIGHT = 9.0, 3.1, 0.35
"""Of the picture, and beside its panels; inches, as all sizes here."""
TITLE, BAR, TICKS, LEGEND = 0.45, 0.3, 0.3, 0.5
"""Heights: above a panel, of one bar in it, below it, and below all."""
DOTS_PER_INCH = 160
LONGEST_LABEL = 44
"""Characters of one line of a label."""


def draw(blocks: Sequence[Block]) -> bytes:
    """A PNG. Blocks without a line of ours are left out: nothing of ours may be set beside them."""
    panels = [Panel(block) for block in blocks if any(line.figure("rank1") for line in block.lines)]
    if not panels:
        return _png(_nothing())
    total = LEGEND + sum(TITLE + panel.height + TICKS for panel in panels)
    drawing, top = Drawing(figsize=(WIDTH, total), dpi=DOTS_PER_INCH), total
    for panel in panels:
        top -= TITLE + panel.height
        width = WIDTH - LEFT - RIGHT
        panel.draw(drawing.add_axes((LEFT / WIDTH, top / total, width / WIDTH, panel.height / total)))
        top -= TICKS
    kinds = {_kind(one) for panel in panels for one in panel.bars}
    patches = [Patch(facecolor=colour, label=kind) for kind, colour in COLOURS.items() if kind in kinds]
    drawing.legend(handles=patches, loc="lower center", ncols=len(patches), frameon=False, fontsize=9)
    return _png(drawing)


def _png(drawing: Drawing) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(drawing).print_png(file)
    return file.getvalue()


def _nothing() -> Drawing:
    drawing = Drawing(figsize=(WIDTH, 1), dpi=DOTS_PER_INCH)
    drawing.text(0.5, 0.5, "No run retrieves anything: there is no Rank-1 to show.", ha="center", va="center")
    return drawing


class Panel:
    """The bars of one block, from top to bottom.

    bars: what has a Rank-1. places: the middle of each, in bars from the top; rows are set off. height: inches.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.bars = [one for one in block.ordered() if isinstance(one, Published) or one.figure("rank1")]
        self.labels = [_label(one, block) for one in self.bars]
        self.places: list[float] = []
        end, before = 0.0, self.bars[0].row
        for one, label in zip(self.bars, self.labels, strict=True):
            size = 1 + 0.45 * (len(label) - 1)
            end += 0 if one.row == before else 0.4
            self.places.append(end + size / 2)
            end, before = end + size, one.row
        self.end = end
        self.height = BAR * end

    def draw(self, axes: Axes) -> None:
        reach = max(1, *(_draw_bar(axes, one, place) for one, place in zip(self.bars, self.places, strict=True)))
        axes.set_yticks(self.places, ["\n".join(label) for label in self.labels], fontsize=8)
        axes.set_ylim(self.end + 0.15, -0.15)
        axes.set_xlim(0, 1.15 * reach)
        axes.set_xticks([tick for tick in MaxNLocator(6).tick_values(0, reach) if tick <= min(100, 1.15 * reach)])
        title = f"{title_of(self.block.dataset)}, {self.block.shots}-shot: Rank-1, %"
        axes.set_title(title, loc="left", fontsize=11, weight="bold")
        axes.tick_params(length=0)
        axes.tick_params(axis="x", labelsize=8, labelcolor="#555555")
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "bottom"]].set_visible(False)


def _kind(one: Line | Published) -> str:
    ours, paper, others = COLOURS
    if isinstance(one, Line):
        return ours
    return paper if one.row else others


def _label(one: Line | Published, block: Block) -> list[str]:
    """Lines of text beside a bar."""
    if isinstance(one, Published):
        return [f"{one.row}, paper" if one.row else one.method, *textwrap.wrap(one.remark, LONGEST_LABEL)]
    runs = "1 run" if len(one.runs) == 1 else f"{len(one.runs)} runs"
    return [f"{one.label}, ours (#{one.number}, {runs})", *textwrap.wrap(note(one, block), LONGEST_LABEL)]


def _draw_bar(axes: Axes, one: Line | Published, place: float) -> float:
    """How far it reaches, with its error bar, in percent. Of runs that stopped too early the bar is pale."""
    if isinstance(one, Published):
        value, std, text, pale = one.figures["rank1"], None, f"{one.figures['rank1']:.1f}", False
    else:
        found = one.figure("rank1")
        assert found is not None
        value, std = 100 * found.mean, None if found.std is None else 100 * found.std
        text, pale = f"{value:.1f}" if std is None else spread(found), bool(one.stopped)
    axes.barh(place, value, height=0.7, color=COLOURS[_kind(one)], alpha=0.4 if pale else 1)
    if std is not None:
        axes.errorbar(value, place, xerr=std, color="black", capsize=3, linewidth=1.2)
    end = value + (std or 0)
    axes.annotate(text, (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
    return end
