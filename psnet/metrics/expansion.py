"""Queries made better by others: several images of one person, or the query's own first neighbours."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from psnet.metrics.labels import Labels, Rules, check_lengths, own_images
from psnet.metrics.neighbours import nearest
from psnet.metrics.rows import Embeddings
from psnet.metrics.scores import Progress, Scores


def pool_queries(query: Tensor, labels: Labels, pool: Literal["mean", "max"] = "mean") -> tuple[Tensor, Labels, Tensor]:
    """Multi-query: all images of one person by one camera are one query (Zheng et al., "Scalable Person
    Re-identification", 2015, with both poolings).

    Args:
        query: (Q, D); each is normalised first. labels: without camids all images of a person are one.

    Returns:
        The pooled queries (P, D), their labels, and which of them each image went into, (Q,).
    """
    if pool not in ("mean", "max"):
        raise ValueError(f"pool={pool!r} must be mean or max")
    camid = torch.zeros_like(labels.pid) if labels.camid is None else labels.camid
    people, member = torch.unique(torch.stack([labels.pid, camid], dim=1), dim=0, return_inverse=True)
    unit = F.normalize(query.float(), dim=1)
    index = member[:, None].expand_as(unit)
    empty = torch.zeros(len(people), unit.shape[1], device=unit.device)
    pooled = empty.scatter_reduce(0, index, unit, "mean" if pool == "mean" else "amax", include_self=False)
    pid, camid = people.unbind(1)
    return pooled, Labels(pid.contiguous(), None if labels.camid is None else camid.contiguous()), member


def expand_queries(
    query: Tensor,
    gallery: Embeddings,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    k: int = 5,
    alpha: float = 0.0,
    camera_rule: bool = True,
    junk_pid: int | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Average query expansion (Chum et al., "Total Recall", 2007): the mean of the query and its first k gallery
    images, each normalised; with alpha above 0 weighted by cosine^alpha (Radenovic et al., "Fine-tuning CNN Image
    Retrieval with No Human Annotation", 2018).

    Args:
        query: (Q, D). gallery: (G, D). k, alpha: as above. Labels and rules: what is left out for a query is no
            neighbour of it. It is what an evaluation must do, as such images are not there in use.

    Returns:
        (Q, D) float32, normalised.
    """
    if alpha < 0:
        raise ValueError(f"alpha={alpha} must be 0 or more; 0 weighs all neighbours alike")
    check_lengths(query, gallery, query_labels, gallery_labels)
    own = own_images(query_labels, gallery_labels, Rules(camera_rule, junk_pid))
    found = nearest(Scores(query, gallery, "cosine", own.kept), own, k, progress)
    unit = F.normalize(query.float(), dim=1)
    total = unit.clone()
    for place in range(found.index.shape[1]):
        index, score = found.index[:, place], found.score[:, place]
        weight = torch.where(index >= 0, score.clamp(min=0) ** alpha, 0.0).float()
        total += weight[:, None] * F.normalize(_rows(gallery, index.clamp(min=0)), dim=1)
    return F.normalize(total, dim=1)


def _rows(embeddings: Embeddings, index: Tensor) -> Tensor:
    if isinstance(embeddings, Tensor):
        return embeddings[index].float()
    return torch.from_numpy(np.array(embeddings[index.numpy()])).float()
