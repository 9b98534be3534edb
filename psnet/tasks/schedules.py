"""Learning rates over a run, as plain functions of the epoch.

Each takes `epoch` (a float that grows with every step), the number of `epochs` of the run and the optimiser's own
`lr`, and returns the learning rate. `Task` calls them at every step through one LambdaLR.
"""

from __future__ import annotations

import math


def warm_up_then_steps(
    epoch: float,
    epochs: int,
    lr: float,
    warm_up_epochs: int = 5,
    warm_up_lr: float = 3e-4,
    step: int = 30,
    gamma: float = 0.1,
) -> float:
    """PS-HRNet's: `warm_up_lr` flat at first, then lr * gamma^(epoch // step), whole epochs counted from 0.

    >>> [warm_up_then_steps(e, 71, 0.0085) for e in (0, 4.9, 5, 29)]
    [0.0003, 0.0003, 0.0085, 0.0085]
    """
    whole = math.floor(epoch)
    return warm_up_lr if whole < warm_up_epochs else lr * gamma ** (whole // step)


def one_cycle(epoch: float, epochs: int, lr: float, rise: float = 0.25, start: float = 0.05) -> float:
    """Up to `lr` and down to 0 again along half cosines (Smith and Topin, "Super-Convergence", 2018).

    Args:
        rise: share of the run in which it rises. start: first rate, as a share of lr.

    >>> [round(one_cycle(e, 8, 1.0), 3) for e in (0, 2, 5, 8)]
    [0.05, 1.0, 0.5, 0.0]
    """
    done = min(epoch / epochs, 1.0)
    if done < rise or rise == 1:
        return lr * (1 - (1 - start) * _half_cosine(done / rise))
    return lr * _half_cosine((done - rise) / (1 - rise))


def cosine(epoch: float, epochs: int, lr: float, warm_up_epochs: float = 5, start: float = 0.05) -> float:
    """Linearly up to `lr`, then down to 0 along half a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017).

    A warm-up that is longer than half of the run ends there. start: first rate, as a share of lr.

    >>> [round(cosine(e, 25, 1.0), 3) for e in (1, 5, 15, 25)]
    [0.24, 1.0, 0.5, 0.0]
    """
    rise = min(warm_up_epochs, epochs / 2)
    if epoch < rise:
        return lr * (start + (1 - start) * epoch / rise)
    return lr * _half_cosine(min((epoch - rise) / (epochs - rise), 1.0))


def _half_cosine(x: float) -> float:
    """From 1 at x = 0 to 0 at x = 1."""
    return 0.5 * (1 + math.cos(math.pi * x))
