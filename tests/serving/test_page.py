"""The page in a real browser: what people choose, type and press, and what they then see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving.conftest import TOKEN
from tests.serving.world import Server, images

selenium = pytest.importorskip("selenium", reason="selenium is not installed; pip install -e '.[test]'")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402


class Visitor:
    """Somebody in front of the page."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        driver.get(address)

    def find(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def words(self, css: str) -> list[str]:
        """All of one moment."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        return self.driver.execute_script(script, css)

    def until(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, 20).until(lambda _: condition())

    def give(self, *files: Path) -> None:
        self.until(lambda: self.find("#ask").is_displayed())
        self.find("#files").send_keys("\n".join(map(str, files)))

    def results(self, begin: str = "Results for") -> list[str]:
        self.until(lambda: self.find("#status").text.startswith(begin))
        return self.words(".hits .name")

    def problem(self) -> str:
        return self.until(lambda: self.find("#problem").is_displayed() and self.find("#problem").text)

    def press(self, *keys: str) -> None:
        """To whatever has the focus; a file input takes all that it is sent for files."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def drawn(self, css: str) -> list[tuple[int, int]]:
        """Sizes of images, when all of them are there."""
        sizes = "return [...document.querySelectorAll(arguments[0])].map(i => [i.naturalWidth, i.naturalHeight])"
        for image in self.all(css):
            self.driver.execute_script("arguments[0].scrollIntoView()", image)
        self.until(lambda: all(width for width, _ in self.driver.execute_script(sizes, css)))
        return [tuple(size) for size in self.driver.execute_script(sizes, css)]

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def visitor(chromium: Any, server: Server) -> Iterator[Visitor]:
    visitor = Visitor(chromium, server.address)
    visitor.errors()
    yield visitor
    assert server.lives


def crop(place: Path, number: int) -> Path:
    (file,) = (place / "crops").rglob(f"{number:04d}_*")
    return file


def test_an_image_is_searched_for(visitor: Visitor, server: Server, place: Path):
    visitor.give(crop(place, 3))
    names = visitor.results()
    told = httpx.post(f"{server.address}/search", files=images(crop(place, 3).read_bytes())).json()
    hits = told["images"][0]["hits"]
    assert names == [hit["path"].rpartition("/")[2] for hit in hits]
    assert visitor.words(".hits .line") == [f"{hit['rank']}. {hit['score']:.4f}" for hit in hits]
    assert visitor.words(".hits .answer") == [("✓ the same" if hit["same"] else "not the same") for hit in hits]
    assert "camera 1, pid 3" in visitor.find(".hits li").text
    assert f"A score of {told['threshold']['value']:.4f} or more is taken for the same" in visitor.find("#rates").text
    assert "pairs of different people were wrongly accepted" in visitor.find("#rates").text
    assert visitor.words(".query figcaption") == ["Given, 32 x 64", "Restored"]
    assert visitor.drawn(".query img") == [(32, 64), (32, 64)]
    assert visitor.drawn(".hits li:nth-child(-n+3) img") == [(32, 64)] * 3
    assert [link.get_attribute("href") for link in visitor.all(".hits a")] == [
        f"{server.address}/{hit['picture']}" for hit in hits
    ]


def test_pictures_that_may_not_be_shown_say_why(visitor: Visitor, place: Path):
    visitor.give(crop(place, 3))
    names = visitor.results()
    frame = visitor.all(".hits .frame")[names.index("0008_c1.png")]
    visitor.driver.execute_script("arguments[0].scrollIntoView()", frame)
    visitor.until(lambda: "lies outside" in frame.text)


def test_filters(visitor: Visitor, place: Path):
    visitor.give(crop(place, 3))
    everybody = visitor.results()
    assert visitor.words("#camera option") == ["all", "only 0", "only 1", "all but 0", "all but 1"]
    Select(visitor.find("#camera")).select_by_visible_text("only 0")
    only = visitor.until(lambda: (now := visitor.words(".hits .name")) != everybody and now)
    assert only == [name for name in everybody if int(name[:4]) % 2 == 0]
    visitor.find("#where").send_keys("pid>=2; pid<6" + Keys.ENTER)
    few = visitor.until(lambda: (now := visitor.words(".hits .name")) != only and now)
    assert sorted(few) == ["0002_c1.png", "0004_c1.png"]
    visitor.find("#where").clear()
    visitor.find("#where").send_keys("pid>100" + Keys.ENTER)
    visitor.until(lambda: "Nothing in the gallery meets" in visitor.find("#results").text)
    visitor.find("#where").clear()
    visitor.find("#where").send_keys("shoes=red" + Keys.ENTER)
    assert "there is no column 'shoes'" in visitor.problem()
    assert visitor.words(".hits .name") == []


def test_what_cannot_be_read(visitor: Visitor, place: Path, tmp_path: Path):
    hostile = tmp_path / "<img src=x onerror=document.title='run'>.png"
    hostile.write_bytes(b"no image")
    visitor.give(hostile)
    assert visitor.problem() == f"{hostile.name}: not an image"
    visitor.give(hostile, crop(place, 2))
    names = visitor.results("Results for 1 of 2 images; 1 could not be read")
    assert names[0] == "0002_c1.png"
    assert not visitor.find("#problem").is_displayed()
    assert visitor.words(".result .problem") == [f"{hostile.name}: not an image"]
    assert visitor.driver.title == "Find a person - psnet"
    assert visitor.all("img[src=x]") == []


def test_too_many_are_not_even_sent(visitor: Visitor, place: Path, tmp_path: Path):
    visitor.give(*[crop(place, number) for number in range(9)])
    assert visitor.problem() == "9 images are too many at once; choose 8 or fewer."
    (tmp_path / "large.bin").write_bytes(bytes(1_100_000))
    visitor.give(tmp_path / "large.bin")
    visitor.until(lambda: "1.0 MB together" in visitor.problem())


def test_a_service_that_is_gone(visitor: Visitor, place: Path):
    offline = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    visitor.until(lambda: visitor.find("#ask").is_displayed())
    visitor.driver.execute_cdp_cmd("Network.enable", {})
    visitor.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **offline})
    try:
        visitor.give(crop(place, 3))
        assert visitor.problem() == "The service cannot be reached. Is it running?"
    finally:
        online = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        visitor.driver.execute_cdp_cmd("Network.emulateNetworkConditions", online)
    visitor.find("#again").click()
    assert visitor.results()[0] == "0003_c2.png"


