"""Errors as RFC 9457 problem details: one shape for all of them, with nothing of the inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from hub import log
from hub.api.envelope import REQUEST_ID, security_headers

MEDIA = "application/problem+json"
PROBLEM: dict[str, Any] = {"content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}}
LONGEST, MOST_ERRORS = 300, 20
"""What is told of one thing that is wrong, and of how many: an answer is not larger than what was asked."""
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class ErrorItem(BaseModel):
    """``pointer``: ``query/limit``, ``path/project_id`` or a JSON pointer into the body."""

    pointer: str
    detail: str


class ProblemShape(BaseModel):
    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[ErrorItem]


class Problem(Exception):
    """An answer that is an error; ``detail`` says what to do."""

    def __init__(
        self, status: int, code: str, detail: str, *, errors: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors, self.headers = status, code, detail, tuple(errors), headers or {}


def documented(words: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Problems as the OpenAPI document names them: {status: when it comes}."""
    return {status: {"description": when, **PROBLEM} for status, when in words.items()}


def not_found(what: str) -> Problem:
    return Problem(404, "not_found", f"there is no such {what}")


def respond(request: Request, problem: Problem) -> Response:
    body = {
        "type": f"urn:hub:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request.scope.get(REQUEST_ID, ""),
        "errors": [{"pointer": pointer, "detail": detail} for pointer, detail in problem.errors],
    }
    return Response(orjson.dumps(body), problem.status, headers=dict(problem.headers), media_type=MEDIA)


def install(app: FastAPI) -> None:
    """Every error of the app leaves as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    document = app.openapi

    def complete() -> dict[str, Any]:
        """As a response's model the shape would be documented as application/json, too, which it never is."""
        made = document()
        shape = ProblemShape.model_json_schema(ref_template="#/components/schemas/{model}")
        made.setdefault("components", {}).setdefault("schemas", {}).update({**shape.pop("$defs"), "ProblemShape": shape})
        return made

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return respond(request, error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return respond(request, Problem(error.status_code, CODES.get(error.status_code, "error"), str(error.detail), headers=error.headers))


def _invalid(request: Request, error: Exception) -> Response:
    """400 for a question that makes no sense, 422 for a body that does not fit, 404 for a path that can name nothing."""
    assert isinstance(error, RequestValidationError)
    found = [(_pointer(item["loc"])[:LONGEST], str(item["msg"])[:LONGEST]) for item in error.errors()[:MOST_ERRORS]]
    places = {item["loc"][0] for item in error.errors()}
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return respond(request, Problem(400, "invalid_json", "the body is not JSON", errors=found))
    if "path" in places:
        return respond(request, Problem(404, "not_found", "there is nothing under this id: ids are UUIDs", errors=found))
    if "body" in places:
        return respond(request, Problem(422, "invalid_body", "the body does not have the expected shape", errors=found))
    return respond(request, Problem(400, "invalid_parameter", "; ".join(f"{pointer}: {detail}" for pointer, detail in found), errors=found))


def _pointer(place: Sequence[Any]) -> str:
    if place[0] == "body":
        return "".join(f"/{part}" for part in place[1:]) or "/"
    return "/".join(str(part) for part in place)


def _unexpected(request: Request, error: Exception) -> Response:
    """The outermost edge, outside the envelope: hence the headers here."""
    request_id = request.scope.get(REQUEST_ID, "")
    log.get("api").error("request failed", request_id=request_id, path=request.url.path, exc_info=error)
    problem = Problem(
        500, "internal_error", f"something went wrong in the hub; its log tells more under request {request_id}", headers=security_headers(request_id)
    )
    return respond(request, problem)
