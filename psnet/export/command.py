"""psnet export: what it does, and what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from psnet.embedder import Embedder
from psnet.export.engines import Made, export_engines
from psnet.export.model import export_model
from psnet.export.wish import Wish, check_wish


def run(model: str, folder: Path, wish: Wish | None, console: Console) -> None:
    """
    Args:
        wish: of forms beside the weights; None of none.

    Raises:
        CheckpointError, EmbedderError, EngineError, WriteError.
    """
    if wish is not None:
        check_wish(wish)
    export_model(model, folder)
    if wish is not None:
        embedder = Embedder.from_pretrained(folder, device="cpu", precision="32-true")
        console.print(_table(export_engines(embedder, wish)))


def _table(made: Sequence[Made]) -> Table:
    images = made[0].checks[0].images
    table = Table(title=f"Beside the checkpoint in 32 bits, on {images} images", title_justify="left")
    for name in ("engine", "MiB", "bits", "1 - cos", "own size", "top 10", "Rank-1", "mAP"):
        table.add_column(name, justify="left" if name in ("engine", "bits") else "right")
    for one in made:
        for check in one.checks:
            scored = [_change(check.scored[name] if check.scored else None) for name in ("Rank-1", "mAP")]
            size = f"{one.size / 2**20:.1f}"
            away = [f"{check.cosine:.0e}", "" if check.own_size is None else f"{check.own_size:.0e}"]
            table.add_row(one.name, size, check.precision.partition("-")[0], *away, f"{check.agreement:.1%}", *scored)
    return table


def _change(figures: Sequence[float] | None) -> str:
    return "" if figures is None else f"{100 * figures[0]:.1f}>{100 * figures[1]:.1f}"
