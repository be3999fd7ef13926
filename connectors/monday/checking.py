"""Who the token is, what it reaches, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Check, Workspace
from connectors.errors import AuthFailed, ConnectorError, Refused
from connectors.monday import documents
from connectors.monday.client import Client, Rows
from connectors.monday.faults import fault

_DAY = {"free": 200, "trial": 200, "basic": 1_000, "standard": 1_000, "pro": 10_000, "enterprise": 25_000}
_MINUTE = {"free": 1_000, "trial": 1_000, "basic": 1_000, "standard": 1_000, "pro": 2_500, "enterprise": 5_000}
_SCOPES = {"workspaces": "workspaces:read", "users": "users:read", "boards": "boards:read"}


async def check(client: Client) -> Check:
    """Raises AuthFailed where nobody is behind the token, Refused where it may not see its own account, which a realm needs."""
    data, errors = await client.ask(documents.CHECK, points=documents.SMALL_POINTS)
    me, account = data.get("me"), data.get("account")
    if not me:
        raise AuthFailed("monday: the token belongs to no user")
    if not account:
        raise _named("account", errors) or Refused("monday: the token may not read its account: grant account:read")
    tier = str(account.get("tier") or "").casefold()
    workspaces = [
        Workspace(external_id="main" if row.get("id") is None else str(row["id"]), name=row["name"])
        for row in data.get("workspaces") or ()
        if row is not None and row.get("state") != "deleted"
    ]
    if all(each.external_id != "main" for each in workspaces):
        # Every account has it; the list may leave it out, since it has no id.
        workspaces.insert(0, Workspace(external_id="main", name="Main workspace"))
    return Check(
        user_external_id=str(me["id"]),
        user_name=me.get("name") or None,
        user_email=me.get("email") or None,
        account=str(account["id"]),
        workspaces=tuple(workspaces),
        plan=tier or None,
        limits=_limits(tier),
        missing=tuple(_missing(data)),
    )


def _limits(tier: str) -> Mapping[str, str | int]:
    known: dict[str, str | int] = {"complexity points a query": 5_000_000}
    if tier in _DAY:
        known |= {
            "calls a day": _DAY[tier],
            "calls a minute": _MINUTE[tier],
            "complexity points a minute": 1_000_000 if _DAY[tier] == 200 else 10_000_000,
        }
    return known


def _missing(data: Mapping[str, Any]) -> list[str]:
    version = (data.get("version") or {}).get("value")
    missing = []
    if version != documents.API_VERSION:
        missing.append(f"monday answers with API version {version}, this connector was written for {documents.API_VERSION}: update the hub.")
    missing += [f"The token may not read {name}: grant {scope}." for name, scope in _SCOPES.items() if data.get(name) is None]
    return missing


def _named(name: str, errors: Rows) -> ConnectorError | None:
    return next((fault(error) for error in errors if error["path"] and error["path"][0] == name), None)
