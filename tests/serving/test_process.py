"""Bad input of every kind, and the whole of what is asked, through real HTTP from the real process."""

from __future__ import annotations

import base64
import io
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from psnet.embedder import Embedder
from psnet.gallery import open_gallery
from tests.serving.conftest import QUEUE
from tests.serving.world import SVG, Server, animated, declaring, images, person, rotated, saved, zipped

GOOD = saved(person(), "PNG")

HEAD = b'content-disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
"""Of a part of a form."""


def crop(place: Path, number: int) -> bytes:
    (file,) = (place / "crops").rglob(f"{number:04d}_*")
    return file.read_bytes()


def search(client: httpx.Client, *contents: Any, **fields: Any) -> dict[str, Any]:
    answer = client.post("/search", files=images(*contents), data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: httpx.Client, *contents: Any, path: str = "/search", **fields: Any) -> tuple[int, str]:
    answer = client.post(path, files=images(*contents), data=fields)
    return answer.status_code, answer.json()["error"]


# What it is for


def test_search(client: httpx.Client, place: Path):
    answer = search(client, ("far away.png", crop(place, 3)), crop(place, 6), k=3, pictures="true")
    assert [image["name"] for image in answer["images"]] == ["far away.png", "1.jpg"]
    for image, number in zip(answer["images"], (3, 6), strict=True):
        first = image["hits"][0]
        assert [hit["rank"] for hit in image["hits"]] == [1, 2, 3]
        assert first["score"] == pytest.approx(1, abs=1e-3)
        assert (first["columns"]["pid"], first["columns"]["camid"]) == (number, number % 2)
        assert first["path"].startswith(f"cam{number % 2}/{number:04d}_c")
        assert first["same"] is True
        assert (image["width"], image["height"], image["error"]) == (32, 64, None)
        shown = Image.open(io.BytesIO(base64.b64decode(image["shown"].partition(",")[2])))
        assert np.array_equal(np.array(shown), np.array(Image.open(io.BytesIO(crop(place, number))).convert("RGB")))
        restored = Image.open(io.BytesIO(base64.b64decode(image["restored"].partition(",")[2])))
        assert restored.size == (32, 64)
    value = answer["threshold"]["value"]
    assert all(hit["same"] == (hit["score"] >= value) for image in answer["images"] for hit in image["hits"])
    assert answer["threshold"]["asked"] == 0.1
    assert "false and" in answer["threshold"]["words"]
    assert str(place) not in str(answer), "where files lie on the server is nobody's business"


def test_the_same_numbers_as_without_a_service(client: httpx.Client, place: Path):
    embedder = Embedder.from_checkpoint(place / "last.ckpt", precision="32-true")
    expected = embedder.embed([place / "crops/cam1/0003_c2.png", place / "crops/cam0/0004_c1.png"])
    answer = client.post("/embed", files=images(crop(place, 3), crop(place, 4))).json()
    found = np.array([image["embedding"] for image in answer["images"]])
    np.testing.assert_allclose(found, expected.embedding, atol=1e-5)
    assert answer["made_by"]["digest"] == embedder.made_by.digest
    gallery = open_gallery(str(place / "people"))
    hits = gallery.search(expected.embedding, expected.made_by, 5)[0]
    told = search(client, crop(place, 3), k=5)["images"][0]["hits"]
    assert [(hit.id, pytest.approx(hit.score, abs=1e-4)) for hit in hits] == [(hit["id"], hit["score"]) for hit in told]


