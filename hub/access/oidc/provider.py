"""What the hub asks the provider: its metadata, its keys, a code's tokens, a person's claims. Every question has an end in seconds and bytes.

Only the issuer that the operator named is asked where the rest is, and its document must name that issuer to the letter (OpenID Connect Discovery
1.0, section 4.3). What it names may lie on other hosts, as with several large providers, but over TLS; plain http is for an issuer on this machine.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import quote_plus, urlsplit

import anyio
import httpx
import orjson

from hub import __version__, log
from hub.access.oidc.refusal import Reason, Refused
from hub.settings import Settings, is_loopback

SECONDS = 10.0
"""For one question in all, first byte to last."""
LARGEST = 512 * 1024
AT_ONCE, QUEUE_SECONDS = 8, 2.0
"""Questions at the same time, and how long one waits for its turn: a slow provider must not take all threads that answer people."""
FRESH = timedelta(hours=1)
"""How long metadata and keys are believed."""
PAUSE = timedelta(seconds=10)
"""After metadata could not be had, everybody is told so for so long without asking again."""
USUAL_SCOPES, GROUPS_SCOPE = ("openid", "email", "profile"), "groups"


@dataclass(frozen=True, slots=True)
class Metadata:
    """Of the provider's document what is used. ``algorithms``: None where it says nothing. ``posts_secret``: it takes the client's secret in the
    form only. ``names_issuer``: its answers to the browser carry ``iss`` (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    scopes: tuple[str, ...]
    algorithms: frozenset[str] | None
    posts_secret: bool
    names_issuer: bool


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    identity: str
    access: str | None


class Provider:
    """One issuer, for the whole process. Safe to share between threads; nothing is asked before somebody logs in. Raises Refused with UNREACHABLE,
    ANSWER, CLIENT or CODE."""

    def __init__(self, settings: Settings, now: Callable[[], datetime], *, seconds: float = SECONDS) -> None:
        assert settings.oidc_issuer is not None
        assert settings.oidc_client_id is not None
        self.issuer, self.client_id, self.settings, self.now = settings.oidc_issuer, settings.oidc_client_id, settings, now
        self._secret, self._seconds = settings.oidc_client_secret, seconds
        self._turns, self._lock = BoundedSemaphore(AT_ONCE), Lock()
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, list[dict[str, Any]]] | None = None
        self._failed: tuple[datetime, Refused] | None = None

    # -- what is known of it --------------------------------------------------------------------------------------------------------

    def metadata(self) -> Metadata:
        with self._lock:
            held, failed = self._metadata, self._failed
        if held is not None and held[0] + FRESH > self.now():
            return held[1]
        if failed is not None and failed[0] + PAUSE > self.now():
            raise Refused(failed[1].reason, failed[1].detail)
        try:
            found = self._read_metadata(self._json("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
        except Refused as error:
            with self._lock:
                self._failed = (self.now(), error)
            if failed is None:
                log.get("oidc").warning("the log-in provider cannot be used", reason=error.reason.value, detail=error.detail)
            raise
        with self._lock:
            self._metadata, self._failed = (self.now(), found), None
        if failed is not None:
            log.get("oidc").info("the log-in provider can be used again")
        return found

    def _read_metadata(self, document: Mapping[str, Any]) -> Metadata:
        if document.get("issuer") != self.issuer:
            raise Refused(Reason.ANSWER, "the provider's document names another issuer than HUB_OIDC_ISSUER")
        scopes, algorithms = _words(document, "scopes_supported"), _words(document, "id_token_signing_alg_values_supported")
        ways = _words(document, "token_endpoint_auth_methods_supported")
        return Metadata(
            authorization=self._address(document, "authorization_endpoint"),
            token=self._address(document, "token_endpoint"),
            keys=self._address(document, "jwks_uri"),
            userinfo=self._address(document, "userinfo_endpoint") if document.get("userinfo_endpoint") else None,
            scopes=(*USUAL_SCOPES, GROUPS_SCOPE) if GROUPS_SCOPE in scopes else USUAL_SCOPES,
            algorithms=frozenset(algorithms) or None,
            posts_secret="client_secret_post" in ways and "client_secret_basic" not in ways,
            names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _address(self, document: Mapping[str, Any], name: str) -> str:
        """An address that may be asked, or sent to."""
        text = document.get(name)
        wrong = Refused(Reason.ANSWER, f"the provider's {name} is missing, or not an https address")
        if not isinstance(text, str) or len(text) > 2000 or not text.isascii() or not text.isprintable() or any(char in text for char in ' #@\\"<>'):
            raise wrong
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise wrong from None
        here = parts.scheme == "http" and is_loopback(host) and is_loopback(urlsplit(self.issuer).hostname or "")
        if not host or not (parts.scheme == "https" or here):
            raise wrong
        return text

    def keys(self, *, anew: bool = False) -> list[dict[str, Any]]:
        """Its public keys, as they are (RFC 7517); ``anew``: whatever was known before."""
        with self._lock:
            held = self._keys
        if held is not None and held[0] + FRESH > self.now() and not anew:
            return held[1]
        listed = self._json("GET", self.metadata().keys).get("keys")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise Refused(Reason.ANSWER, "the provider's keys are not a set of keys")
        with self._lock:
            self._keys = (self.now(), listed)
        return listed

    # -- what it says of one log-in -------------------------------------------------------------------------------------------------

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """The tokens that a code stands for (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""
        known = self.metadata()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        headers = {}
        if self._secret is None or known.posts_secret:
            form |= {"client_id": self.client_id} | ({"client_secret": self._secret} if self._secret is not None else {})
        else:
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = self._json("POST", known.token, headers=headers, data=form)
        identity, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(identity, str):
            raise Refused(Reason.ANSWER, "the provider gave no ID token: is openid among the client's scopes?")
        return Tokens(identity, access if isinstance(access, str) else None)

    def claims_of(self, access: str, subject: str) -> Mapping[str, Any]:
        """What else it says of that person; nothing where it has no place for that."""
        place = self.metadata().userinfo
        if place is None or not access.isascii() or not access.isprintable():
            return {}
        found = self._json("GET", place, headers={"Authorization": f"Bearer {access}"})
        if found.get("sub") != subject:
            raise Refused(Reason.ANSWER, "the provider told of another person than the one who logged in")
        return found

    # -- the wire -------------------------------------------------------------------------------------------------------------------

    def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        """Calls from a thread that waits, like all who serve pages; the event loop is this call's own, so that a deadline can end it anywhere."""
        if not self._turns.acquire(timeout=QUEUE_SECONDS):
            raise Refused(Reason.UNREACHABLE, "too many log-ins wait for the provider")
        try:
            status, body = anyio.run(partial(self._ask, method, url, **options))
        finally:
            self._turns.release()
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            found = None
        if not 200 <= status < 300:
            raise _refusal(status, found)
        if not isinstance(found, dict):
            raise Refused(Reason.ANSWER, "the provider's answer is not a JSON object")
        return found

    async def _ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, data: Any = None) -> tuple[int, bytes]:
        asked = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"hub/{__version__}", **(headers or {})}
        proxy = None if is_loopback(urlsplit(url).hostname or "") else self.settings.proxy
        body = bytearray()
        try:
            with anyio.fail_after(self._seconds):
                async with (
                    httpx.AsyncClient(verify=_trust(self.settings.ca_bundle), trust_env=False, proxy=proxy, timeout=self._seconds) as client,
                    client.stream(method, url, headers=asked, data=data) as answer,
                ):
                    async for chunk in answer.aiter_raw():
                        body += chunk
                        if len(body) > LARGEST:
                            raise Refused(Reason.ANSWER, f"the provider's answer is longer than {LARGEST // 1024} kB")
                    return answer.status_code, bytes(body)
        except TimeoutError:
            raise Refused(Reason.UNREACHABLE, f"the provider gave no complete answer within {self._seconds:g} seconds") from None
        except (httpx.TransportError, ssl.SSLError, OSError) as error:  # httpx's words may hold the address asked, but no secret of the question
            raise Refused(Reason.UNREACHABLE, f"the provider cannot be reached ({type(error).__name__})") from error


@cache
def _trust(ca_bundle: str | None) -> ssl.SSLContext:
    """What certificates are judged by; costs some 20 ms, so once."""
    return httpx.create_ssl_context(ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True)


def _refusal(status: int, found: Any) -> Refused:
    """What an answer that is no success means. Of its words only the few codes that are known are looked at (RFC 6749, section 5.2)."""
    code = found.get("error") if isinstance(found, dict) else None
    if code == "invalid_grant":
        return Refused(Reason.CODE, "the provider does not take the code (any more)")
    if code in ("invalid_client", "unauthorized_client"):
        return Refused(Reason.CLIENT, f"the provider does not take the hub's client id, secret or redirect address ({code})")
    if 300 <= status < 400:
        return Refused(Reason.ANSWER, "the provider sends on to another address, which is not followed")
    return Refused(Reason.ANSWER if status < 500 else Reason.UNREACHABLE, f"the provider answered with status {status}")


def _words(document: Mapping[str, Any], name: str) -> list[str]:
    found = document.get(name)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
