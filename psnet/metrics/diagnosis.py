"""What is wrong with query and gallery where nothing can be found, or where it is found too easily."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from psnet.metrics.labels import Labels, Rules
from psnet.metrics.rows import Embeddings, Rows


class Duplicates(NamedTuple):
    """Queries that are in the gallery too. query, gallery: (n,) numbers, of the first of equal gallery images."""

    query: Tensor
    gallery: Tensor


def why_no_match(query: Labels, gallery: Labels, rules: Rules) -> str:
    """The likeliest cause that no query has a match, and what to do."""
    q, g = set(query.pid.tolist()), set(gallery.pid.tolist())
    if q & g == {rules.junk_pid}:
        return f"pid {rules.junk_pid} is all that query and gallery share, and its images are junk: they match nothing"
    shared = q & g - {rules.junk_pid}
    if not shared:
        return (
            f"query shows {len(q):,} people ({_some(q)}), the gallery {len(g):,} ({_some(g)}), and nobody is in both. "
            "Are these two parts of one set, are the pids of one of them strings that were numbered anew, or are "
            "training images among them?"
        )
    assert query.camid is not None
    assert gallery.camid is not None
    cameras = set(query.camid.tolist()) | set(gallery.camid.tolist())
    where = f"all images carry camid {next(iter(cameras))}" if len(cameras) == 1 else "each was seen by one camera only"
    return (
        f"{len(shared):,} people are in both, but {where}, and the same-camera rule leaves out images of the query's "
        "person by the query's camera. Give the real camids, or turn the rule off: dataset.source.camera_rule=false, "
        "psnet score --no-camera-rule, camera_rule=False"
    )


def _some(pids: set[int]) -> str:
    first = sorted(pids)[:3]
    return "pids " + ", ".join(map(str, first)) + (", ..." if len(pids) > 3 else "")


def duplicates(query: Embeddings, gallery: Embeddings) -> Duplicates:
    """Embeddings that are equal once normalised, in query and gallery: most likely one image that is in both."""
    places: dict[bytes, list[int]] = {}
    for number, row in _bytes(query, "query"):
        places.setdefault(row, []).append(number)
    found: dict[int, int] = {}
    for number, row in _bytes(gallery, "gallery"):
        found |= dict.fromkeys(places.pop(row, ()), number)
    pairs = sorted(found.items())
    return Duplicates(torch.tensor([q for q, _ in pairs]).long(), torch.tensor([g for _, g in pairs]).long())


def _bytes(embeddings: Embeddings, what: str) -> Iterator[tuple[int, bytes]]:
    rows = Rows(embeddings, what)
    step = max(1, (1 << 22) // rows.dimensions)
    for start in range(0, len(rows), step):
        whole = rows.block(slice(start, start + step), None).whole.cpu().numpy()
        for number, row in enumerate(whole):
            yield start + number, row.tobytes()
