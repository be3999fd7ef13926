"""All routers of ``/api/v1``, with what holds for every one of them: a key, and no parameter that does not exist."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from hub.api import (
    access,
    connections,
    deliveries,
    endpoints,
    events,
    grants,
    links,
    mappings,
    people,
    policy,
    portfolio,
    portfolios,
    tasks,
    timeline,
    views,
)
from hub.api.door import known_parameters
from hub.api.problems import MEDIA, ProblemShape

PREFIX = "/api/v1"
PROBLEM: dict[str, Any] = {"content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}}
WORDS = {
    400: "the question makes no sense",
    401: "no valid key",
    403: "the key's role may not",
    404: "nothing there",
    409: "not as things stand",
    422: "the body does not fit",
    429: "too often; Retry-After says when again",
}


def api() -> APIRouter:
    responses: dict[int | str, dict[str, Any]] = {status: {"description": words, **PROBLEM} for status, words in WORDS.items()}
    responses[400] = {"description": WORDS[400], "model": ProblemShape, **PROBLEM}
    made = APIRouter(prefix=PREFIX, dependencies=[Depends(known_parameters)], responses=responses)
    for each in (
        portfolio,
        people,
        tasks,
        timeline,
        links,
        events,
        endpoints,
        deliveries,
        connections,
        mappings,
        views,
        policy,
        portfolios,
        access,
        grants,
    ):
        made.include_router(each.router)
    return made
