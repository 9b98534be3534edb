"""The page as a reader of HTML sees it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from psnet.report import (
    Crop,
    GroupRow,
    RankedList,
    Report,
    RestorationRow,
    Roc,
    Row,
    make_thumbnails,
    render,
    room_for_thumbnails,
)
from psnet.report import page as pages
from psnet.report.page import LEAST_BYTES, PAGE_BYTES, mean_restoration
from tests.report.examples import (
    HOSTILE,
    browser,
    decode,
    example,
    full_report,
    ranked_list,
    read_page,
    with_pictures,
)


@pytest.fixture
def full() -> Report:
    return full_report()


def sections(text: str) -> list[str | None]:
    return [attributes.get("id") for attributes in read_page(text).attributes("section")]


def test_it_is_well_formed(full: Report) -> None:
    page = read_page(render(full))
    assert page.faults == []
    assert page.open == []
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_content_comes_first(full: Report) -> None:
    assert sections(render(full)) == [
        "result", "cmc", "rates", "group-1", "ap", "roc", "ranked", "regions", "browse", "restoration", "facts",
    ]  # fmt: skip


@pytest.mark.parametrize("gone", ["", "summary", "cmc", "groups", "ranked", "regions", "browser", "facts"])
def test_contents_lead_to_the_sections_that_are_there(full: Report, gone: str) -> None:
    changes: dict[str, Any] = {gone: type(getattr(full, gone))() if gone != "browser" else None} if gone else {}
    if gone == "cmc":
        changes["cmc_band"] = {}
    text = render(replace(full, **changes))
    nav = text.split('<nav class="contents"')[1].split("</nav>")[0]
    assert re.findall(r'href="#([\w-]+)"', nav) == sections(text)
    assert re.findall(r'<a href="[^"]*">(.*?)</a>', nav) == re.findall(r"<h2>(.*?)</h2>", text)


def test_every_number_and_word_is_there(full: Report) -> None:
    words = read_page(render(full)).words()
    for metrics in [row.metrics for row in full.summary] + [row.metrics for row in full.per_rate]:
        for key, value in metrics.items():
            assert (f"{value:.0f}" if key.startswith("queries") else f"{100 * value:.1f}") in words, key
    for number in ("25.31", "27.02", "+1.71", "21.31", "20.02", "−1.29", "0.801", "0.843", "+0.042"):  # noqa: RUF001
        assert number in words
    for number in ("21.30 dB", "23.71 dB", "+2.41 dB", "0.612", "0.701", "45.7 %", "16 × 8", "64 × 32"):  # noqa: RUF001
        assert number in words
    for name, fact in full.facts.items():
        assert name in words
        assert fact in words
    assert full.notes[0] in words
    assert "0.830" in words  # score of the first entry


def cells(text: str, section: str) -> list[list[str]]:
    """The rows of a section's table."""
    inside = text.split(f'<section id="{section}">')[1].split("</section>")[0]
    rows = [row.split("</tr>")[0] for row in inside.split("<tr")[1:]]
    return [[read_page(cell).words() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def test_systems_stand_side_by_side(full: Report) -> None:
    head, *rows = cells(render(full), "result")
    assert head == ["in percent", "trained", "untrained network", "chance"]
    assert ["Rank-1", "42.1 39.1 – 45.2", "3.2", "0.3"] in rows  # noqa: RUF001
    assert ["mINP", "50.6", "–", "–"] in rows  # noqa: RUF001
    assert [row[0] for row in rows] == [
        "Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mAP, trapezoid", "mINP",
        "queries", "queries without a match",
    ]  # fmt: skip


def test_rates_have_a_row_each(full: Report) -> None:
    assert cells(render(full), "rates") == [
        ["rate", "queries", "Rank-1", "mAP"],
        ["2", "110", "48.3 38.8 – 57.7", "57.4"],  # noqa: RUF001
        ["native", "3", "33.3", "–"],  # noqa: RUF001
    ]  # fmt: skip
    assert cells(render(full), "group-1") == [["camera", "queries", "Rank-1"], ["camera 4", "57", "29.2"]]


def test_intervals_are_explained_where_there_are_some(full: Report) -> None:
    named = replace(full, interval_name="95 % bootstrap interval over people")
    assert "small figures 95 % bootstrap interval over people." in read_page(render(named)).words()
    assert "The band is the 95 % bootstrap interval over people." in read_page(render(named)).words()
    plain = replace(named, summary=full.summary[1:], per_rate=full.per_rate[1:], cmc_band={})
    assert "bootstrap" not in read_page(render(plain)).words()


def test_true_accept_rates_stand_below_their_false_accept_rate(full: Report) -> None:
    assert cells(render(full), "roc") == [
        ["TAR in percent at FAR", "10−4", "10−3", "10−2", "10−1"],  # noqa: RUF001
        ["trained", "–", "23.4", "67.9", "–"],  # noqa: RUF001
    ]


def test_opening_sentence_names_the_result_and_what_to_hold_it_against(full: Report) -> None:
    words = read_page(render(full)).words()
    assert "trained: Rank-1 42.1 %, mAP 51.7 %; untrained network: Rank-1 3.2 %, mAP 5.8 %;" in words
    assert "; chance: Rank-1 0.3 %." in words


def test_a_network_worse_than_bicubic_is_said_to_be(full: Report) -> None:
    words = read_page(render(full)).words()
    # (10 * 27.02 + 30 * 20.02) / 40 and (10 * 25.31 + 30 * 21.31) / 40
    assert "PSNR 21.77 dB against 22.31 dB for bicubic (−0.54 dB, mean of 40 images)" in words  # noqa: RUF001


def test_mean_restoration_weighs_by_images() -> None:
    rng = np.random.default_rng(0)
    images = [rng.normal(25, 3, (n, 4)) for n in (1, 7, 100)]
    rows = [RestorationRow(r, len(x), *x.mean(axis=0)) for r, x in zip((2, 3, 4), images, strict=True)]
    mean = mean_restoration(rows)
    assert mean is not None
    expected = np.concatenate(images).mean(axis=0)
    assert mean.count == 108
    found = [mean.psnr_bicubic, mean.psnr_restored, mean.ssim_bicubic, mean.ssim_restored]
    assert found == pytest.approx(expected)
    assert mean_restoration([]) is None
    assert mean_restoration([replace(rows[0], count=0)]) is None


def test_lists_are_labelled_and_in_order(full: Report) -> None:
    lists = {"chosen by hand": [ranked_list("hand")], **full.ranked, "empty": []}
    text = render(replace(full, ranked=lists, regions={}))
    heads = [part.split("</h3>")[0].strip() for part in text.split("<h3>")[1:]]
    assert heads == ["best", "worst", "random", "chosen by hand"]
    assert [a["alt"] for a in read_page(text).attributes("img") if "query" in (a["alt"] or "")] == [
        "query: query of best", "query: query of worst", "query: query of random", "query: query of hand",
    ]  # fmt: skip


def test_right_and_wrong_are_marked_by_shape_and_word(full: Report) -> None:
    page = read_page(render(replace(full, ranked={"best": [ranked_list("best", hit=3)]}, regions={}, browser=None)))
    verdicts = [a["class"] for a in page.attributes("li") if a.get("class")]
    assert verdicts == ["wrong", "wrong", "right"] + ["wrong"] * 7
    marks = [a["href"] for a in page.attributes("use")][2:]  # the first two are the key
    assert marks == [f"#{verdict}" for verdict in verdicts]
    alts = [a["alt"] or "" for a in page.attributes("img") if "entry" in (a["alt"] or "")]
    assert [alt.split(":")[0] for alt in alts] == verdicts


def test_regions_show_both_images_of_each_pair(full: Report) -> None:
    text = render(replace(full, ranked={}, restoration=[], browser=None))
    explained = full.regions["worst"][0]
    page = read_page(text)
    found = page.attributes("img")
    pictures = [explained.query.image]
    for pair in explained.pairs:
        pictures += [pair.image, pair.entry.crop.image]
    assert [a["alt"] for a in found] == [
        "query: query of regions", "query: query of regions", "wrong: regions 1",
        "query: query of regions", "right: regions 3",
    ]  # fmt: skip
    for attributes, picture in zip(found, pictures, strict=True):
        assert np.array_equal(decode(attributes["src"]), picture)
    assert [a["class"] for a in page.attributes("li") if a.get("class")] == ["wrong", "right"]
    for words in ("Grad-CAM of the cosine similarity", "same person", "another person", "Where it fails."):
        assert words in page.words()  # the section may stand alone


def test_images_come_back(full: Report) -> None:
    found = read_page(render(full)).attributes("img")
    assert len(found) == 3 * 11 + 5 + 4
    for attributes in found:
        assert decode(attributes["src"]).shape[:2] == (
            int(attributes["height"] or 0),
            int(attributes["width"] or 0),
        )
    by_alt = {a["alt"]: decode(a["src"]) for a in found}
    for form in ("low", "bicubic", "restored", "high"):
        assert np.array_equal(by_alt[f"{form}: pid 7"], getattr(full.restoration[0], form))


def test_nothing_is_fetched_and_only_its_own_script_runs(full: Report) -> None:
    text = render(replace(full, browser=with_pictures(browser())))
    page = read_page(text)
    links = [a[key] or "" for _, a in page.tags for key in ("src", "href", "srcset", "data", "action") if key in a]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]
    data, code = page.attributes("script")
    assert data == {"type": "application/json", "id": "browse-data"}
    assert code == {}
    source = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    assert policy(text)["script-src"] == [f"'sha256-{digest}'"]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", source)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import|eval|innerHTML|insertAdjacentHTML)\b", source)


