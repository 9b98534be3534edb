"""Every query of an evaluation with the first of its ranking, for the report's "query by query"."""

from __future__ import annotations

from collections.abc import Sequence

from psnet.metrics import Retrieval, Side, multi_shot, nearest
from psnet.report import BrowsedEntry, BrowsedImage, BrowsedQuery, Browser


def browser_of(
    retrieval: Retrieval, names: Sequence[str], rates: Sequence[float | None] | None = None, length: int = 10
) -> Browser:
    """All queries, without pictures.

    Rankings, first hits and numbers of matches are of the whole gallery; single-shot, AP is the mean over the draws.

    Args:
        names: file names of the whole evaluation set, by the numbers in `Side.index`.
        rates: of the queries, None of one that is low by nature; left out, those of the retrieval. length: of a list.
    """
    query, gallery = retrieval.query, retrieval.gallery
    own = retrieval.own_images()
    scores = retrieval.scores(own)
    found = nearest(scores, own, length)
    whole = multi_shot(scores, own) if retrieval.shots == "single" else retrieval.results
    shown = sorted(set(found.index.flatten().tolist()) - {-1})
    place = {item: len(query.pid) + number for number, item in enumerate(shown)}
    right = gallery.pid[found.index.clamp(min=0)] == query.pid[:, None]
    rates = query.rate.tolist() if rates is None else rates
    valid, ap = retrieval.results.valid.tolist(), retrieval.results.ap.tolist()
    hit, matches = whole.first_match.nan_to_num().long().tolist(), whole.num_matches.tolist()
    lists = zip(found.index.tolist(), found.score.tolist(), right.tolist(), strict=True)
    queries = []
    for number, ranking in enumerate(lists):
        there = [entry for entry in zip(*ranking, strict=True) if entry[0] >= 0]
        entries = tuple(BrowsedEntry(place[item], value, match) for item, value, match in there)
        own_ap = ap[number] if valid[number] else None
        queries.append(BrowsedQuery(number, rates[number], own_ap, hit[number] or None, matches[number], entries))
    images = _images(query, names, range(len(query.pid))) + _images(gallery, names, shown)
    return Browser(tuple(queries), tuple(images))


def _images(side: Side, names: Sequence[str], items: Sequence[int]) -> list[BrowsedImage]:
    number, pid = side.index.tolist(), side.pid.tolist()
    camid = [-1] * len(pid) if side.camid is None else side.camid.tolist()
    return [BrowsedImage(number[i], names[number[i]], pid[i], camid[i] if camid[i] >= 0 else None) for i in items]
