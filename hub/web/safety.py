"""What holds for every request before anything looks at it: who really calls, under which name, over what; and which headers follow from that.

- ``X-Forwarded-For`` and ``-Proto`` are believed from HUB_TRUSTED_PROXIES only, read from the right: what a stranger puts in front counts for
  nothing.
- Where the hub knows its names (public URL, HUB_ALLOWED_HOSTS), the ``Host`` must be one of them, this machine or a bare address, so that a page of
  another site whose name was turned to our address (DNS rebinding) is refused.
- Pages of somebody signed in are stored by no cache. Behind TLS browsers are told to come over TLS only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from fastapi import Response
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub import log
from hub.access import sessions
from hub.access.who import Who
from hub.db import Database
from hub.settings import Settings
from hub.web.login import NEW_BINDING, SEEN, WHO

HERE = ("localhost", "localhost.localdomain")
HSTS = f"max-age={365 * 24 * 3600}"
FORM_COOKIE_SECONDS = 24 * 3600


class Safety:
    """Plain ASGI, outside everything but the envelope."""

    def __init__(self, app: ASGIApp, settings: Settings, database: Database, now: Callable[[], datetime]) -> None:
        self.app, self.database, self.now = app, database, now
        self.proxies = [ip_network(each) for each in settings.trusted_proxies]
        public = urlsplit(settings.public_url or "")
        self.public, self.tls = public.netloc.lower(), public.scheme == "https"
        self.hosts = {each for each in (public.hostname, *settings.allowed_hosts) if each}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._behind_proxies(scope, headers)
        if not self._is_ours(headers.getlist("host")):
            log.get("web").warning("a request for another host was refused", host=headers.get("host", "")[:100])
            refusal = "This hub does not go by that name. Its admin can add it with HUB_ALLOWED_HOSTS.\n"
            await Response(refusal, 421, media_type="text/plain")(scope, receive, send)
            return
        secure = scope["scheme"] == "https" or (self.tls and headers.get("host", "").lower() == self.public)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._seal(scope, MutableHeaders(scope=message), secure=secure)
            await send(message)

        await self.app(scope, receive, sealed)
        if scope.get(SEEN):
            await run_sync(self._note_seen, scope[WHO])

    def _behind_proxies(self, scope: Scope, headers: Headers) -> None:
        """Puts the real caller and scheme in, as far back as proxies are trusted."""
        peer = scope["client"][0] if scope.get("client") else None
        if peer is None or not self._trusted(peer):
            return
        chain = [each.strip() for line in headers.getlist("x-forwarded-for") for each in line.split(",") if each.strip()]
        while chain and self._trusted(peer):
            if (found := _address(chain.pop())) is None:
                break
            peer = str(found)
        scope["client"] = (peer, 0)
        if (said := headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()) in ("http", "https"):
            scope["scheme"] = said

    def _trusted(self, address: str) -> bool:
        found = _address(address)
        return found is not None and any(found in network for network in self.proxies)

    def _is_ours(self, said: list[str]) -> bool:
        """One Host, and where we know our names, one of them. An address as such cannot be turned to another machine."""
        if len(said) != 1:
            return False
        try:
            host = urlsplit(f"//{said[0]}").hostname or ""
        except ValueError:
            return False
        if not self.hosts or host in self.hosts or host in HERE or _address(host) is not None:
            return True
        return any(each.startswith("*.") and host.endswith(each[1:]) for each in self.hosts)

    def _seal(self, scope: Scope, headers: MutableHeaders, *, secure: bool) -> None:
        if secure:
            headers["Strict-Transport-Security"] = HSTS
        if (scope.get(WHO) is not None or scope.get(NEW_BINDING)) and "cache-control" not in headers:
            headers["Cache-Control"] = "no-store"
        if binding := scope.get(NEW_BINDING):
            name, more = ("__Host-hub_form", "; Secure") if secure else ("hub_form", "")
            headers.append("Set-Cookie", f"{name}={binding}; Max-Age={FORM_COOKIE_SECONDS}; Path=/; HttpOnly; SameSite=Lax{more}")

    def _note_seen(self, who: Who) -> None:
        try:
            with self.database.writing() as session:
                sessions.note_seen(session, who.session_id or "", self.now())
        except OperationalError as error:  # bookkeeping: the answer has been given, and the next request tries again
            log.get("web").warning("a session's use was not noted", error=str(error.orig))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
