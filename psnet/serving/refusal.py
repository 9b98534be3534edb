"""A refusal as an answer of HTTP."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from psnet.serving.errors import Refused


def refusal(refused: Refused) -> JSONResponse:
    headers = {} if refused.wait is None else {"Retry-After": str(refused.wait)}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": refused.words}, refused.status, headers)
