"""The table as numbers: one row per line, all columns, full precision, for table.csv and W&B."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from psnet.table.blocks import Block, note
from psnet.table.lines import Figure, Line
from psnet.table.published import Published
from psnet.table.runs import FIGURES
from psnet.table.sections import settings_cells

Value = str | float | int | None

_WORDS = ("protocol", "backbone", "super_resolution", "input", "weights", "trained_on")


def rows_of(blocks: Sequence[Block]) -> list[dict[str, Value]]:
    """All lines, ours and published, in the order of the table; each with every column, None where it has no value.

    Fractions are in percent, PSNR gains in dB.
    """
    rows = [_ours(one, block) if isinstance(one, Line) else _theirs(one) for block in blocks for one in block.ordered()]
    most_first = sorted(rows, key=len, reverse=True)
    columns = dict.fromkeys(key for row in most_first for key in row)
    return [{key: row.get(key) for key in columns} for row in rows]


def _ours(line: Line, block: Block) -> dict[str, Value]:
    row: dict[str, Value] = {"dataset": line.dataset, "shots": line.shots, "line": line.number, "row": line.label}
    row |= {"by": "ours", "note": note(line, block, shown=None), "source": ""}
    for name in FIGURES:
        row |= _pair(name, line.figure(name))
    row |= {"runs": len(line.runs), "splits": len(line.splits), "seeds": len(line.seeds)}
    for system in ("untrained", "chance"):
        for name in FIGURES:
            row |= _pair(f"{system}_{name}", line.figure(name, system))
    for rate, found in line.rank1_per_rate().items():
        row |= _pair(f"rank1_at_rate_{rate:g}", found)
    for rate, found in line.psnr_gain_per_rate().items():
        row |= _pair(f"psnr_gain_at_rate_{rate:g}", found, scale=1)
    return row | _settings(line)


def _settings(line: Line) -> dict[str, Value]:
    settings = line.settings
    row: dict[str, Value] = dict(zip(_WORDS, settings_cells(line), strict=False))
    return row | {
        "epochs": settings["epochs"],
        "stopped": line.stopped,
        "data_hash": line.data_hash,
        "data_hash_of_each_split": _json({str(split): value for split, value in sorted(line.hashes.items())}),
        "protocol_settings": _json(settings["protocol"]),
        "model": _json(settings["model"]),
        "phases": _json(settings["phases"]),
        "folders": _json([run.name for run in line.runs]),
    }


def _theirs(one: Published) -> dict[str, Value]:
    row: dict[str, Value] = {"dataset": one.dataset, "shots": one.shots, "row": one.row, "by": one.by}
    row |= {"note": one.remark, "source": one.source}
    return row | {f"{name}_mean": value for name, value in one.figures.items()}


def _pair(name: str, found: Figure | None, scale: float = 100) -> Mapping[str, Value]:
    if found is None:
        return {}
    return {f"{name}_mean": scale * found.mean, f"{name}_std": None if found.std is None else scale * found.std}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
