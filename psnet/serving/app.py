"""The routes, and what each needs and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import psnet
from psnet.gallery.gallery import ROOT
from psnet.serving.access import Access
from psnet.serving.answers import EmbedAnswer, Embedded, Error, Health, Match, Rates, SearchAnswer, Searched
from psnet.serving.errors import Refused
from psnet.serving.form import read_form, unless_gone
from psnet.serving.guard import App, Guard
from psnet.serving.metrics import TYPE, Metered, Metrics
from psnet.serving.refusal import refusal
from psnet.serving.service import Seen, Service, Unread

PAGES = {"/": ("index.html", "text/html"), "/style.css": ("style.css", "text/css")}
PAGES |= {"/page.js": ("page.js", "text/javascript")}

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error} for status in (400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 501, 503)
}


def create_app(service: Service, access: Access, metrics: Metrics) -> App:
    """The service as an ASGI application."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    app = FastAPI(
        title="psnet serve", version=psnet.__version__, lifespan=life, docs_url=None, redoc_url=None, responses=ERRORS
    )
    _add_errors(app)
    _add_pages(app)
    _add_questions(app, service, metrics)
    _add_state(app, service, access, metrics)
    metrics.watch_queue(lambda: service.batches.taken)
    paths = [getattr(route, "path", "") for route in app.routes]
    return Metered(Guard(app, access, service.limits), metrics, paths)


def _add_questions(app: FastAPI, service: Service, metrics: Metrics) -> None:
    limits = service.limits
    made_by = asdict(service.embedder.made_by)

    @app.post("/embed", response_model=EmbedAnswer, openapi_extra=_body({}))
    async def embed(request: Request) -> Response:
        """Images to embeddings, in the order in which they came."""
        form = await read_form(request, limits, ())
        seen = _read(await unless_gone(request, service.look(form.images)), metrics)
        images = [
            Embedded(**Embedded.own(one), embedding=one.looked.embedding.tolist() if isinstance(one, Seen) else None)
            for one in seen
        ]
        return await _json(EmbedAnswer(made_by=made_by, images=images))

    @app.post("/search", response_model=SearchAnswer, openapi_extra=_body(SEARCH))
    async def search(request: Request) -> Response:
        """What the gallery has of the person in each image, best first."""
        form = await read_form(request, limits, tuple(SEARCH))
        k, pictures = form.number("k", min(10, limits.results), limits.results), form.switch("pictures")
        where = service.conditions(form.fields.get("where", []))

        async def answered() -> list[Searched]:
            seen = _read(await service.look(form.images, pictures), metrics)
            return [await searched(one) for one in seen]

        async def searched(one: Seen | Unread) -> Searched:
            if isinstance(one, Unread):
                return Searched(**Searched.own(one))
            hits = await service.search(one, k, where)
            matches = [Match.of(rank, hit, service.threshold) for rank, hit in enumerate(hits, 1)]
            restored = await asyncio.to_thread(lambda: one.restored)
            return Searched(**Searched.own(one), shown=one.shown, restored=restored, hits=matches)

        images = await unless_gone(request, answered())
        return await _json(SearchAnswer(made_by=made_by, threshold=Rates.of(service.threshold), images=images))

    @app.post("/explain", response_class=Response, openapi_extra=_body(EXPLAIN))
    async def explain(request: Request) -> Response:
        """A picture of where one image and one of the gallery are alike."""
        form = await read_form(request, limits, tuple(EXPLAIN))
        if len(form.images) != 1:
            raise Refused(422, f"{len(form.images)} images are sent; one is explained at a time")
        content, kind = await unless_gone(request, service.explain(form.images[0], form.text("id")))
        return Response(content, media_type=kind)

    @app.get("/pictures/{id}", response_class=Response)
    async def picture(id: str, small: bool = False) -> Response:
        """An image of the gallery, by the id of a hit."""
        content, kind = await service.picture(id, small)
        return Response(content, media_type=kind)


def _add_state(app: FastAPI, service: Service, access: Access, metrics: Metrics) -> None:
    @app.get("/health", response_model=Health)
    async def health(request: Request) -> Response:
        """That it lives; and to those with the token, what it is made of."""
        needed = access.token is not None
        if not access.trusts(request.scope):
            return await _json(Health(token_needed=needed))
        return await _json(
            Health(
                token_needed=needed,
                version=psnet.__version__,
                model=str(service.embedder.made_by),
                gallery=Path(service.gallery.uri).name,
                columns={name: kind for name, kind in service.gallery.about.columns.items() if name != ROOT},
                threshold=Rates.of(service.threshold),
                explains=service.explains,
                limits=asdict(service.limits),
                **await service.counted(),
            )
        )

    @app.get("/metrics", response_class=Response)
    async def told() -> Response:
        """For Prometheus."""
        return Response(metrics.text(), media_type=TYPE)


def _add_pages(app: FastAPI) -> None:
    folder = files("psnet.serving") / "pages"
    for path, (name, kind) in PAGES.items():
        app.add_api_route(path, _page((folder / name).read_bytes(), kind), include_in_schema=False)


def _page(content: bytes, kind: str) -> Callable[[], Response]:
    def page() -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return page


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return refusal(error)

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> Response:
        response = refusal(Refused(error.status_code, f"{error.detail}; what there is, is in /openapi.json"))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def odd(_: Request, error: RequestValidationError) -> Response:
        words = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return refusal(Refused(422, words))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=499)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> Response:  # whose traceback is in the log
        return refusal(Refused(500, "something is wrong inside; the log says what"))


def _read(seen: Sequence[Seen | Unread], metrics: Metrics) -> Sequence[Seen | Unread]:
    """
    Raises:
        Refused: none of the images can be read.
    """
    unread = [one for one in seen if isinstance(one, Unread)]
    metrics.images.labels("refused").inc(len(unread))
    metrics.images.labels("embedded").inc(len(seen) - len(unread))
    if len(unread) == len(seen):
        raise Refused(422, "; ".join(f"{one.name}: {one.reason}" for one in unread))
    return seen


async def _json(answer: BaseModel) -> Response:
    """Beside the loop: embeddings are long."""
    return Response(await asyncio.to_thread(answer.model_dump_json), media_type="application/json")


SEARCH: dict[str, dict[str, Any]] = {
    "k": {"type": "integer", "default": 10, "description": "so many matches of each"},
    "where": {
        "type": "array",
        "items": {"type": "string"},
        "description": "conditions such as camid=3 or height>=40, all of which matches must meet",
    },
    "pictures": {"type": "boolean", "default": False, "description": "answer each image, and it restored, too"},
}
EXPLAIN: dict[str, dict[str, Any]] = {"id": {"type": "string", "description": "of a match"}}


def _body(fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of a form that is read by hand, so that its limits hold while it is read."""
    images = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "files of images"}
    required = ["images", *(name for name in fields if fields is EXPLAIN)]
    schema = {"type": "object", "required": required, "properties": {"images": images, **fields}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
