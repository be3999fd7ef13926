"""All routers of ``/api/v1``, with what holds for every one of them: a key, and no parameter that does not exist."""

from __future__ import annotations

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
    saved,
    tasks,
    timeline,
    views,
)
from hub.api.answers import CACHED
from hub.api.door import known_parameters
from hub.api.problems import documented

PREFIX = "/api/v1"
WORDS = {
    400: "the question makes no sense",
    401: "no valid key",
    403: "the key's role may not",
    404: "nothing there",
    409: "not as things stand",
    413: "the body is too large",
    422: "the body does not fit",
    429: "too often; Retry-After says when again",
}


def api() -> APIRouter:
    made = APIRouter(prefix=PREFIX, dependencies=[Depends(known_parameters)], responses=documented(WORDS))
    tagged = (portfolio, portfolios, tasks, timeline, views, saved)
    routers = (
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
        saved,
        policy,
        portfolios,
        access,
        grants,
    )
    for each in routers:
        made.include_router(each.router, responses=CACHED if each in tagged else None)
    return made
