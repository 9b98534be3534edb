"""What a reader of the figures must know, in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from psnet.table.blocks import Block
from psnet.table.lines import SHORT, Line, unlike
from psnet.table.published import TITLES
from psnet.table.runs import Run
from psnet.table.settings import beyond_the_paper, key_of, value_text

_OF_THE_MODEL = {"row", "model", "phases", "epochs", "image_size", "weights"}

FILES_GONE = (
    "Published figures stand on other files: those of the paper are gone, so no data hash can be compared. "
    "Compare backbone, weights and input size before the figures."
)


def remarks_on(blocks: Sequence[Block], shown_runs: int = 4) -> list[str]:
    """On all lines of one data set.

    Args:
        shown_runs: how many runs are named where there may be many.
    """
    lines = [line for block in blocks for line in block.lines]
    return [
        *_of_the_set(blocks),
        *_other_data(lines, shown_runs),
        *(text for line in lines for text in _of_a_line(line, shown_runs)),
        *_sources(blocks),
    ]


def _of_the_set(blocks: Sequence[Block]) -> Iterator[str]:
    dataset = blocks[0].dataset
    if dataset not in TITLES:
        yield "The paper does not have this set: nothing published stands beside it."
    elif any(block.lines and block.published for block in blocks):
        yield FILES_GONE
    rows = {one.row for block in blocks for one in block.published}
    for line in (line for block in blocks for line in block.lines):
        if dataset in TITLES and line.row not in rows:
            yield f"Line {line.number}, {line.row} on {TITLES[dataset]}, is an extension, ours: the paper lacks it."
    for line in (line for block in blocks if block.published for line in block.lines):
        if own := beyond_the_paper(line.settings):
            yield f"Line {line.number} is of another protocol than the published figures: {', '.join(own)}."
    for block in blocks:
        if not block.lines:
            yield f"Published {block.shots}-shot figures are of another protocol than our runs: never compare the two."


def _other_data(lines: Sequence[Line], shown: int) -> Iterator[str]:
    """Runs of one protocol and split that do not stand on the same images, as they should."""
    splits_of: dict[tuple[tuple[Line, ...], ...], list[int]] = defaultdict(list)
    for protocol in {key_of(line.settings["protocol"]): line for line in lines}:
        alike = [line for line in lines if key_of(line.settings["protocol"]) == protocol]
        for split in sorted({split for line in alike for split in line.splits}):
            sides: dict[str, list[Line]] = defaultdict(list)
            for line in alike:
                if split in line.hashes:
                    sides[line.hashes[split]].append(line)
            if len(sides) > 1:
                splits_of[tuple(tuple(side) for side in sides.values())].append(split)
    for parts, splits in splits_of.items():
        yield _on_other_data(parts, splits, shown)


def _on_other_data(parts: Sequence[Sequence[Line]], splits: Sequence[int], shown: int) -> str:
    """parts: lines that agree on the data of those splits."""
    runs = [[run for line in part for run in line.runs if run.split in splits] for part in parts]
    sides = [f"{_lines(part)} ({_names(own, shown)})" for part, own in zip(parts, runs, strict=True)]
    differ = "; ".join(_pairs(runs[0][0], other[0]) for other in runs[1:])
    where = ", ".join(map(str, splits))
    return f"Different data under one protocol at split {where}: {' against '.join(sides)}. They differ in {differ}."


def _lines(lines: Sequence[Line]) -> str:
    return ("line " if len(lines) == 1 else "lines ") + ", ".join(str(line.number) for line in lines)


def _names(runs: Sequence[Run], shown: int) -> str:
    more = [f"{len(runs) - shown} more"] if len(runs) > shown else []
    return ", ".join([*(run.name for run in runs[:shown]), *more])


def _pairs(one: Run, other: Run) -> str:
    """Dotted names with both values; the hashes first."""
    hashes = f"data_hash={one.data_hash[:SHORT]} / {other.data_hash[:SHORT]}"
    differ = {name: pair for name, pair in unlike(one, other).items() if _may_explain(name)}
    return ", ".join([hashes, *(f"{name}={value_text(a)} / {value_text(b)}" for name, (a, b) in differ.items())])


def _may_explain(name: str) -> bool:
    """Another model is no reason for other data; another number of people to train on is a trace of it."""
    return name == "model.reid.num_classes" or name.partition(".")[0] not in _OF_THE_MODEL


def _of_a_line(line: Line, shown: int) -> Iterator[str]:
    if line.stopped:
        yield f"Line {line.number}: {line.stopped}, before its recipe ends: {_names(line.runs, shown)}."
    ended = sorted(run.record["epochs"] for run in line.runs if run.record["ended_by_patience"])
    if ended:
        after = f"{ended[0]} to {ended[-1]}" if ended[0] < ended[-1] else f"{ended[0]}"
        yield f"Line {line.number}: patience ended {len(ended)} of its {len(line.runs)} runs, after {after} epochs."
    if not line.settings["training"]:
        yield f"Line {line.number} was trained by an older version, which does not say by how many processes."
    if line.settings["searched"] != "its own set":
        own = line.dataset in line.settings["trained_on"]
        what = "another split or protocol of the same set" if own else "across sets"
        yield f"Line {line.number} was scored on other data than it was trained on: {what}."
    seen = [run for run in line.runs if run.record["searched_and_trained_on"]]
    if seen:
        images = max(run.record["searched_and_trained_on"] for run in seen)
        yield (
            f"Line {line.number} was scored on images that it was trained on, up to {images:,} in "
            f"{_names(seen, shown)}: the figures are too good."
        )
    for key in ("precision", "revision", "versions"):
        values = dict.fromkeys(_text(run.record[key]) for run in line.runs)
        if len(values) > 1:
            yield f"Line {line.number} mixes {key}: {'; '.join(values)}."


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value) or "unknown"


def _sources(blocks: Sequence[Block]) -> Iterator[str]:
    published = [one for block in blocks for one in block.published]
    for source in dict.fromkeys(one.source for one in published):
        methods = dict.fromkeys(one.method for one in published if one.source == source)
        yield f"{', '.join(methods)}: {source}."
