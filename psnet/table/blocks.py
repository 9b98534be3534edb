"""What may stand in one column: the lines of one data set and one kind of evaluation, ours and published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psnet.differences import differences
from psnet.table.lines import SHORT, Line
from psnet.table.published import Published
from psnet.table.runs import place_of
from psnet.table.settings import value_at, written

MOST = 4
"""Settings named in one note; table.csv names all."""


@dataclass(frozen=True)
class Block:
    """lines: ours. published: in reading order; empty where the paper lacks the set."""

    dataset: str
    shots: str
    lines: tuple[Line, ...]
    published: tuple[Published, ...]

    def ordered(self) -> list[Line | Published]:
        """By row, ours before the paper's; other methods and what else we have at the end."""
        both: list[Line | Published] = [*self.lines, *self.published]
        return sorted(both, key=lambda one: place_of(one.row))


def build_blocks(lines: Sequence[Line], published: Sequence[Published]) -> list[Block]:
    """In the order of the lines. A set that none of our lines is of is left out."""
    blocks = []
    for dataset in dict.fromkeys(line.dataset for line in lines):
        for shots in ("single", "multi"):
            own = tuple(line for line in lines if (line.dataset, line.shots) == (dataset, shots))
            theirs = tuple(one for one in published if (one.dataset, one.shots) == (dataset, shots))
            if own or theirs:
                blocks.append(Block(dataset, shots, own, theirs))
    return blocks


def distinguishing(line: Line, block: Block) -> dict[str, Any]:
    """The settings, by dotted name, in which lines of the same row in this block differ, and this line's values."""
    alike = [other for other in block.lines if other.row == line.row]
    names = {name for other in alike for name in _differing(alike[0], other)}
    chosen: dict[str, tuple[Any, ...]] = {}
    for name in sorted(names, key=lambda name: (name.count("."), name)):
        values = tuple(value_at(other.settings, name) for other in alike)
        inside = any(name.startswith(f"{outer}.") for outer in names)
        again = any(_last(name) == _last(other) and values == of_it for other, of_it in chosen.items())
        if not inside and not again:  # a teacher follows its student: said once
            chosen[name] = values
    return {name: value_at(line.settings, name) for name in chosen}


def _differing(one: Line, other: Line) -> set[str]:
    """Without that a run stopped too early, which is said by itself."""
    said = {"stopped", "epochs"} if other.stopped else {"stopped"}
    return differences(one.settings, other.settings).keys() - said


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def note(line: Line, block: Block, shown: int | None = MOST) -> str:
    """Why there are two lines of one row, in short; and where runs stopped too early."""
    settings = [written(name, value) for name, value in distinguishing(line, block).items()]
    rest = len(settings) - shown if shown else 0
    more = [f"and {rest} more"] if rest > 0 else []
    twins = [other for other in block.lines if other != line and other.settings == line.settings]
    data = [f"data hash {line.data_hash[:SHORT]}"] if twins else []
    return ", ".join([*([line.stopped] if line.stopped else []), *data, *settings[:shown], *more])