def policy(text: str) -> dict[str, list[str]]:
    (meta,) = [a for a in read_page(text).attributes("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    parts = [part.split() for part in (meta["content"] or "").split(";")]
    return {name: sources for name, *sources in parts}


def test_without_a_browser_no_script_runs_at_all(full: Report) -> None:
    text = render(replace(full, browser=None))
    assert read_page(text).attributes("script") == []
    assert policy(text)["default-src"] == ["'none'"]
    assert "script-src" not in policy(text)


def test_room_for_thumbnails_is_what_the_page_leaves(full: Report) -> None:
    room = room_for_thumbnails(full)
    size = len(render(full).encode())
    assert PAGE_BYTES - 200_000 < room + size < PAGE_BYTES
    lists = {str(k): [ranked_list("x", size=(256, 128)) for _ in range(9)] for k in range(12)}
    assert room_for_thumbnails(Report("too large", ranked=lists, browser=browser())) == 0


def test_room_in_which_nothing_could_be_seen_is_none(full: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert full.browser is not None
    needed = PAGE_BYTES - room_for_thumbnails(full) + LEAST_BYTES * len(full.browser.images)
    monkeypatch.setattr(pages, "PAGE_BYTES", needed)
    room = room_for_thumbnails(full)
    assert room == LEAST_BYTES * len(full.browser.images)
    crops = [np.zeros((64, 32, 3), np.uint8)] * len(full.browser.images)
    assert make_thumbnails(crops, len(crops), room).sheets
    monkeypatch.setattr(pages, "PAGE_BYTES", needed - 1)
    assert room_for_thumbnails(full) == 0


def test_hostile_names_stay_words() -> None:
    ranked = ranked_list(HOSTILE)
    report = Report(
        title=HOSTILE, subtitle=HOSTILE, facts={HOSTILE: HOSTILE}, summary=[Row(HOSTILE, {"rank1": 0.5})],
        cmc={HOSTILE: [0.5]}, ranked={HOSTILE: [ranked]}, score_name=HOSTILE, restoration=[example(HOSTILE)],
        notes=[HOSTILE],
    )  # fmt: skip
    text = render(report)
    page = read_page(text)
    assert page.faults == []
    assert page.attributes("script") == []
    assert "<script" not in text
    assert page.text.count(HOSTILE) >= 12
    assert f"high: {HOSTILE}" in [a["alt"] for a in page.attributes("img")]


def test_hostile_names_stay_data() -> None:
    names = [HOSTILE, "</script><script>alert(1)</script>", "<!--<script>", "\u2028 ]]>", os.fsdecode(b"caf\xe9.jpg")]
    own = browser(queries=len(names))
    images = [replace(image, name=name) for image, name in zip(own.images, names, strict=False)]
    text = render(Report("t", browser=replace(own, images=images + list(own.images[len(names) :]))))
    assert len(read_page(text).attributes("script")) == 2
    assert text.count("</script>") == text.count("<script") == 2
    assert browse_data(text)["images"]["name"][: len(names)] == [*names[:-1], r"caf\udce9.jpg"]


def test_hostile_labels_stay_words() -> None:
    rows = [GroupRow(HOSTILE, 1, {"rank1": 0.5})]
    roc = {HOSTILE: Roc([0.1, 1.0], [0.5, 1.0], {0.1: 0.5})}
    text = render(Report("t", groups={HOSTILE: rows}, roc=roc, interval_name=HOSTILE, score_name=HOSTILE))
    assert "<script" not in text
    assert read_page(text).faults == []
    assert read_page(text).text.count(HOSTILE) >= 5


def browse_data(text: str) -> Any:
    return json.loads(text.split('id="browse-data">')[1].split("</script>")[0])


def test_every_query_is_in_the_data(full: Report) -> None:
    assert full.browser is not None
    data = browse_data(render(full))
    images, queries = data["images"], data["queries"]
    assert [images["name"][image] for image in queries["image"]] == [f"query/{k:04d}_c1.jpg" for k in range(6)]
    assert queries["rate"] == ["2", "3", "native"] * 2
    assert queries["ap"] == [1, 0.5, 0.3333, 0.25, 0.2, 0.1667]
    assert queries["first"] == [1, 2, 3, 4, 5, 6]
    assert queries["matches"] == [1] * 6
    assert queries["right"][2] == "0010000000"
    assert images["camera"] == [1] * 6 + [2] * 12
    for k, query in enumerate(full.browser.queries):
        assert queries["entries"][k] == [entry.image for entry in query.entries]
        assert queries["scores"][k] == pytest.approx([entry.score for entry in query.entries], abs=1e-4)
    assert data["sheets"] == []


def test_a_query_without_a_match_has_no_figures() -> None:
    own = browser()
    lost = replace(own.queries[0], ap=None, first_hit=None, matches=0, entries=[])
    queries = browse_data(render(Report("t", browser=replace(own, queries=[lost]))))["queries"]
    assert (queries["ap"], queries["first"], queries["entries"]) == ([None], [None], [[]])


def test_the_page_says_how_large_thumbnails_were_made() -> None:
    words = read_page(render(Report("t", browser=with_pictures(browser())))).words()
    assert "Thumbnails are made 96 × 192 pixels large" in words  # noqa: RUF001
    assert "Thumbnails" not in read_page(render(Report("t", browser=browser()))).words()


@pytest.mark.parametrize("name", [f.name for f in fields(Report) if f.name not in ("title", "score_name")])
def test_without_any_one_section(full: Report, name: str) -> None:
    empty: Any = {"subtitle": "", "interval_name": "", "browser": None}.get(name, ())
    empty = {} if isinstance(getattr(full, name), dict) else empty
    without = {name: empty, **({"cmc_band": {}} if name == "cmc" else {})}
    page = read_page(render(replace(full, **without)))
    assert page.faults == []
    assert "None" not in page.text


@pytest.mark.parametrize("name", [f.name for f in fields(Report) if f.name not in ("title", "score_name")])
def test_with_one_section_alone(full: Report, name: str) -> None:
    needed = {"cmc": full.cmc} if name == "cmc_band" else {}
    text = render(Report("title", **{name: getattr(full, name), **needed}))
    assert read_page(text).faults == []
    expected = {
        "subtitle": [], "summary": ["result"], "notes": ["result"], "per_rate": ["rates"],
        "groups": ["group-1"], "interval_name": [],
        "restoration_table": ["restoration"], "cmc_band": ["cmc"], "browser": ["browse"],
    }.get(name, [name])  # fmt: skip
    assert sections(text) == expected


def test_title_alone() -> None:
    page = read_page(render(Report("only a title")))
    assert page.words() == "only a title only a title"  # in the head and on the page


def test_no_high_twin(full: Report) -> None:
    blind = replace(
        full.restoration[0], high=None, rate=None,
        psnr_bicubic=None, psnr_restored=None, ssim_bicubic=None, ssim_restored=None,
    )  # fmt: skip
    page = read_page(render(Report("CAVIAR", restoration=[blind])))
    assert [a["alt"] for a in page.attributes("img")] == ["low: pid 7", "bicubic: pid 7", "restored: pid 7"]
    assert " dB" not in page.words().split("pid 7")[1]


def test_a_full_report_stays_small() -> None:
    lists = {label: [ranked_list(label, size=(256, 128)) for _ in range(8)] for label in ("best", "worst", "random")}
    assert len(render(Report("noise, the worst case for JPEG", ranked=lists))) < 8e6
    rows, columns = np.mgrid[0:256, 0:128]
    waves = 127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 5)
    crop = Crop(np.stack([waves, waves[::-1], waves], axis=-1).astype(np.uint8), "x")
    smooth = [RankedList(crop, [replace(ranked_list("x").entries[0], crop=crop)] * 10, first_hit=None)] * 24
    assert len(render(Report("like photographs", ranked={"best": smooth}))) < 4e6
