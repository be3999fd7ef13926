"""What the three vendors' OAuth have in common: registered apps, codes that work once, tokens that end or rotate. How each one is asked, and how it
says no, is in its own ``oauth.py``. Whoever is asked for consent says yes at once, unless the knobs say otherwise."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit

from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Tool, World

CODE_LIFE = 60.0
"""Seconds between consent and exchange; RFC 6749 recommends minutes at the most."""


class Denied(Exception):
    """An OAuth error, by its RFC 6749 name. ``status``: what the token endpoint answers."""

    def __init__(self, error: str, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.error, self.words, self.status = error, words, status


@dataclass(slots=True)
class Code:
    redirect_uri: str
    challenge: str | None
    scopes: tuple[str, ...]
    until: float


@dataclass(slots=True)
class Given:
    """One consent: a refresh token (or none) and the access tokens that came of it, each with its end (None: never)."""

    scopes: tuple[str, ...]
    access: dict[str, float | None]
    refresh: str | None = None
    revoked: bool = False


class Office:
    """One vendor's registry of apps and grants. ``clock``: seconds; the knob ``later`` is added to it."""

    def __init__(self, world: World, knobs: Knobs, tool: Tool, clock: Callable[[], float]) -> None:
        self._world, self._knobs, self._tool, self._clock = world, knobs, tool, clock
        self._codes: dict[str, Code] = {}
        self.grants: list[Given] = []

    def now(self) -> float:
        return self._clock() + self._knobs.later

    def life(self, usual: float | None) -> float | None:
        """Seconds that an access token lives."""
        return self._knobs.access_life.get(self._tool, usual)

    # -- consent --------------------------------------------------------------------------------------------------------------------

    def known_app(self, client_id: str | None, redirect_uri: str | None) -> str:
        """The address to send the person back to. Raises Denied where there is none that may be trusted: then nobody is sent anywhere."""
        app = self._knobs.apps.get(self._tool, app_of(self._tool))
        if client_id != app["client_id"]:
            raise Denied("invalid_client", "Client not found", 401)
        registered = app.get("redirects") or ()
        if not redirect_uri or (redirect_uri not in registered if registered else not _is_here(redirect_uri)):
            raise Denied("invalid_redirect_uri", "The redirect URI is not registered for this app")
        return redirect_uri

    def consent(self, redirect_uri: str, state: str | None, scopes: tuple[str, ...], challenge: str | None) -> str:
        """The address with the code, or with the person's no."""
        told = {} if state is None else {"state": state}
        if self._tool in self._knobs.denied:
            return f"{redirect_uri}?{urlencode({'error': 'access_denied', 'error_description': 'The user said no', **told})}"
        code = f"{secrets.randbelow(10**12):012d}{secrets.token_hex(16)}"
        self._codes[code] = Code(redirect_uri, challenge, scopes, self.now() + CODE_LIFE)
        return f"{redirect_uri}?{urlencode({'code': code, **told})}"

    # -- exchange -------------------------------------------------------------------------------------------------------------------

    def authenticate(self, form: dict[str, Any]) -> None:
        app = self._knobs.apps.get(self._tool, app_of(self._tool))
        known = compare_digest(str(form.get("client_secret", "")).encode(), str(app["client_secret"]).encode())
        if form.get("client_id") != app["client_id"] or not known:
            raise Denied("invalid_client", "The client id or secret is wrong", 401)

    def spend(self, form: dict[str, Any], *, with_redirect: bool = True) -> Code:
        """Takes a code, which then is gone, and checks all that it was given for."""
        code = self._codes.pop(str(form.get("code", "")), None)
        if code is None or code.until <= self.now():
            raise Denied("invalid_grant", "The code is unknown, used or expired")
        if with_redirect and form.get("redirect_uri") != code.redirect_uri:
            raise Denied("invalid_grant", "The redirect URI is not the one of the consent")
        verifier = form.get("code_verifier")
        if (code.challenge is None) != (verifier is None):
            raise Denied("invalid_grant", "A code verifier and a code challenge belong together")
        if code.challenge is not None and challenge_of(str(verifier)) != code.challenge:
            raise Denied("invalid_grant", "The code verifier does not fit the challenge")
        return code

    def grant(self, scopes: tuple[str, ...], access: str, life: float | None, refresh: str | None) -> Given:
        made = Given(scopes, {access: None if life is None else self.now() + life}, refresh)
        self.grants.append(made)
        return made

    def refreshed(self, refresh: Any) -> Given:
        """The grant of a refresh token that is still in force."""
        found = next((each for each in self.grants if not each.revoked and each.refresh is not None and each.refresh == refresh), None)
        if found is None:
            raise Denied("invalid_grant", "The refresh token is unknown, used or revoked")
        return found

    def extend(self, given: Given, access: str, life: float | None) -> None:
        given.access[access] = None if life is None else self.now() + life

    def revoke(self, given: Given) -> None:
        given.revoked = True

    # -- use ------------------------------------------------------------------------------------------------------------------------

    def accepts(self, token: str) -> bool:
        """Whether an access token is good now."""
        if self._tool in self._knobs.revoked:
            return False
        for each in self.grants:
            if token in each.access and not each.revoked:
                end = each.access[token]
                return end is None or self.now() < end
        return False


def app_of(tool: str) -> dict[str, Any]:
    """The app that is registered from the beginning; without ``redirects`` it may send people back to any address of this machine."""
    return {"client_id": f"{tool}-app", "client_secret": f"{tool}-app-secret", "redirects": []}


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _is_here(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
