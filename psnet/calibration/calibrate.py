"""A threshold from pairs whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from psnet.calibration.threshold import CalibrationError, GroupRates, Threshold
from psnet.data.manifest import DIGEST
from psnet.embeddings import EmbeddingSet, EmbeddingSide
from psnet.metrics import Labels, verify
from psnet.metrics.verification import CURVE

STEP = 1e-6
"""Thresholds are multiples of this: in 32 bits the cosine of the same two images, embedded in batches of other sizes,
differs by about as much. In 16 bits it differs by 2e-3."""

BLOCK = 1 << 22
"""Pairs whose cosines are held at once."""


def calibrate(
    embeddings: EmbeddingSet, far: float, junk_pid: int | None = -1, trained: Collection[str] = ()
) -> Threshold:
    """The lowest threshold that accepts at most a share `far` of the false pairs of a query and a gallery image.

    Pairs of one person and one camera take no part where cameras are known, as in evaluation.

    Args:
        embeddings: of people that the model has not been trained on, with the model they were made by.
        far: false-accept rate, above 0 and below 1. junk_pid: gallery images that take no part. trained: digests of the
            images that the model was trained on, as its checkpoint holds them.

    Raises:
        CalibrationError: the rate is out of range, an image was trained on or is in query and gallery, there are too
            few false pairs to tell it, no true pair, or nobody knows which model made the embeddings.
    """
    if not 0 < far < 1:
        raise CalibrationError(f"far={far} must be a share of the false pairs between 0 and 1, such as 0.001")
    if embeddings.made_by is None:
        raise CalibrationError(
            f"{embeddings.source} does not say which model made the embeddings; make them with psnet embed, or with "
            "evaluate.py embeddings=FILE"
        )
    query, gallery = embeddings.query, embeddings.gallery
    if query.embedding is None or gallery.embedding is None:
        raise CalibrationError(f"{embeddings.source} holds distances; a threshold is made from embeddings")
    _check_images(embeddings, trained)
    labels = _labels(query), _labels(gallery)
    images = _images(query), _images(gallery)
    try:
        curve = verify(*images, *labels, far=(far, *CURVE), camera_rule=query.camid is not None, junk_pid=junk_pid)
    except ValueError as error:
        raise CalibrationError(f"{embeddings.source}: {error}") from error
    if math.isnan(curve.tar[0]):
        raise CalibrationError(
            f"{curve.false_pairs:,} false pairs do not tell a false-accept rate of {far:g}; give "
            f"{math.ceil(1 / far):,} or more, or ask for a rate of {_rounded_up(1 / curve.false_pairs):g} or more"
        )
    value = math.ceil(curve.threshold[0] / STEP + 1e-3) * STEP  # above the false pair that would be one too many
    counts = _count(*images, *labels, value, junk_pid)
    rates = np.array([]) if query.rate is None else query.rate
    groups = {f"{rate:g}": _rates(counts[torch.from_numpy(rates == rate)]) for rate in np.unique(rates)}
    roc = [(f, t) for f, t in zip(curve.far[1:], curve.tar[1:], strict=True) if not math.isnan(t)]
    people = len(np.unique(np.concatenate([query.pid, gallery.pid])))
    return Threshold(
        round(value, 6),
        far,
        _rates(counts),
        groups,
        tuple(roc),
        people,
        embeddings.source,
        embeddings.made_by,
    )


def _rounded_up(rate: float) -> float:
    """To two digits."""
    digits = 1 - math.floor(math.log10(rate))
    return float(round(math.ceil(rate * 10**digits) / 10**digits, digits))


def _check_images(embeddings: EmbeddingSet, trained: Collection[str]) -> None:
    """As far as their digests are known."""
    digests = [side.labels.get("sha256", np.array([])).tolist() for side in (embeddings.query, embeddings.gallery)]
    known = {digest for side in digests for digest in side if digest}
    seen = [digest for digest in known if digest[:DIGEST] in trained]
    if seen:
        raise CalibrationError(
            f"{len(seen):,} of the {len(known):,} images of {embeddings.source} were trained on: on others the "
            "threshold would accept more than it says. Take people that the model has not seen"
        )
    twice = known.intersection(*digests)
    if twice:
        raise CalibrationError(
            f"{len(twice):,} images of {embeddings.source} are in query and gallery: that an image is like itself says "
            "nothing. Leave them out on one side"
        )


def _labels(side: EmbeddingSide) -> Labels:
    return Labels(torch.from_numpy(side.pid), None if side.camid is None else torch.from_numpy(side.camid))


def _images(side: EmbeddingSide) -> Tensor:
    return torch.from_numpy(np.array(side.embedding, dtype=np.float32))


def _count(
    query: Tensor, gallery: Tensor, of_query: Labels, of_gallery: Labels, value: float, junk_pid: int | None
) -> Tensor:
    """(Q, 4) for each query: false pairs accepted, false pairs, true pairs accepted, true pairs."""
    query, gallery = F.normalize(query.double(), dim=1), F.normalize(gallery.double(), dim=1)
    counts = []
    for rows in _blocks(len(query), max(1, BLOCK // len(gallery))):
        same = of_query.pid[rows, None] == of_gallery.pid
        taking_part = torch.ones_like(same) if junk_pid is None else (of_gallery.pid != junk_pid).expand_as(same)
        if of_query.camid is not None and of_gallery.camid is not None:
            taking_part = taking_part & ~(same & (of_query.camid[rows, None] == of_gallery.camid))
        accepted = query[rows] @ gallery.T >= value
        false, true = taking_part & ~same, taking_part & same
        counts.append(
            torch.stack([part.sum(dim=1) for part in (false & accepted, false, true & accepted, true)], dim=1)
        )
    return torch.cat(counts)


def _blocks(number: int, size: int) -> Iterator[slice]:
    return (slice(begin, begin + size) for begin in range(0, number, size))


def _rates(counts: Tensor) -> GroupRates:
    false_accepted, false, true_accepted, true = counts.sum(dim=0).tolist()
    return GroupRates(false_accepted / false if false else None, true_accepted / true if true else None, false, true)
