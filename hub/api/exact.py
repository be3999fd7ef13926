"""Bodies read as JSON and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute


class ExactRequest(Request):
    async def json(self) -> Any:
        """Raises JSONDecodeError also for what Python's own reader lets pass: NaN, half of a surrogate pair, which no database can hold,
        and more than 1024 objects in one another."""
        return orjson.loads(await self.body())


class Exact(APIRoute):
    """For every router whose operations take bodies: ``APIRouter(route_class=Exact)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def exactly(request: Request) -> Response:
            return await handler(ExactRequest(request.scope, request.receive))

        return exactly
