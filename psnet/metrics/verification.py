"""Same person or not: which share of the true pairs is accepted at a given rate of false ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from psnet.metrics.counting import find_exact
from psnet.metrics.labels import Labels, OwnImages, Rules, check_lengths, own_images
from psnet.metrics.rows import Embeddings
from psnet.metrics.scores import AnyScores, Distance, Progress, Scores
from psnet.metrics.thresholds import thresholds

FALSE_ACCEPT_RATES = (1e-4, 1e-3, 1e-2, 1e-1)
"""At which TAR is reported."""

CURVE = tuple(sorted({*(10.0 ** (k / 5) for k in range(-30, 1) if k % 5 or k < -20), *FALSE_ACCEPT_RATES, 1.0}))
"""At which a ROC curve is drawn: five points a decade, from one in a million."""


@dataclass(frozen=True)
class Verification:
    """One entry for each false accept rate asked for.

    far: as asked for. tar: share of the true pairs that are accepted where at most that share of the false ones is; NaN
    where there are too few false pairs to tell, fewer than 1 / far. threshold: accepted are pairs above it; a cosine
    or negative Euclidean distance. true_pairs, false_pairs: how many there are.
    """

    far: tuple[float, ...]
    tar: tuple[float, ...]
    threshold: tuple[float, ...]
    true_pairs: int
    false_pairs: int


def verify(
    query: Embeddings,
    gallery: Embeddings,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    far: Sequence[float] = FALSE_ACCEPT_RATES,
    camera_rule: bool = True,
    junk_pid: int | None = None,
    distance: Distance = "cosine",
    progress: Progress | None = None,
) -> Verification:
    """TAR at FAR over all pairs of a query and a gallery image that take part in its ranking.

    Exact, see `psnet.metrics.thresholds`: mostly two passes over the pairs, and bounded memory. A pair is accepted if
    its score is above that of the false pair which would be one too many.

    Args:
        far: false accept rates, each above 0 and at most 1. Others: see `evaluate_ranking`.

    Raises:
        ValueError: as `evaluate_ranking`; a rate is out of range; no pair is true, or none false.
    """
    check_lengths(query, gallery, query_labels, gallery_labels)
    own = own_images(query_labels, gallery_labels, Rules(camera_rule, junk_pid))
    return accept_rates(Scores(query, gallery, distance, own.kept), own, far, progress)


def accept_rates(
    scores: AnyScores, own: OwnImages, far: Sequence[float] = FALSE_ACCEPT_RATES, progress: Progress | None = None
) -> Verification:
    """The same of any scores."""
    if not all(0 < rate <= 1 for rate in far):
        raise ValueError(f"far={list(far)}: false accept rates lie above 0 and at most at 1")
    scores.check(own)
    exact = torch.zeros_like(own.row)
    for queries, query in scores.queries():
        find_exact(scores, own, queries, query, exact)
    true, false_pairs = exact[~own.removed], scores.comparisons - len(own.row)
    if len(true) == 0 or false_pairs == 0:
        raise ValueError(f"{len(true)} true and {false_pairs} false pairs; a rate needs some of both")
    allowed = [int(rate * false_pairs * (1 + 1e-12)) for rate in far]
    tar, value = [], []
    for number, threshold in zip(allowed, thresholds(scores, own, allowed, false_pairs, progress), strict=True):
        accepted = true > threshold if threshold is not None else torch.ones_like(true)
        tar.append(float(accepted.double().mean()) if number else float("nan"))
        value.append(float("-inf") if threshold is None else float(scores.value(true.new_tensor(threshold))))
    return Verification(tuple(far), tuple(tar), tuple(value), len(true), false_pairs)
