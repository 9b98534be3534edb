"""k-reciprocal re-ranking on sparse neighbours: the memory of a ranked list, not of all pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from psnet.metrics.encoding import Sparse, averaged, blend, inverted, reciprocal_sets, rows_of, self_first, weigh
from psnet.metrics.labels import nobody_is_left_out
from psnet.metrics.neighbours import nearest
from psnet.metrics.rows import Embeddings
from psnet.metrics.scores import Distance, Progress, Scores

TILE_ROWS, TILE_COLUMNS = 128, 4096
"""Shape of the products behind distances. They lie at multiples of it, whatever rows are asked for, so that a pair
always has the same bits."""


@dataclass(frozen=True, eq=False)
class ReRanked:
    """Distances of Q queries to G gallery images after re-ranking, worked out for the rows that are asked for.

    shape: (Q, G). scores: of the Q + G images with themselves, queries first. largest: (Q,) float64, what each row of
    original distances is divided by. vectors: of the queries. index: inverted, of the gallery. weight: of the original
    distance.
    """

    shape: tuple[int, int]
    scores: Scores
    largest: Tensor
    vectors: Sparse
    index: Sparse
    weight: float

    def __getitem__(self, queries: slice) -> Tensor:
        """(C, G) float32 for C consecutive queries, from 0 to 1, smaller is nearer.

        The same numbers whichever other rows are asked for with them. The cost is that of whole tiles of 128 queries.
        """
        start, stop, step = queries.indices(self.shape[0])
        if step != 1:
            raise ValueError(f"queries={queries} must be consecutive; take rows of the result instead")
        if start >= stop:
            return torch.empty(0, self.shape[1])
        first = start - start % TILE_ROWS
        tiles = slice(first, min(stop + -stop % TILE_ROWS, self.shape[0]))
        found = self._original(tiles)[start - first : stop - first]
        blend(found.numpy(), self.vectors, start, self.index, self.weight)
        return found

    def _original(self, queries: slice) -> Tensor:
        """Original distances of whole tiles of queries, (C, G), divided by the largest."""
        scores, count = self.scores, queries.stop - queries.start
        query, found = scores.query.block(queries, scores.scale), torch.empty(count, self.shape[1])
        for start in range(0, self.shape[1], TILE_COLUMNS):
            columns = slice(start, min(start + TILE_COLUMNS, self.shape[1]))
            images = slice(self.shape[0] + columns.start, self.shape[0] + columns.stop)
            gallery = scores.gallery.block(images, scores.scale)
            for tile in range(0, count, TILE_ROWS):
                rows = slice(tile, tile + TILE_ROWS)
                found[rows, columns] = scores.products(query.part(rows), gallery)
        distance = found.neg_() if scores.euclidean else found.neg_().add_(1)
        return distance.div_((self.largest[queries] * self._unit).float()[:, None]).clamp_(0, 1)

    @property
    def rows_together(self) -> int:
        """So many rows cost little more than one of them."""
        return TILE_ROWS

    @property
    def _unit(self) -> float:
        """Near scores are in the scores' own scale."""
        return (self.scores.scale or 1.0) ** 2


