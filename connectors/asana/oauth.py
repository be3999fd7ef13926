"""Asana's OAuth: authorization code with PKCE; an access token lives an hour, the refresh token until it is revoked and need not change.

An app is registered either with scopes of its own choice or with ``default``, which is everything, and is refused when it asks for the other kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connectors.oauth import OAuth

PATH = "/api/1.0"
READ = ("workspaces", "users", "teams", "projects", "project_sections", "tasks", "custom_fields", "tags")


def flows(base_url: str) -> Mapping[str, OAuth]:
    """``scopes``: the fewest rights; ``default``: for an app that is registered for everything. The addresses lie beside the API's."""
    root = base_url.removesuffix(PATH)
    fewest = OAuth(
        authorize_url=f"{root}/-/oauth_authorize",
        token_url=f"{root}/-/oauth_token",
        revoke_url=f"{root}/-/oauth_revoke",
        read=tuple(f"{name}:read" for name in READ),
        hooks=("webhooks:read", "webhooks:write", "webhooks:delete"),
        write=("tasks:write", "stories:write"),
        pkce=True,
        lifetime=3600,
    )
    return {"scopes": fewest, "default": replace(fewest, read=("default",), hooks=(), write=())}
