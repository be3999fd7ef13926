"""ClickUp's OAuth: a code, traded once for a token that lasts. There are no scopes: the person chooses the workspaces. Nothing is refreshed, and
there is no address to give a token back to: that is done in ClickUp's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connectors.oauth import OAuth

API = "https://api.clickup.com/api"
PAGE = "https://app.clickup.com/api"


def flows(base_url: str) -> Mapping[str, OAuth]:
    """The page for the person is on another host than the API, but for a stand-in, which has both under one address."""
    page = PAGE if base_url == API else base_url
    usual = OAuth(authorize_url=page, token_url=f"{base_url}/v2/oauth/token", as_json=True, asks={}, unknown_app=("OAUTH_010",))
    return {"standard": replace(usual, exchange=("client_id", "client_secret", "code"))}