def test_dropping(visitor: Visitor, place: Path):
    visitor.until(lambda: visitor.find("#ask").is_displayed())
    content = crop(place, 5).read_bytes()
    visitor.driver.execute_script(
        """const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(arguments[0])], "dropped.png"));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));""",
        list(content),
    )
    assert visitor.results()[0] == "0005_c2.png"
    assert visitor.find(".query h2").text == "dropped.png"


def test_by_keyboard(visitor: Visitor, place: Path):
    """From one control to the next, each of which shows that it has the focus; the last is a match's."""
    visitor.give(crop(place, 3))
    visitor.results()
    visitor.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    order = []
    visitor.press(Keys.TAB)
    for _ in range(7):
        active = visitor.driver.switch_to.active_element
        order.append(active.get_attribute("id") or active.tag_name)
        shown = visitor.find("#drop") if order[-1] == "files" else active
        assert shown.value_of_css_property("outline-style") == "solid", order
        visitor.press(Keys.TAB)
    assert order == ["files", "camera", "k", "where", "again", "a", "button"]
    visitor.driver.execute_script("document.getElementById('camera').focus()")
    visitor.press(Keys.ARROW_DOWN)
    visitor.until(lambda: all(int(name[:4]) % 2 == 0 for name in visitor.words(".hits .name")))


def test_why(visitor: Visitor, place: Path):
    pytest.importorskip("captum", reason="Captum is not installed; pip install -e '.[test]'")
    visitor.give(crop(place, 3))
    visitor.results()
    button = visitor.find(".hits button")
    assert button.accessible_name == "Why match 1?"
    button.send_keys(Keys.ENTER)
    visitor.until(lambda: visitor.find("#dialog").is_displayed())
    ((width, height),) = visitor.drawn("#dialog-picture")
    assert (width, height) == (4 * 256 + 5 * 12, 512 + 2 * 12)
    visitor.press(Keys.ESCAPE)
    visitor.until(lambda: not visitor.find("#dialog").is_displayed())
    visitor.all(".hits button")[visitor.words(".hits .name").index("0009_c2.png")].click()
    assert "has changed since" in visitor.problem()


def test_on_a_phone(visitor: Visitor, place: Path):
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    visitor.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        visitor.give(crop(place, 3), crop(place, 4))
        visitor.results()
        assert visitor.driver.execute_script("return document.documentElement.scrollWidth") == 360
        tops = visitor.driver.execute_script("return document.getElementById('status').getBoundingClientRect().top")
        assert tops < 100, "the results have come into view"
        for control in visitor.all("#form :is(select, button, [type=text]), .hits button"):
            assert control.size["height"] >= 40, "large enough for a thumb"
    finally:
        visitor.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_from_elsewhere_and_no_complaints(visitor: Visitor, server: Server, place: Path):
    visitor.give(crop(place, 3))
    visitor.results()
    visitor.drawn(".hits li:first-child img")
    visitor.driver.execute_script(
        "const s = document.createElement('script'); s.text = 'window.ran = 1'; document.body.append(s)"
    )
    assert visitor.driver.execute_script("return window.ran") is None
    loaded = visitor.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(name.startswith((server.address, "data:")) for name in loaded)
    odd = [error for error in visitor.errors() if "script-src" not in error and "/pictures/" not in error]
    assert odd == []


def test_a_token(chromium: Any, serving: Callable[..., AbstractContextManager[str]], place: Path):
    with serving(1000) as address:
        gives_the_token(Visitor(chromium, address), place)


def gives_the_token(visitor: Visitor, place: Path) -> None:
    visitor.until(lambda: visitor.find("#token-form").is_displayed())
    assert not visitor.find("#ask").is_displayed()
    assert "images in the gallery" not in visitor.find("main").text
    visitor.press("wrong", Keys.ENTER)
    visitor.until(lambda: "not the token" in visitor.find("#token-problem").text)
    visitor.press(TOKEN, Keys.ENTER)
    visitor.give(crop(place, 3))
    assert visitor.results()[0] == "0003_c2.png"
    assert visitor.drawn(".hits li:nth-child(-n+2) img") == [(32, 64)] * 2
    assert visitor.find(".hits a").get_attribute("href").startswith("blob:")
    visitor.driver.refresh()
    visitor.until(lambda: visitor.find("#ask").is_displayed())
    assert TOKEN not in visitor.driver.current_url
