"""Vendors' webhooks, as every connector speaks of them: the registration, the inbound call, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.records import Ref


@dataclass(frozen=True, slots=True)
class Call:
    """An inbound HTTP call as it came: header names in lower case, the raw body, and the address that the vendor was given."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hook:
    """A vendor webhook. ``key`` is stable: what it watches (``project/77``, ``board/5/create_item``). ``external_id``: the vendor's id of it, null
    while its registration is open. ``secret``: what its calls are signed with, null where the vendor signs nothing. ``healthy``: false where the
    vendor has suspended it."""

    key: str
    args: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class Received:
    """A genuine inbound call. ``touched``: what to look at again; tasks are read by id, any other reference asks for a structure run. The
    answer goes back at once: ``status``, ``headers``, ``body``. ``secret``: handed over by a handshake, to be kept with the hook whose
    registration is open. ``delivery``: the vendor's own id of this call, where it has one, so that a doubled one is known."""

    touched: tuple[Ref, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    secret: str | None = field(default=None, repr=False)
    delivery: str | None = None


class Forged(ValueError):
    """An inbound call that is not the vendor's: no or a wrong signature, a handshake that nobody asked for. ``status``: what to answer."""

    def __init__(self, reason: str, status: int = 403) -> None:
        super().__init__(reason)
        self.status = status
