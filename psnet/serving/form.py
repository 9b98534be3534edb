"""What a request brings: images and fields, as multipart/form-data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from psnet.serving.errors import Refused
from psnet.serving.limits import Limits
from psnet.serving.service import Upload

T = TypeVar("T")

FIELDS, LONGEST, LONGEST_NAME, LONGEST_END = 32, 4096, 200, 1024
"""Fields of a request beside its images, bytes of one, characters of a file's name that are kept, and bytes of the end
in which the last boundary must lie."""

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Form(NamedTuple):
    images: list[Upload]
    fields: dict[str, list[str]]

    def number(self, name: str, otherwise: int, most: int) -> int:
        """Raises Refused: it is none from 1 to `most`."""
        text = self.fields.get(name, [str(otherwise)])[-1]
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise Refused(422, f"{name}={text!r} must be a whole number from 1 to {most}")
        return int(text)

    def switch(self, name: str) -> bool:
        """Raises Refused: it is neither true nor false."""
        text = self.fields.get(name, ["false"])[-1].lower()
        if text not in TRUE + FALSE:
            raise Refused(422, f"{name}={text!r} must be true or false")
        return text in TRUE

    def text(self, name: str) -> str:
        """Raises Refused: it is not there."""
        if name not in self.fields:
            raise Refused(422, f"the field {name} is missing")
        return self.fields[name][-1]


async def read_form(request: Request, limits: Limits, known: Sequence[str]) -> Form:
    """
    Args:
        known: names of fields beside `images`.

    Raises:
        Refused: it is no form, has too much of something, or does not come in time. ClientDisconnect.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise Refused(415, "send images as multipart/form-data, each a part called images")
    try:
        form = await asyncio.wait_for(_read(request, limits), limits.seconds)
    except asyncio.TimeoutError as error:
        raise Refused(408, f"the request has not come in whole within {limits.seconds} s") from error
    odd = sorted(set(form.fields) - set(known))
    if odd:
        raise Refused(422, f"there is no field {odd[0][:80]!r}; there is {', '.join(('images', *known))}")
    if not form.images:
        raise Refused(422, "there is no image; send each as a part called images, with a file name")
    return form


async def _read(request: Request, limits: Limits) -> Form:
    images: list[Upload] = []
    fields: dict[str, list[str]] = {}
    for name, value in (await _parts(request, limits)).multi_items():
        if isinstance(value, UploadFile):
            if name != "images":
                raise Refused(422, f"a file is called {name[:80]!r}; call it images")
            images.append(Upload((value.filename or "")[:LONGEST_NAME], await value.read()))
            await value.close()
        elif name == "images":
            raise Refused(422, f"images={value[:80]!r} is text, not a file; curl wants images=@FILE")
        else:
            fields.setdefault(name, []).append(value)
    return Form(images, fields)


async def _parts(request: Request, limits: Limits) -> FormData:
    """The parser passes over a last part that is cut off, so the end is looked at here."""
    end = b""

    async def noted() -> AsyncGenerator[bytes, None]:
        nonlocal end
        async for chunk in request.stream():
            end = (end + chunk)[-LONGEST_END:]
            yield chunk

    most = {"max_files": limits.images, "max_fields": FIELDS, "max_part_size": LONGEST}
    try:
        form = await MultiPartParser(request.headers, noted(), **most).parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise Refused(413, f"a request may have {limits.images} images; send the others in another") from error
        raise Refused(400, f"the request is no multipart/form-data that can be read ({error.message})") from error
    _, options = parse_options_header(request.headers["content-type"])
    if b"--" + options[b"boundary"] + b"--" not in end:
        raise Refused(400, "the request is cut off, or no multipart/form-data: its last boundary is missing")
    return form


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What comes of work, which is given up when nobody waits for it any more.

    Raises:
        ClientDisconnect: whoever asked is gone.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
