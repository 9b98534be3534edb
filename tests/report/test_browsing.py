"""The page in a real browser, opened from disk: what people click, type and press, and what they then see."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from psnet.report import Browser, Report, write_report
from tests.report.examples import HOSTILE, browser, colour_of, full_report, with_pictures

selenium = pytest.importorskip("selenium", reason="selenium is not installed; pip install -e '.[test]'")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402


class Reader:
    """Somebody in front of the page."""

    def __init__(self, driver: Any, page: Path, address: str = "") -> None:
        self.driver = driver
        driver.get("about:blank")  # the same page with another address is not loaded anew
        driver.get(page.as_uri() + address)

    def find(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def words(self, css: str) -> list[str]:
        return [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def query(self) -> str:
        return self.find("#browse-number").text

    def listed(self) -> list[str]:
        return self.words("#browse-list .n")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def choose(self, name: str, text: str) -> None:
        Select(self.find(f"#browse-controls [name={name}]")).select_by_visible_text(text)

    def type(self, text: str) -> None:
        self.find("#browse-controls [name=text]").send_keys(text)

    def address_becomes(self, end: str) -> None:
        WebDriverWait(self.driver, 10).until(lambda driver: driver.current_url.endswith(end))

    def shows(self, number: int) -> None:
        WebDriverWait(self.driver, 10).until(lambda _: self.query() == f"Query {number}")

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Six queries of AP 1, 1/2, ..., 1/6; of persons 0, 1, 2, 0, 1, 2 and rates 2, 3, native, 2, 3, native."""
    return write_report(replace(full_report(), browser=with_pictures(browser())), tmp_path / "a b" / "report.html")


@pytest.fixture
def reader(chromium: Any, page: Path) -> Iterator[Reader]:
    own = Reader(chromium, page)
    WebDriverWait(chromium, 20).until(lambda _: own.listed())  # a browser that has just started may take a moment
    yield own
    assert own.complaints() == []


def test_worst_first_and_on_by_button(reader: Reader) -> None:
    assert reader.listed() == ["6", "5", "4", "3", "2", "1"]
    assert reader.query() == "Query 6"
    assert reader.find("#browse-position").text == "1 of 6"
    assert not reader.find("#browse-previous").is_enabled()
    facts = " ".join(reader.words("#browse-facts .fact"))
    assert facts == "AP 16.7 % first match at rank 6 matches 1 rate native camera 1 pid 2 file query/0005_c1.jpg"
    reader.find("#browse-next").click()
    assert (reader.query(), reader.find("#browse-position").text) == ("Query 5", "2 of 6")
    reader.address_becomes("#q=5")
    reader.find("#browse-previous").click()
    assert reader.query() == "Query 6"


def test_a_ranking_with_its_words(reader: Reader) -> None:
    reader.choose("order", "as in the files")
    reader.find("#browse-next").click()
    assert reader.query() == "Query 2"
    items = reader.driver.find_elements(By.CSS_SELECTOR, "#browse-entries > li")
    assert [item.get_attribute("class") for item in items] == ["wrong", "right"] + ["wrong"] * 8
    assert reader.words("#browse-entries figcaption > b") == [str(rank) for rank in range(1, 11)]
    assert reader.words("#browse-entries figcaption > i")[:3] == ["0.900", "0.850", "0.800"]
    assert [item.text.split("\n")[-1] for item in items][:2] == ["0001_c2.jpg", "0002_c2.jpg"]
    title = items[0].find_element(By.CSS_SELECTOR, ".name").get_attribute("title")
    assert title == "gallery/0001_c2.jpg"


def test_order_and_filters(reader: Reader) -> None:
    reader.choose("order", "best AP first")
    assert (reader.listed(), reader.query()) == (["1", "2", "3", "4", "5", "6"], "Query 1")
    reader.choose("rate", "rate 3")
    assert reader.listed() == ["2", "5"]
    assert reader.find("#browse-found").text == "2 of 6 queries"
    reader.choose("rate", "all rates")
    reader.find("#browse-controls [name=wrong]").click()
    assert reader.listed() == ["2", "3", "4", "5", "6"]
    reader.type("2")  # person 2, and the name 0002
    assert reader.listed() == ["3", "6"]
    reader.type("x")
    assert reader.listed() == []
    assert reader.find("#browse-position").text == "no query passes these filters"
    assert not reader.find("#browse-entries").is_displayed()
    assert not reader.find("#browse-next").is_enabled()
    reader.press(Keys.BACKSPACE, Keys.BACKSPACE)
    assert reader.query() == "Query 2"
    assert reader.find("#browse-entries").is_displayed()
    assert not reader.find("[name=camera]").is_displayed()  # there is one camera only


def test_arrow_keys_go_through_but_stay_in_a_text(reader: Reader) -> None:
    reader.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert reader.query() == "Query 4"
    reader.press(Keys.ARROW_LEFT)
    assert reader.query() == "Query 5"
    reader.type("query")
    assert reader.query() == "Query 6"  # the first of the new list
    reader.press(Keys.ARROW_LEFT, Keys.ARROW_RIGHT)
    assert reader.query() == "Query 6"


