"""Access that a person grants in the tool itself, instead of copying a token: OAuth 2.0's authorization code (RFC 6749), with PKCE (RFC 7636) where
the vendor has it.

What differs between vendors is data, ``OAuth``; each one's is in its ``oauth.py``. The calls go through ``Http.token_exchange``, which sends to the
declared addresses and nothing else, and repeats nothing: a code works once, and so does a refresh token that rotates.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson

from connectors.errors import AuthFailed, BadResponse, ConnectorError
from connectors.http import Client, Http, Lane
from connectors.limiter import limiter_for
from connectors.redaction import words_of

LANES = {"default": Lane(per_minute=60, at_once=4)}
EVERYTHING = ("grant_type", "client_id", "client_secret", "redirect_uri", "code", "code_verifier")


@dataclass(frozen=True, slots=True)
class OAuth:
    """One way into one tool. ``read``: the fewest scopes that the hub reads with; ``hooks``: those for being told by webhooks; ``write``: asked for
    only by a connection that is to write. ``lifetime``: seconds that an access token lives where its answer does not say, null for one that lasts
    until it is revoked. ``rotates``: a refresh token works once. ``asks``: parameters of the first address besides client, redirect, state and scope.
    ``exchange``: the fields that the code is traded with. ``revokes``: which token ``revoke_url`` takes, refresh or access. ``unknown_app``: codes
    of the vendor for a wrong id or secret of the app."""

    authorize_url: str
    token_url: str
    revoke_url: str | None = None
    read: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    pkce: bool = False
    lifetime: int | None = None
    rotates: bool = False
    as_json: bool = False
    asks: Mapping[str, str] = field(default_factory=lambda: {"response_type": "code"})
    exchange: tuple[str, ...] = EVERYTHING
    revokes: str = "refresh"
    unknown_app: tuple[str, ...] = ("invalid_client",)


@dataclass(frozen=True, slots=True)
class App:
    """What the vendor knows this hub as: made by an admin in the vendor's developer console."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What an exchange brought. ``expires_at``: null where the token lasts. ``scopes``: null where the vendor does not say."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None


class Renewal(Protocol):
    """Keeps an access token usable while it is in use, and keeps the new ones."""

    async def current(self) -> str:
        """The token to use now, renewed first where it is about to end. Raises AuthFailed where the vendor renews it no longer."""
        ...

    async def instead_of(self, refused: str) -> str | None:
        """Another token than the one that was refused; null where there is none. Raises AuthFailed."""
        ...


def challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorize_address(flow: OAuth, client_id: str, *, redirect_uri: str, state: str, scopes: tuple[str, ...], verifier: str | None) -> str:
    """Where the person goes to say yes."""
    asked = {"client_id": client_id, "redirect_uri": redirect_uri, "state": state, **flow.asks}
    if scopes:
        asked["scope"] = " ".join(scopes)
    if flow.pkce and verifier is not None:
        asked |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
    return f"{flow.authorize_url}?{urlencode(asked)}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The vendor's token endpoint, as one app sees it."""

    client: Client
    flow: OAuth
    app: App = field(repr=False)
    now: Callable[[], datetime]

    async def code(self, code: str, *, redirect_uri: str, verifier: str | None) -> Grant:
        """Trades the code. Raises AuthFailed where the vendor refuses it (or the app), BadResponse where the answer holds no token."""
        given = {"grant_type": "authorization_code", "redirect_uri": redirect_uri, "code": code}
        if self.flow.pkce and verifier is not None:
            given["code_verifier"] = verifier
        known = {**given, "client_id": self.app.client_id, "client_secret": self.app.client_secret}
        return await self._trade({name: known[name] for name in self.flow.exchange if name in known})

    async def renewed(self, refresh: str) -> Grant:
        """Trades a refresh token; the same one stays in force where the answer holds no other. Raises as ``code`` does."""
        form = {"grant_type": "refresh_token", "client_id": self.app.client_id, "client_secret": self.app.client_secret, "refresh_token": refresh}
        found = await self._trade(form)
        return found if found.refresh is not None else Grant(found.access, refresh, found.expires_at, found.scopes)

    async def revoke(self, grant: Grant) -> bool:
        """Gives the access back; False where the vendor has no address for that. Raises ConnectorError."""
        token = grant.refresh if self.flow.revokes == "refresh" else grant.access
        if self.flow.revoke_url is None or token is None:
            return False
        form = {"client_id": self.app.client_id, "client_secret": self.app.client_secret, "token": token}
        await self._http().token_exchange(self.flow.revoke_url, form, as_json=self.flow.as_json, may_be_empty=True)
        return True

    async def _trade(self, form: Mapping[str, str]) -> Grant:
        answer = await self._http().token_exchange(self.flow.token_url, form, as_json=self.flow.as_json)
        return grant_of(answer.body, self.flow, self.now())

    def _http(self) -> Http:
        addresses = tuple(each for each in (self.flow.token_url, self.flow.revoke_url) if each is not None)
        limiter = limiter_for(f"oauth {self.flow.token_url} {self.app.client_id}", LANES)
        return Http(self.client, base_url=self.flow.token_url, headers={}, classify=classify, limiter=limiter, hooks=addresses, now=self.now)


def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
    """At a token endpoint every "no" needs a person: the code or the refresh token is spent, or the app's id and secret are wrong."""
    if status not in (400, 401, 403):
        return None
    said = body.get("error") or body.get("ECODE") if isinstance(body, dict) else None
    return AuthFailed(words_of(body), code=said if isinstance(said, str) else None, status=status)


def grant_of(body: Any, flow: OAuth, now: datetime) -> Grant:
    """The answer of a token endpoint. Raises BadResponse."""
    said = body if isinstance(body, dict) else {}
    access, refresh, scope = said.get("access_token"), said.get("refresh_token"), said.get("scope")
    if not isinstance(access, str) or not access:
        raise BadResponse("the tool's answer to the exchange holds no access token")
    if refresh is not None and not (isinstance(refresh, str) and refresh):
        raise BadResponse("the tool's answer to the exchange holds a refresh token that is none")
    scopes = tuple(scope.replace(",", " ").split()) if isinstance(scope, str) else None
    return Grant(access, refresh, _expiry(said.get("expires_in"), access, flow, now), scopes)


def _expiry(said: Any, access: str, flow: OAuth, now: datetime) -> datetime | None:
    """By the answer, else by the token itself where it is a JWT, else by what is known of the vendor."""
    if isinstance(said, (int, float)) and not isinstance(said, bool) and 0 < said < 10**9:
        return now + timedelta(seconds=said)
    if (end := _jwt_end(access)) is not None:
        return end
    return None if flow.lifetime is None else now + timedelta(seconds=flow.lifetime)


def _jwt_end(token: str) -> datetime | None:
    """When a JWT says that it ends. Nothing is trusted by this: a wrong end makes a renewal come too early, or a refusal first."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        end = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))).get("exp")
        return datetime.fromtimestamp(end, UTC)
    except (binascii.Error, ValueError, AttributeError, TypeError, OverflowError, OSError):  # no JWT, or none with a readable end
        return None
