"""Embeddings of any tool -> a retrieval, by rules that are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from psnet.embeddings import EmbeddingError, EmbeddingSet, EmbeddingSide, MadeBy
from psnet.metrics import (
    Distance,
    GivenScores,
    Labels,
    NoMatchError,
    OwnImages,
    Progress,
    ReRanked,
    Retrieval,
    Rules,
    Scores,
    Side,
    draw_galleries,
    duplicates,
    expand_queries,
    k_reciprocal,
    multi_shot,
    own_images,
    pool_queries,
    single_shot,
    summarise,
    why_no_match,
)

MOST_GROUPS = 50
"""Values of a column by which queries are still grouped."""


@dataclass(frozen=True)
class ScoreOptions:
    """How to score.

    camera_rule: None turns it on where there are cameras. junk_pid: None keeps everybody. single_shot: number of draws,
    0 for multi-shot. multi_query: pool the queries of one person and camera. expand: number of neighbours that are
    added to each query.
    """

    distance: Distance = "cosine"
    camera_rule: bool | None = None
    junk_pid: int | None = -1
    single_shot: int = 0
    seed: int = 0
    multi_query: Literal["mean", "max"] | None = None
    expand: int = 0
    rerank: bool = False


@dataclass(frozen=True, eq=False)
class Scored:
    """retrieval: what was found. labels: (Q,) numbers each, by which queries may be grouped; names: what these numbers
    stand for, where they are text. notes: what a reader must know."""

    retrieval: Retrieval
    labels: dict[str, Tensor]
    names: dict[str, list[str]]
    notes: list[str]


def score(embeddings: EmbeddingSet, options: ScoreOptions, progress: Progress | None = None) -> Scored:
    """
    Raises:
        EmbeddingError: the rules ask for what is not there. NoMatchError: no query has a match; says why.
        ValueError: embeddings are not finite.
    """
    query, gallery = _side(embeddings.query, 0), _side(embeddings.gallery, len(embeddings.query))
    rules, notes = _rules(embeddings, options), list(embeddings.notes)
    distances: Any = embeddings.distances
    if options.distance == "euclidean" and (options.expand or options.multi_query):
        raise EmbeddingError(
            "--expand and --multi-query take means of normalised embeddings; leave --distance euclidean out"
        )
    if distances is not None:
        _needs_embeddings(options)
    else:
        notes += notes_on_images(query, gallery)
    columns, left_out = _labels(embeddings.query)
    notes += left_out
    if options.multi_query:
        query, columns = _pooled(query, columns, options.multi_query)
    own = own_images(query.labels, gallery.labels, rules)
    if options.junk_pid is not None and len(own.kept) < len(gallery.pid):
        notes.append(f"{len(gallery.pid) - len(own.kept):,} gallery images with pid {options.junk_pid} are left out.")
    if options.expand:
        query = replace(query, embedding=_expanded(query, gallery, rules, options.expand))
    if options.rerank:
        distances = _reranked(query, gallery, own, options.distance, progress)
    shots: Literal["multi", "single"] = "single" if options.single_shot else "multi"
    of = (rules.camera_rule, rules.junk_pid, options.distance, shots, distances)
    found = _found(query, gallery, own, of, options, progress)
    if not bool(found.results.valid.any()):
        raise NoMatchError(why_no_match(query.labels, gallery.labels, rules))
    lost = int((~found.results.valid).sum())
    if lost:
        notes.append(f"{lost:,} queries have no match in the gallery. They are left out of every score.")
    names: dict[str, list[str]] = {}
    labels: dict[str, Tensor] = {}
    figures = {*summarise(found.results), "queries", "intervals"}
    for name, column in columns.items():
        if name in figures:
            notes.append(f"Queries are not grouped by {name}, which is the name of a figure.")
            continue
        values, number = np.unique(column, return_inverse=True)
        text = column.dtype.kind not in "biuf"
        names |= {name: values.astype(str).tolist()} if text else {}
        labels[name] = torch.from_numpy(number if text else column)
    return Scored(found, labels, names, notes)


def _found(
    query: Side, gallery: Side, own: OwnImages, of: tuple[Any, ...], options: ScoreOptions, progress: Progress | None
) -> Retrieval:
    """Ranked, by the rules `of` a `Retrieval`."""
    distances = of[-1]
    scores = (
        Scores(query.embedding, gallery.embedding, options.distance, own.kept)
        if distances is None
        else GivenScores(distances, own)
    )
    if options.single_shot:
        chosen = draw_galleries(gallery.pid[own.kept], options.single_shot, options.seed)
        results = single_shot(scores, own, chosen, progress=progress)
    else:
        results = multi_shot(scores, own, progress=progress)
    return Retrieval(query, gallery, results, *of)


def _side(side: EmbeddingSide, first: int) -> Side:
    number = torch.arange(first, first + len(side))
    rate = torch.ones(len(side)).double() if side.rate is None else torch.from_numpy(np.array(side.rate))
    camid = None if side.camid is None else torch.from_numpy(np.array(side.camid))
    return Side(side.embedding, torch.from_numpy(np.array(side.pid)), camid, rate, number)


def embeddings_of(
    retrieval: Retrieval, names: Sequence[str], source: str, made_by: MadeBy | None = None
) -> EmbeddingSet:
    """What was evaluated here, for other tools. names: of all images, by `Side.index`."""
    sides = []
    for side in (retrieval.query, retrieval.gallery):
        path = np.array([names[i] for i in side.index.tolist()])
        camid = side.camid.cpu().numpy() if retrieval.camera_rule and side.camid is not None else None
        columns = (side.embedding, side.pid, side.rate.double())
        embedding, pid, rate = (column.cpu().numpy() for column in columns)
        sides.append(EmbeddingSide(embedding, pid, camid, rate, path=path))
    return EmbeddingSet(sides[0], sides[1], source=source, made_by=made_by)


def _rules(embeddings: EmbeddingSet, options: ScoreOptions) -> Rules:
    there = embeddings.query.camid is not None
    if options.camera_rule and not there:
        raise EmbeddingError("the same-camera rule needs 'query_camid' and 'gallery_camid'; give them, or turn it off")
    return Rules(there if options.camera_rule is None else options.camera_rule, options.junk_pid)


def _needs_embeddings(options: ScoreOptions) -> None:
    asked = {
        "--multi-query": options.multi_query, "--expand": options.expand, "--rerank": options.rerank,
        "--distance euclidean": options.distance != "cosine",
    }  # fmt: skip
    for name, value in asked.items():
        if value:
            raise EmbeddingError(f"{name} needs embeddings, and these are ready distances; leave it out")


def notes_on_images(query: Side, gallery: Side) -> list[str]:
    """That an image stands on both sides, if one does."""
    found = duplicates(query.embedding, gallery.embedding)
    if not len(found.query):
        return []
    one, other = int(found.query[0]), int(found.gallery[0])
    return [
        f"{len(found.query):,} queries are in the gallery too, with equal embeddings, the first of them query {one} "
        f"and gallery image {other}: the same picture twice?"
    ]


def _labels(side: EmbeddingSide) -> tuple[dict[str, np.ndarray], list[str]]:
    """Columns by which queries can be grouped: rate, camera, and any other of 2 to `MOST_GROUPS` values; and notes on
    those that have more, or gaps."""
    columns: dict[str, np.ndarray] = {}
    notes = []
    for name, values in [("rate", side.rate), ("camera", side.camid), *side.labels.items()]:
        if name == "sha256":  # of psnet embed, another for each image
            continue
        number = 0 if values is None else len(np.unique(values))
        gaps = values is not None and values.dtype.kind == "f" and bool(np.isnan(values).any())
        if gaps or number > MOST_GROUPS:
            why = "has gaps" if gaps else f"has {number:,} values"
            notes.append(f"Queries are not grouped by {name}, which {why}.")
        elif name in columns:
            notes.append(f"Queries are not grouped by the label {name}: the camids go by that name; call it otherwise.")
        elif values is not None and number > 1:
            columns[name] = np.array(values)
    return columns, notes


def _pooled(
    query: Side, columns: dict[str, np.ndarray], pool: Literal["mean", "max"]
) -> tuple[Side, dict[str, np.ndarray]]:
    """Queries of one person and camera as one, which has the labels of its first image."""
    embedding = torch.from_numpy(np.array(query.embedding))
    pooled, labels, member = pool_queries(embedding, query.labels, pool)
    first = torch.full((len(pooled),), len(member)).scatter_reduce(0, member, torch.arange(len(member)), "amin")
    side = Side(pooled, labels.pid, labels.camid, query.rate[first], query.index[first])
    return side, {name: values[first.numpy()] for name, values in columns.items()}


def _reranked(query: Side, gallery: Side, own: OwnImages, distance: Distance, progress: Progress | None) -> ReRanked:
    """Among the images that take part; others would be neighbours of somebody."""
    whole = len(own.kept) == len(gallery.pid)
    there = gallery.embedding if whole else gallery.embedding[own.kept.numpy()]
    return k_reciprocal(query.embedding, there, distance=distance, progress=progress)


def _expanded(query: Side, gallery: Side, rules: Rules, k: int) -> Tensor:
    embedding = query.embedding if isinstance(query.embedding, Tensor) else torch.from_numpy(np.array(query.embedding))
    labels: tuple[Labels, Labels] = (query.labels, gallery.labels)
    return expand_queries(
        embedding, gallery.embedding, *labels, k=k, camera_rule=rules.camera_rule, junk_pid=rules.junk_pid
    )
