"""One message to one endpoint, now, by whoever asks: a test event. It goes the same way as a delivery and leaves an attempt of kind ``test``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import UUID

from hub.db import Database
from hub.delivery import address, endpoints
from hub.delivery.address import Rules
from hub.delivery.envelope import Stored, body
from hub.delivery.signing import sign
from hub.delivery.target import Answer, Target, tls
from hub.models import Attempt, Endpoint
from hub.settings import Settings
from hub.vault import Vault

TEST = "test"


def send(
    database: Database,
    vault: Vault,
    settings: Settings,
    endpoint_id: UUID,
    stored: Stored,
    now: datetime,
    *,
    resolver: Callable[[str, int], list[str]] = address.resolve,
) -> Answer:
    """Posts ``stored``, marked as a test, and returns what the receiver said; waits for it, so not on an event loop. Filters do not apply, and a
    paused endpoint gets it too. Raises sqlalchemy.exc.NoResultFound and VaultError."""
    with database.reading() as session:
        endpoint = session.get_one(Endpoint, endpoint_id)
        keys, headers = endpoints.keys(vault, endpoint, now), endpoints.static_headers(vault, endpoint)
    message = body(stored, thin=endpoint.thin, reason=TEST)
    signed = sign(keys, str(stored.id), now, message)
    extra = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = asyncio.run(_post(endpoint.url, settings, resolver, [*signed, *extra], message, list(headers.values())))
    with database.writing() as session:
        session.add(
            Attempt(
                endpoint_id=endpoint_id,
                event_id=stored.id,
                type=stored.type,
                kind=TEST,
                at=now,
                status=answer.status,
                error=answer.error,
                duration_ms=answer.milliseconds,
                answer=answer.text or None,
            )
        )
    return answer


async def _post(
    url: str, settings: Settings, resolver: Callable[[str, int], list[str]], headers: list[tuple[bytes, bytes]], message: bytes, hide: list[str]
) -> Answer:
    async def resolve(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(None, partial(resolver, host, port))

    target = Target(url, Rules.of(settings), tls(settings.ca_bundle), resolve)
    try:
        return await target.post(headers, message, hide)
    finally:
        await target.aclose()
