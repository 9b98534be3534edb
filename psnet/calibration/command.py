"""psnet calibrate: what it does, and what it prints."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from psnet.calibration.calibrate import calibrate
from psnet.calibration.kept import keep_threshold, read_threshold
from psnet.calibration.threshold import CalibrationError, GroupRates, Threshold, share
from psnet.embeddings import MadeBy, read_embeddings

FEW = 10
"""False pairs above a threshold, below which its rate is little more than a guess."""


def run(
    model: Path, made_by: MadeBy, trained: Collection[str], files: Sequence[Path], far: float, console: Console
) -> Threshold:
    """Calibrate on embeddings of query and gallery, keep the threshold with the model, and say what it does.

    Args:
        made_by: by which the model's embeddings are known. trained: see `calibrate`.

    Raises:
        CalibrationError, EmbeddingError, WriteError.
    """
    embeddings = read_embeddings(list(files))
    if embeddings.made_by not in (None, made_by):
        raise CalibrationError(
            f"{embeddings.source} was made by another model or preprocessing, {embeddings.made_by}, and this is "
            f"{made_by}"
        )
    threshold = calibrate(embeddings, far, trained=trained)
    before = read_threshold(model, made_by)
    file = keep_threshold(model, threshold)
    console.print(_table(threshold))
    accepted = round((threshold.found.far or 0) * threshold.found.false_pairs)
    if accepted < FEW:
        console.print(
            f"Only {accepted} of {threshold.found.false_pairs:,} false pairs lie above it, so its rate is little more "
            f"than a guess: give {round(FEW / far):,} false pairs or more.",
            highlight=False,
        )
    if before is not None:
        console.print(f"It takes the place of {before.value:.6f} (FAR {before.asked:g}).", highlight=False)
    console.print("Kept in:", str(file), soft_wrap=True, highlight=False, markup=False)
    return threshold


def _table(threshold: Threshold) -> Table:
    table = Table(title=f"Accepted from a cosine of {threshold.value:.6f} on, {threshold.people:,} people")
    for name in ("query", "false pairs", "FAR", "true pairs", "TAR"):
        table.add_column(name, justify="left" if name == "query" else "right")
    groups: dict[str, GroupRates] = {"all": threshold.found}
    groups |= {"sharp" if rate == "1" else f"1/{rate}": found for rate, found in threshold.by_rate.items()}
    for name, found in groups.items():
        table.add_row(name, f"{found.false_pairs:,}", share(found.far, 4), f"{found.true_pairs:,}", share(found.tar, 1))
    return table