def test_conditions(client: httpx.Client, place: Path):
    hits = search(client, crop(place, 3), k=10, where=["camid=0", "pid>=2"])["images"][0]["hits"]
    assert {hit["columns"]["pid"] for hit in hits} == {2, 4, 6, 8}
    for where, words in (("colour=red", "there is no column 'colour'"), ("camid", "'camid' is no condition")):
        status, said = refused(client, GOOD, where=where)
        assert status == 422
        assert words in said
    assert search(client, GOOD, where="pid>=1000")["images"][0]["hits"] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"k": "0"}, "k='0' must be a whole number from 1 to 100"),
        ({"k": "101"}, "from 1 to 100"),
        ({"k": "many"}, "must be a whole number"),
        ({"pictures": "perhaps"}, "pictures='perhaps' must be true or false"),
        ({"were": "camid=1"}, "there is no field 'were'; there is images, k, where, pictures"),
        ({"where": "x" * 5000}, "maximum size"),
    ],
)
def test_fields_that_cannot_be_used(client: httpx.Client, fields: dict[str, str], words: str):
    status, said = refused(client, GOOD, **fields)
    assert status in (400, 422)
    assert words in said


def test_health_and_metrics(client: httpx.Client, place: Path):
    told = client.get("/health").json()
    assert (told["status"], told["images"], told["cameras"], told["gallery"]) == ("ok", 10, [0, 1], "people")
    assert told["limits"]["images"] == 8
    assert not told["token_needed"]

    def batches() -> tuple[float, float]:
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
        return float(lines["psnet_batch_images_count"]), float(lines["psnet_batch_images_sum"])

    before = batches()
    search(client, *[crop(place, number) for number in range(8)])
    after = batches()
    assert after[1] - before[1] == 8
    assert after[0] - before[0] < 8, "the images of a request are batched"
    text = client.get("/metrics").text
    assert 'psnet_requests_total{method="POST",route="/search",status="200"}' in text
    assert "psnet_request_seconds_bucket" in text
    assert "psnet_queue_images 0.0" in text


