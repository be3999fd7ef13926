"""A pretend Asana over one ``World``: it reads as strictly as the fact sheet says the real one does, and writes nothing but webhooks.

Where the vendor's own words contradict each other the stricter reading is served. What is built here for lack of a seed (membership, tag-setting and
status-update gids) is derived from the ids it joins, so it is the same in every run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.sandbox.asana.errors import error_body
from hub.sandbox.asana.oauth import door
from hub.sandbox.asana.site import Asked, Site
from hub.sandbox.consent import Office
from hub.sandbox.courier import Courier
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

__all__ = ["app", "door", "error_body"]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def app(
    world: World, knobs: Knobs, clock: Callable[[], float] = time.monotonic, courier: Courier | None = None, office: Office | None = None
) -> Starlette:
    """The pretend Asana as an ASGI app, paths relative to ``/api/1.0``; ``clock`` counts seconds for limits and for the life of tokens. Without a
    ``courier`` no target can be reached, so that no webhook can be made; without an
    ``office`` only the personal token is known."""
    site = Site(world, knobs, clock, courier, office)

    async def endpoint(request: Request) -> Response:
        query: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            query[name] = f"{query[name]},{value}" if name == "opt_fields" and name in query else value
        body = await request.body() if request.method != "GET" else b""
        path = "/" + str(request.path_params["path"])
        # Starlette's own base_url leaves out the path that this app is mounted at.
        base = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
        asked = Asked(request.method, path, query, base, request.headers, body)
        answer = await site.register(asked) if (asked.method, path) == ("POST", "/webhooks") else site.answer(asked)
        after = None if answer.after is None else BackgroundTask(answer.after)
        return Response(answer.body, answer.status, dict(answer.headers), background=after)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])
