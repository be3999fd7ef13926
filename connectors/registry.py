"""Which connector reads which tool, and how one is put together: our three, and those of installed packages (entry point ``hub.connectors``).

A connector's class is imported when it is asked for: a hub that reads one tool does not load the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib import import_module, metadata
from typing import Any, cast

from connectors.address import check_base_url
from connectors.base import Connector, Credential, Json
from connectors.http import Client, Http, Renew
from connectors.limiter import Limiter, credential_key, limiter_for
from connectors.oauth import OAuth, Renewal

GROUP = "hub.connectors"

_OURS: Mapping[str, tuple[str, str]] = {
    "asana": ("connectors.asana", "AsanaConnector"),
    "clickup": ("connectors.clickup", "ClickUpConnector"),
    "monday": ("connectors.monday", "MondayConnector"),
}


class UnknownTool(ValueError):
    """No connector of that name is installed; the message lists those that are."""


def names() -> tuple[str, ...]:
    """All tools that can be connected, sorted."""
    return tuple(sorted({*_OURS, *(point.name for point in metadata.entry_points(group=GROUP))}))


def connector_class(tool: str) -> type[Connector]:
    """The class that reads a tool; raises UnknownTool. A package cannot put its own in the place of ours."""
    if tool in _OURS:
        module, name = _OURS[tool]
        return cast("type[Connector]", getattr(import_module(module), name))
    for point in metadata.entry_points(group=GROUP, name=tool):
        return cast("type[Connector]", point.load())
    raise UnknownTool(f"no connector for {tool!r}; there are: {', '.join(names())}")


def build(
    tool: str,
    credential: Credential,
    *,
    base_url: str | None,
    options: Mapping[str, Json],
    client: Client,
    now: Callable[[], datetime],
    writes: bool = False,
    limiter: Limiter | None = None,
    renewal: Renewal | None = None,
) -> Connector:
    """A live connector; ``base_url`` null means the vendor's own. ``renewal``: for a token that does not last.

    It shares the limiter of everything in this process with the same tool, address and token (or ``credential.budget``, for a token that changes),
    unless ``limiter`` gives it another.
    Raises UnknownTool, ValueError for a base URL that may not be used, and AuthFailed for a credential that no header can carry.
    """
    kind = connector_class(tool)
    address = check_base_url(base_url or kind.default_base_url)
    http = Http(
        client,
        base_url=address,
        headers=kind.http_headers(credential),
        classify=kind.classify,
        limiter=limiter or limiter_for(credential_key(tool, address, credential.budget or credential.token), kind.lanes),
        writes=writes,
        hooks=_hooks(kind),
        now=now,
        renew=None if renewal is None else _renew(kind, credential, renewal),
    )
    return kind(http, options=options, now=now)


def oauth(tool: str, base_url: str | None) -> Mapping[str, OAuth]:
    """The ways in which a person can let the hub into this tool without copying a token, by name, the usual one first; empty where there is none.
    Raises UnknownTool, ValueError."""
    kind = connector_class(tool)
    flows = getattr(kind, "oauth", None)
    return {} if flows is None else cast("Mapping[str, OAuth]", flows(check_base_url(base_url or kind.default_base_url)))


def _renew(kind: type[Connector], credential: Credential, renewal: Renewal) -> Renew:
    """Headers for tokens: what the wrapper round HTTP knows, and what a renewal deals in."""
    used = credential.token

    async def renew(refused: Mapping[str, str] | None) -> Mapping[str, str] | None:
        nonlocal used
        before = used
        if refused is None:
            used = await renewal.current()
        elif refused != kind.http_headers(replace(credential, token=used)):
            return kind.http_headers(replace(credential, token=used))  # another call has had it renewed meanwhile
        else:
            used = await renewal.instead_of(used) or used
        return None if used == before else kind.http_headers(replace(credential, token=used))

    return renew


def _hooks(kind: Any) -> tuple[str, ...]:
    """What the connector may send besides reads; one that registers no webhooks need not say so."""
    return tuple(getattr(kind, "hooks", ()))