def test_what_is_there(client: httpx.Client):
    told = client.get("/openapi.json").json()
    routes = {"/embed", "/search", "/explain", "/pictures/{id}", "/health", "/metrics"}
    assert set(told["paths"]) == routes
    form = told["paths"]["/search"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"images", "k", "where", "pictures"}
    answer = told["paths"]["/search"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["$ref"].endswith("/SearchAnswer")
    for path in ("/docs", "/redoc", "/page.js/..%2f..%2fapp.py", "/favicon.ico", "/pages/page.js"):
        assert client.get(path).status_code == 404
    wrong = client.get("/search")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_requests_share_batches(client: httpx.Client, server: Server, place: Path):
    def sizes() -> tuple[float, float]:
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#")
        return float(lines["psnet_batch_images_count"]), float(lines["psnet_batch_images_sum"])

    before = sizes()
    with ThreadPoolExecutor(QUEUE) as pool:
        contents = [crop(place, number) for number in range(QUEUE)]
        found = list(pool.map(lambda c: httpx.post(f"{server.address}/search", files=images(c), timeout=60), contents))
    assert [answer.status_code for answer in found] == [200] * QUEUE
    paths = [answer.json()["images"][0]["hits"][0]["path"] for answer in found]
    assert [int(path.partition("/")[2][:4]) for path in paths] == list(range(QUEUE)), "each gets its own answer"
    after = sizes()
    assert after[1] - before[1] == QUEUE
    assert after[0] - before[0] < QUEUE


# What people send

KINDS = ["zero bytes", "cut JPEG", "cut PNG", "50,000 x 50,000", "25 megapixels", "16 bits", "animated", "SVG", "zip"]
KINDS += ["EPS", "a head alone"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (saved(person(size=(128, 256)), "JPEG")[:2000], "truncated"),
        (GOOD[:500], None),
        (declaring(50_000, 50_000), "too many pixels"),
        (declaring(5_000, 5_000), "at most 16,777,216"),
        (saved(Image.fromarray(np.zeros((64, 32), np.uint16)), "PNG"), "more than 8 bits"),
        (animated(), "3 frames"),
        (SVG, "not an image"),
        (zipped(), "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"GIF89a", None),
    ],
    ids=KINDS,
)
def test_images_that_cannot_be_used(client: httpx.Client, place: Path, content: bytes, words: str | None):
    status, said = refused(client, ("../../etc/a person.jpg", content))
    assert status == 422
    assert said.startswith("../../etc/a person.jpg: ")
    assert words is None or words in said
    before, bad, after = search(client, crop(place, 1), content, crop(place, 2))["images"]
    assert words is None or words in bad["error"]
    assert bad["hits"] is None
    assert [one["hits"][0]["columns"]["pid"] for one in (before, after)] == [1, 2], "the others go through"


def embedding(client: httpx.Client, content: bytes, name: str = "a.jpg") -> np.ndarray:
    answer = client.post("/embed", files=images((name, content)))
    assert answer.status_code == 200, answer.text
    return np.array(answer.json()["images"][0]["embedding"])


def test_images_of_odd_kinds(client: httpx.Client):
    """Each is what it looks like."""
    image = person()
    plain = embedding(client, GOOD)
    assert embedding(client, rotated(image)) @ plain == pytest.approx(1, abs=1e-4)
    assert embedding(client, GOOD, "person.svg") @ plain == pytest.approx(1, abs=1e-4), "names are not trusted"
    cmyk = image.convert("CMYK")
    same = embedding(client, saved(cmyk.convert("RGB"), "PNG"))
    assert embedding(client, saved(cmyk, "TIFF")) @ same == pytest.approx(1, abs=1e-4)
    grey = image.convert("L")
    three = embedding(client, saved(grey.convert("RGB"), "PNG"))
    assert embedding(client, saved(grey, "PNG")) @ three == pytest.approx(1, abs=1e-4)
    assert embedding(client, saved(cmyk, "JPEG")).shape == plain.shape
    assert embedding(client, saved(person(size=(1, 1)), "PNG")).shape == plain.shape


def test_too_many_images(client: httpx.Client):
    assert refused(client, *[GOOD] * 9)[0] == 413
    status, words = refused(client, *[b"x"] * 5_000)
    assert (status, words) == (413, "a request may have 8 images; send the others in another")
    status, words = refused(client, *[b"x"] * 10_000)
    assert status == 413


def test_too_many_bytes(client: httpx.Client):
    assert refused(client, bytes(1_000_001)) == (
        413,
        "a request may have 1,000,000 bytes; send fewer or smaller images",
    )
    whole = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post(
        "/embed", content=iter([b"--b\r\n" + HEAD, *[bytes(100_000)] * 15]), headers=whole
    )  # without a length
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/search", "/nowhere"])
def test_who_sends_first_and_then_reads_sees_the_answer(client: httpx.Client, server: Server, path: str):
    """As browsers do."""
    sock, more = half(server, bytes(3_900_000), path=path)
    assert rest(sock, more).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (GOOD, "image/png", 415),
        (b"{}", "application/json", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b"nothing", "multipart/form-data", 400),
        (b"nothing", "multipart/form-data; boundary=b", 400),
        (b"--b\r\nx", "multipart/form-data; boundary=b", 400),
        (b"--b\r\n" + HEAD + GOOD + b"\r\n--b\r\n" + HEAD + GOOD[:100], "multipart/form-data; boundary=b", 400),
        (b"", "multipart/form-data; boundary=b", 400),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422),
    ],
)
def test_what_is_no_form(client: httpx.Client, content: bytes, kind: str, status: int):
    answer = client.post("/search", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_no_image_and_other_parts(client: httpx.Client):
    assert client.post("/search", files={"k": (None, "3")}).json()["error"].startswith("there is no image")
    text = client.post("/search", files={"images": (None, "far.jpg")})
    assert (text.status_code, text.json()["error"][:31]) == (422, "images='far.jpg' is text, not a")
    other = client.post("/search", files={"picture": ("a.png", GOOD)})
    assert (other.status_code, other.json()["error"]) == (422, "a file is called 'picture'; call it images")


# Files of the gallery


def picture_of(client: httpx.Client, place: Path, number: int) -> httpx.Response:
    hits = search(client, GOOD, k=10, where=f"pid={number}")["images"][0]["hits"]
    assert len(hits) == 1
    return client.get("/" + hits[0]["picture"])


def test_pictures(client: httpx.Client, place: Path):
    answer = picture_of(client, place, 5)
    assert answer.headers["content-type"] == "image/png"
    shown = np.array(Image.open(io.BytesIO(answer.content)))
    assert np.array_equal(shown, np.array(Image.open(io.BytesIO(crop(place, 5))).convert("RGB")))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]


