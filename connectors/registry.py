"""Which connector reads which tool, and how one is put together: our three, and those of installed packages (entry point ``hub.connectors``).

A connector's class is imported when it is asked for: a hub that reads one tool does not load the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module, metadata
from typing import Any, cast

from connectors.base import Connector, Credential, Json
from connectors.http import Client, Http, check_base_url
from connectors.limiter import Limiter, credential_key, limiter_for

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
) -> Connector:
    """A live connector; ``base_url`` null means the vendor's own.

    It shares the limiter of everything in this process with the same tool, address and token, unless ``limiter`` gives it another.
    Raises UnknownTool, ValueError for a base URL that may not be used, and AuthFailed for a credential that no header can carry.
    """
    kind = connector_class(tool)
    address = check_base_url(base_url or kind.default_base_url)
    http = Http(
        client,
        base_url=address,
        headers=kind.http_headers(credential),
        classify=kind.classify,
        limiter=limiter or limiter_for(credential_key(tool, address, credential.token), kind.lanes),
        writes=writes,
        hooks=_hooks(kind),
        now=now,
    )
    return kind(http, options=options, now=now)


def _hooks(kind: Any) -> tuple[str, ...]:
    """What the connector may send besides reads; one that registers no webhooks need not say so."""
    return tuple(getattr(kind, "hooks", ()))