def k_reciprocal(
    query: Embeddings,
    gallery: Embeddings,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    *,
    distance: Distance = "euclidean",
    progress: Progress | None = None,
) -> ReRanked:
    """Re-rank by k-reciprocal encoding (Zhong et al., CVPR 2017), queries and gallery together taken as one set.

    With N = Q + G images and d(i, j) their squared Euclidean distance:

    1. d(i, j) is divided by the largest d(i, .), of all queries and gallery images, so that it is not symmetric. (The
       authors square once. torchreid's `re_ranking` squares what it is given, so it wants distances that are not
       squared yet.)
    2. R(i, k): those j among the first k + 1 of i that have i among their first k + 1. An image is the first of its
       own neighbours, by definition and not by its distance of 0: among many equal images it would not always be.
    3. R*(i): R(i, k1), and R(j, k1 / 2) of each of its j that has more than 2/3 of R(j, k1 / 2) in R(i, k1). Halves are
       rounded to the even number, as NumPy does: k1 = 5 has 2.
    4. V(i) has exp(-d(i, j)) at each j of R*(i), divided by the sum, and 0 elsewhere.
    5. V(i) becomes the mean of V over the first k2 of i, itself among them; k2 = 1 changes nothing.
    6. Jaccard distance 1 - s / (2 - s), where s sums the smaller of V(q) and V(g) at each image.
    7. The result: (1 - weight) x Jaccard + weight x d(q, g).

    Neighbours and the distances in V are exact, with ties by index, queries before gallery (see `nearest`). The d of
    step 7 and the largest d of a row come from float32 products, whose error is some D x 2^-23 of the longest squared
    norm.

    **Cost.** One pass of N x N products in float32, of which the first K = max(k1 + 1, k2) are kept; then work for
    N x K^2; for rows of distances Q x G products and some hundred operations a query and common neighbour.
    **Memory** beyond embeddings: a copy of all of them as float32 and as integers, and for each image its neighbours,
    its vector and, in the gallery, its share of the inverted index: some 3 KB an image, where a full matrix has 4 N.
    Nothing of N x N or Q x G is ever held; rows of distances are as large as what is asked for.

    Args:
        query: (Q, D), gallery: (G, D): tensors, arrays or memory maps. Encoding runs on the CPU, products where the
            embeddings are.
        k1, k2: at least 1. Where the set has fewer than k1 + 1 or k2 images all of them are taken, as slices of the
            authors' code do: a neighbourhood that holds everything is still one, so small galleries need no setting of
            their own.
        weight: of the original distance, lambda in the paper: 1 is the plain ranking, 0 the Jaccard distance alone.
        distance: "cosine" takes 1 - cosine for d, half the squared distance of normalised rows.
        progress: is told how many of N x N comparisons are done.

    Raises:
        ValueError: embeddings are not finite, shapes do not fit, or a setting is out of its range.
    """
    for name, k in (("k1", k1), ("k2", k2)):
        if k < 1:
            raise ValueError(f"{name}={k} must be at least 1")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight={weight} must be from 0 (Jaccard distance alone) to 1 (original distance alone)")
    Scores(query, gallery, distance)  # refuses what cannot be compared
    union = torch.cat([_tensor(query), _tensor(gallery)])
    scores, count = Scores(union, union, distance), len(union)
    own = nobody_is_left_out(count, count, union.device)
    found = nearest(scores, own, min(max(k1 + 1, k2), count), progress)
    rank = np.ascontiguousarray(found.index.to(torch.int32).cpu().numpy())
    self_first(rank)
    largest = _distance(scores, found.farthest).cpu()
    largest = torch.where(largest > 0, largest, 1.0)
    start, column = reciprocal_sets(rank, k1, round(k1 / 2))
    apart = _distances(scores, start, column) / np.repeat(largest.numpy(), np.diff(start))
    vectors = Sparse(start, column, weigh(start, apart))
    vectors = vectors if k2 == 1 else averaged(vectors, rank, k2)
    queries = len(query)
    index = inverted(rows_of(vectors, queries, count), count)
    return ReRanked((queries, len(gallery)), scores, largest[:queries], rows_of(vectors, 0, queries), index, weight)


def _tensor(embeddings: Embeddings) -> Tensor:
    whole = embeddings.detach() if isinstance(embeddings, Tensor) else torch.from_numpy(np.array(embeddings))
    return whole if whole.dtype == torch.float64 else whole.float()


def _distance(scores: Scores, exact: Tensor) -> Tensor:
    """Squared Euclidean distance, float64; for the cosine half that of normalised rows."""
    fraction = exact.double() / scores.unit
    return -fraction if scores.euclidean else (1 - fraction).clamp(min=0)


def _distances(scores: Scores, start: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Of each image to those of its set, (P,) float64."""
    whole = scores.query.block(slice(0, len(start) - 1), scores.scale)
    image = torch.from_numpy(np.repeat(np.arange(len(start) - 1), np.diff(start))).to(scores.query.device)
    exact = scores.exact(whole, whole, image, torch.from_numpy(column).to(image))
    return _distance(scores, exact).cpu().numpy()
