"""monday's OAuth, in its two ages. ``2.1``: PKCE, access tokens that end (JWTs, which say when), refresh tokens that work once. ``legacy``: a token
that lasts. Which one an app speaks is chosen per version of the app, in its settings; an account's admin installs the app first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connectors.oauth import OAuth

API = "https://api.monday.com/v2"
DOOR = "https://auth.monday.com"
READ = ("me", "account", "workspaces", "boards", "users", "teams", "tags")


def flows(base_url: str) -> Mapping[str, OAuth]:
    """The person's page and the exchange are on a host of their own, but for a stand-in, which has all beside its ``/v2``."""
    root = DOOR if base_url == API else base_url.removesuffix("/v2")
    rotating = OAuth(
        authorize_url=f"{root}/oauth2/authorize",
        token_url=f"{root}/oauth_ms/oauth/token",
        revoke_url=f"{root}/oauth_ms/oauth/revoke",
        read=tuple(f"{name}:read" for name in READ),
        hooks=("webhooks:read", "webhooks:write"),
        write=("boards:write", "updates:write"),
        pkce=True,
        rotates=True,
    )
    exchange = ("client_id", "client_secret", "redirect_uri", "code")
    legacy = replace(rotating, token_url=f"{root}/oauth2/token", revoke_url=None, pkce=False, rotates=False, asks={}, exchange=exchange)
    return {"2.1": rotating, "legacy": legacy}
