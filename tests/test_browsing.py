"""Every query with its list, as the evaluation ranks it."""

from __future__ import annotations

import pytest
import torch

from psnet.browsing import browser_of
from psnet.metrics import Labels, Retrieval, Side, evaluate_ranking, evaluate_single_shot, ranked_gallery, scores
from psnet.report import Browser


def random_retrieval(queries: int, gallery: int, camera_rule: bool, junk: int | None) -> Retrieval:
    """Many ties, which are exact as all products are multiples of 1/4; a query without a match."""
    draw = torch.Generator().manual_seed(0)

    def side(number: int, first: int) -> Side:
        pid, camid = (torch.randint(n, (number,), generator=draw) for n in (7, 3))
        embedding = torch.randint(2, (number, 4), generator=draw) - 0.5
        return Side(embedding, pid, camid, torch.full((number,), 2.0), torch.arange(first, first + number))

    query, found = side(queries, 0), side(gallery, queries)
    query.pid[0] = 99
    labels = Labels(query.pid, query.camid), Labels(found.pid, found.camid)
    rules = {"camera_rule": camera_rule, "junk_pid": junk}
    results = evaluate_ranking(query.embedding, found.embedding, *labels, **rules)
    return Retrieval(query, found, results, camera_rule, junk, "cosine")


def told(browser: Browser, number: int) -> list[tuple[str, float, bool]]:
    query = browser.queries[number]
    return [(browser.images[entry.image].name, entry.score, entry.match) for entry in query.entries]


@pytest.mark.parametrize(("gallery", "camera_rule", "junk"), [(60, True, 3), (60, False, None), (6, True, None)])
def test_all_queries_as_each_alone(
    gallery: int, camera_rule: bool, junk: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = random_retrieval(40, gallery, camera_rule, junk)
    names = [f"image {k}" for k in range(40 + gallery)]
    monkeypatch.setattr(scores, "QUERIES_AT_ONCE", 7)
    browser = browser_of(found, names)
    assert len(browser.queries) == 40
    for number, query in enumerate(browser.queries):
        alone = ranked_gallery(found, number, 10)
        order = [names[40 + int(item)] for item in alone.index]
        assert [name for name, _, _ in told(browser, number)] == order
        assert [score for _, score, _ in told(browser, number)] == pytest.approx(alone.score.tolist(), abs=1e-6)
        assert [match for _, _, match in told(browser, number)] == alone.match.tolist()
        assert query.first_hit == alone.first_match
        assert query.ap == (float(found.results.ap[number]) if found.results.valid[number] else None)
        assert query.matches == int(found.results.num_matches[number])
        assert browser.images[query.image].name == names[number]
    assert browser.queries[0].first_hit is None


def test_only_images_that_are_shown_and_each_once() -> None:
    found = random_retrieval(4, 60, True, None)
    browser = browser_of(found, [f"image {k}" for k in range(64)], length=2)
    numbers = [image.number for image in browser.images]
    assert len(numbers) == len(set(numbers)) <= 4 + 8
    for image in browser.images:
        side = found.query if image.number < 4 else found.gallery
        (place,) = (side.index == image.number).nonzero().flatten().tolist()
        assert (image.pid, image.camid) == (int(side.pid[place]), int(side.camid[place]))


def test_single_shot_shows_the_whole_gallery() -> None:
    found = random_retrieval(4, 60, True, None)
    labels = found.query.labels, found.gallery.labels
    drawn = evaluate_single_shot(found.query.embedding, found.gallery.embedding, *labels)
    single = Retrieval(found.query, found.gallery, drawn, True, None, "cosine", "single")
    whole, shown = (browser_of(x, [str(k) for k in range(64)]) for x in (found, single))
    for a, b in zip(whole.queries, shown.queries, strict=True):
        assert (a.first_hit, a.matches, a.entries) == (b.first_hit, b.matches, b.entries)
    assert [query.ap for query in shown.queries[1:]] == drawn.ap[1:].tolist()