def test_the_list_by_keyboard(reader: Reader) -> None:
    reader.find("#browse-list a[tabindex='0']").send_keys(Keys.ARROW_DOWN)
    reader.press(Keys.ARROW_DOWN)
    assert reader.query() == "Query 4"
    assert reader.driver.switch_to.active_element.get_attribute("href").endswith("#q=4")
    assert len(reader.driver.find_elements(By.CSS_SELECTOR, "#browse-list a[tabindex='0']")) == 1
    reader.press(Keys.ARROW_UP)
    assert reader.query() == "Query 5"
    reader.press(Keys.HOME)  # the page's own
    assert reader.query() == "Query 5"


def test_links(reader: Reader, page: Path) -> None:
    reader.find("#browse-list a[href='#q=3']").click()
    reader.shows(3)
    assert reader.find("#browse-link").get_attribute("href").endswith("#q=3")
    reader.driver.back()
    reader.driver.forward()
    reader.shows(3)
    linked = Reader(reader.driver, page, "#q=2")
    assert linked.query() == "Query 2"
    assert abs(linked.driver.execute_script("return document.querySelector('#browse').getBoundingClientRect().top")) < 5
    linked.choose("rate", "rate native")
    assert linked.listed() == ["6", "3"]
    linked.driver.execute_script("location.hash = '#q=4'")  # a link that the filter hides
    linked.shows(4)
    assert len(linked.listed()) == 6
    for nonsense in ("#q=0", "#q=7", "#q=x", "#facts"):
        assert Reader(reader.driver, page, nonsense).query() == "Query 6"


def test_each_thumbnail_is_of_its_image(chromium: Any, tmp_path: Path) -> None:
    many = with_pictures(browser(queries=8, gallery=300))  # more than a sheet
    reader = Reader(chromium, write_report(Report("t", browser=many), tmp_path / "r.html"), "#q=8")
    assert many.thumbnails is not None
    assert len(many.thumbnails.sheets) == 2
    query = many.queries[7]
    images = [query.image, *(entry.image for entry in query.entries)]
    shown = chromium.find_elements(By.CSS_SELECTOR, "#browse canvas")
    assert len(shown) == 11
    for image, canvas in zip(images, shown, strict=True):
        colour = WebDriverWait(chromium, 10).until(lambda driver, canvas=canvas: middle_of(driver, canvas))
        assert np.abs(np.array(colour) - colour_of(image)).max() < 12
    assert reader.complaints() == []


def middle_of(driver: Any, canvas: Any) -> list[int] | None:
    """RGB in the middle of a canvas, once something is drawn."""
    read = "const c = arguments[0]; return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]"
    *colour, opacity = driver.execute_script(read, canvas)
    return colour if opacity else None


def test_names_alone_and_hostile_ones(chromium: Any, tmp_path: Path) -> None:
    own = browser()
    images = [replace(image, name=f"{HOSTILE} <img src=x onerror=alert(1)> {k}") for k, image in enumerate(own.images)]
    lost = replace(own.queries[0], ap=None, first_hit=None, matches=0, entries=[])
    hostile = Browser([lost, *own.queries[1:]], images)
    reader = Reader(chromium, write_report(Report("t", browser=hostile), tmp_path / "r.html"))
    assert chromium.find_elements(By.CSS_SELECTOR, "#browse canvas, #browse img") == []
    assert HOSTILE in reader.find("#browse-entries li .name").text
    assert reader.words("#browse-entries [aria-label]") == [""] * 10  # a mark each
    assert reader.listed()[-1] == "1"  # without a match: last
    reader.find("#browse-list a[href='#q=1']").click()
    reader.shows(1)
    assert reader.find("#browse-facts").text.startswith("no match in the gallery, not scored")
    assert reader.complaints() == []


def test_no_other_script_runs(chromium: Any, page: Path) -> None:
    page.write_text(page.read_text().replace("</main>", "</main><script>document.title = 'run'</script>"))
    reader = Reader(chromium, page)
    assert chromium.title != "run"
    (complaint,) = reader.complaints()
    assert "Content Security Policy" in complaint
    assert reader.query() == "Query 6"


def test_all_else_works_without_scripts(chromium: Any, page: Path) -> None:
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        reader = Reader(chromium, page)
        assert "needs JavaScript" in reader.find("#browse").text
        assert not reader.find("#browse-app").is_displayed()
        assert reader.find("#roc svg").is_displayed()
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 700, 1280])
def test_nothing_is_wider_than_the_screen(chromium: Any, page: Path, width: int, scheme: str) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        Reader(chromium, page)
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
        image = Image.open(io.BytesIO(base64.b64decode(chromium.get_screenshot_as_base64()))).convert("L")
        assert (image.getpixel((2, 2)) > 128) == (scheme == "light")
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
