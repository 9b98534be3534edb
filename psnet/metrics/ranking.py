"""Multi-shot evaluation: every gallery image takes part."""

from __future__ import annotations

from psnet.metrics.counting import ranks_of_matches
from psnet.metrics.labels import Labels, OwnImages, Rules, check_lengths, own_images
from psnet.metrics.results import QueryResults, results_of
from psnet.metrics.rows import Embeddings
from psnet.metrics.scores import AnyScores, Distance, Progress, Scores


def evaluate_ranking(
    query: Embeddings,
    gallery: Embeddings,
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    camera_rule: bool = True,
    junk_pid: int | None = None,
    max_rank: int = 50,
    distance: Distance = "cosine",
    progress: Progress | None = None,
) -> QueryResults:
    """Rank the gallery for each query.

    The figures depend on the embeddings alone: not on the device, on threads, or on how the work is cut up. Of gallery
    images with equal scores the first comes first. Beside the inputs it takes 100 to 260 MiB on a CPU, and a few
    numbers for each match.

    Args:
        query: (Q, D). gallery: (G, D). Tensors on one device, or NumPy arrays, memory-mapped ones too. Half
            precision is promoted to float32.
        query_labels, gallery_labels: on the same device.
        camera_rule: leave out gallery images with the query's pid *and* camid.
        junk_pid: gallery images that are neither right nor wrong (Market-1501: -1).
        max_rank: K of `hits`; beyond the size of the gallery hits stay what they are at its end.
        distance: "cosine" or "euclidean".
        progress: called with comparisons done and to do.

    Raises:
        ValueError: embeddings are not finite, shapes do not fit, or the camera rule lacks cameras.
    """
    check_lengths(query, gallery, query_labels, gallery_labels)
    own = own_images(query_labels, gallery_labels, Rules(camera_rule, junk_pid))
    return multi_shot(Scores(query, gallery, distance, own.kept), own, max_rank, progress)


def multi_shot(scores: AnyScores, own: OwnImages, max_rank: int = 50, progress: Progress | None = None) -> QueryResults:
    """The same of any scores."""
    scores.check(own)
    rank = ranks_of_matches(scores, own, progress)
    return results_of(own.row, rank, own.num_candidates, max_rank)
