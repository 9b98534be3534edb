"""What is not written as good."""

from __future__ import annotations

from psnet.engines import EngineError
from psnet.engines.kept import Check

EXACT = 1e-5
"""The largest 1 - cos of a graph in 32 bits that is as its checkpoint: rounding in another order makes 1e-12."""

RESIZED = 1e-3
"""The same of images in their own sizes, whose bytes the graph makes otherwise where Pillow does (see `Resize`)."""

LEAST_LIKE = 0.1
"""The largest 1 - cos of an int8 that anybody might want."""


def refuse_inexact(form: str, check: Check) -> None:
    """
    Raises:
        EngineError: a graph in 32 bits is not as its checkpoint.
    """
    for away, most in ((check.cosine, EXACT), (check.own_size or 0.0, RESIZED)):
        if away > most:
            raise EngineError(
                f"{form} is not exact: its 1 - cos to the checkpoint is up to {away:.1e}, and rounding makes less "
                f"than {most:g}; it was not written. The fault is the export's, not yours"
            )


def refuse_loss(check: Check, most: float) -> None:
    """
    Args:
        most: that Rank-1 may lose, in [0, 1].

    Raises:
        EngineError: int8 was seen to lose more, or is another model altogether.
    """
    if not check.cosine <= LEAST_LIKE:
        raise EngineError(
            f"int8 has little of the checkpoint: its 1 - cos to it is up to {check.cosine:.1e}; it was not written. "
            "Calibrate it on more or other images"
        )
    if check.scored is None:
        return
    before, after = check.scored["Rank-1"]
    if before - after > most + 1e-9:
        raise EngineError(
            f"int8 takes Rank-1 from {before:.1%} to {after:.1%}, more than --most-loss {100 * most:g} points; it was "
            "not written. Calibrate it on more or other images, or allow the loss"
        )
