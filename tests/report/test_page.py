"""The page as a reader of HTML sees it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from psnet.report import Crop, RankedList, Report, RestorationRow, Row, render
from psnet.report.page import mean_restoration
from tests.report.examples import HOSTILE, decode, example, full_report, ranked_list, read_page


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
    assert sections(render(full)) == ["result", "cmc", "rates", "ranked", "restoration", "facts"]


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
    assert ["Rank-1", "42.1", "3.2", "0.3"] in rows
    assert ["mINP", "50.6", "–", "–"] in rows  # noqa: RUF001
    assert [row[0] for row in rows] == [
        "Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mAP, trapezoid", "mINP",
        "queries", "queries without a match",
    ]  # fmt: skip


def test_rates_have_a_row_each(full: Report) -> None:
    assert cells(render(full), "rates") == [
        ["rate", "queries", "Rank-1", "mAP"], ["2", "110", "48.3", "57.4"], ["native", "3", "33.3", "–"],  # noqa: RUF001
    ]  # fmt: skip


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
    report = replace(full, ranked={"chosen by hand": [ranked_list("hand")], **full.ranked, "empty": []})
    text = render(report)
    heads = [part.split("</h3>")[0].strip() for part in text.split("<h3>")[1:]]
    assert heads == ["best", "worst", "random", "chosen by hand"]
    assert [a["alt"] for a in read_page(text).attributes("img") if "query" in (a["alt"] or "")] == [
        "query: query of best", "query: query of worst", "query: query of random", "query: query of hand",
    ]  # fmt: skip


def test_right_and_wrong_are_marked_by_shape_and_word(full: Report) -> None:
    page = read_page(render(replace(full, ranked={"best": [ranked_list("best", hit=3)]})))
    verdicts = [a["class"] for a in page.attributes("li") if a.get("class")]
    assert verdicts == ["wrong", "wrong", "right"] + ["wrong"] * 7
    marks = [a["href"] for a in page.attributes("use")][2:]  # the first two are the key
    assert marks == [f"#{verdict}" for verdict in verdicts]
    alts = [a["alt"] or "" for a in page.attributes("img") if "entry" in (a["alt"] or "")]
    assert [alt.split(":")[0] for alt in alts] == verdicts


def test_images_come_back(full: Report) -> None:
    found = read_page(render(full)).attributes("img")
    assert len(found) == 3 * 11 + 4
    for attributes in found:
        assert decode(attributes["src"]).shape[:2] == (
            int(attributes["height"] or 0),
            int(attributes["width"] or 0),
        )
    by_alt = {a["alt"]: decode(a["src"]) for a in found}
    for form in ("low", "bicubic", "restored", "high"):
        assert np.array_equal(by_alt[f"{form}: pid 7"], getattr(full.restoration[0], form))


def test_nothing_is_fetched_and_nothing_runs(full: Report) -> None:
    page = read_page(render(full))
    links = [a[key] or "" for _, a in page.tags for key in ("src", "href", "srcset", "data", "action") if key in a]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert page.attributes("script") == []
    style = render(full).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]


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


@pytest.mark.parametrize("name", [f.name for f in fields(Report) if f.name not in ("title", "score_name")])
def test_without_any_one_section(full: Report, name: str) -> None:
    empty: Any = {"subtitle": "", "facts": {}, "cmc": {}, "ranked": {}}.get(name, ())
    page = read_page(render(replace(full, **{name: empty})))
    assert page.faults == []
    assert "None" not in page.text


@pytest.mark.parametrize("name", [f.name for f in fields(Report) if f.name not in ("title", "score_name")])
def test_with_one_section_alone(full: Report, name: str) -> None:
    text = render(Report("title", **{name: getattr(full, name)}))
    assert read_page(text).faults == []
    expected = {
        "subtitle": [], "summary": ["result"], "notes": ["result"], "per_rate": ["rates"],
        "restoration_table": ["restoration"],
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