def test_a_link_out_of_the_gallery(client: httpx.Client, place: Path):
    answer = picture_of(client, place, 8)
    assert answer.status_code == 404
    assert "lies outside" in answer.json()["error"]


def test_a_file_that_has_changed(client: httpx.Client, place: Path):
    answer = picture_of(client, place, 9)
    assert answer.status_code == 404
    assert "has changed since" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "..%2f..%2fsecret.png", "%2e%2e/secret.png", "cam0/0000_c1.png", "0" * 32, "' OR '1'='1", "%00"],
)
def test_paths_are_no_ids(server: Server, place: Path, path: str):
    """As they are, which no client would send."""
    head = f"GET /pictures/{path.replace(' ', '%20')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(head.encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]
    assert b"PNG" not in answer


# Who asks


def test_names_that_lead_here(client: httpx.Client, server: Server):
    for host in ("evil.example", f"evil.example:{server.port}", "", "localhost.evil.example"):
        assert client.get("/health", headers={"host": host}).status_code == 421
    for host in ("localhost", f"localhost:{server.port}", "127.0.0.1", "[::1]:80"):
        assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[x"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_pages_of_other_sites(client: httpx.Client, headers: dict[str, str], status: int):
    assert client.post("/search", files=images(GOOD), headers=headers).status_code == status


# Overload, and clients that do not behave


def half(server: Server, content: bytes = GOOD, header: str = "", path: str = "/search") -> tuple[socket.socket, bytes]:
    """A request of which one half has been sent, and its other half."""
    body = b"--b\r\n" + HEAD + content + b"\r\n--b--\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: {len(body)}\r\n{header}"
    head += "Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n\r\n"
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.sendall(head.encode() + body[:100])
    return sock, body[100:]


def rest(sock: socket.socket, more: bytes) -> bytes:
    with sock:
        sock.sendall(more)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_overload(client: httpx.Client, server: Server):
    """As many requests as are read at once have begun; the next is refused, and these are finished."""
    begun = [half(server) for _ in range(QUEUE)]
    deadline = time.monotonic() + 20
    while (answer := client.post("/search", files=images(GOOD))).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)  # until all of them have been seen
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert client.get("/health").status_code == 200
    assert 'psnet_requests_total{method="POST",route="/search",status="503"}' in client.get("/metrics").text
    for sock, more in begun:
        assert rest(sock, more).startswith(b"HTTP/1.1 200")
    assert client.post("/search", files=images(GOOD)).status_code == 200


def test_a_flood(client: httpx.Client, server: Server):
    """Far more than there is room for: each is answered at once, with what it asked for or that it cannot be."""

    def ask(_: int) -> int:
        return httpx.post(f"{server.address}/search", files=images(*[GOOD] * 8), timeout=60).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(40))) == {200, 503}
    assert client.post("/search", files=images(GOOD)).status_code == 200


def test_clients_that_hang_up(client: httpx.Client, server: Server):
    for _ in range(2 * QUEUE):
        half(server)[0].close()
    for _ in range(QUEUE):
        sock, more = half(server)
        sock.sendall(more)
        sock.close()  # while the answer is made
    deadline = time.monotonic() + 20
    while (answer := client.post("/search", files=images(*[GOOD] * 8))).status_code == 503:
        assert time.monotonic() < deadline, "their places are not given back"
        time.sleep(0.1)
    assert answer.status_code == 200
    assert "Traceback" not in "".join(server.said)
