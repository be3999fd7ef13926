"""Where a delivery leaves the hub: one POST, to the very address that the guard has judged, with every limit held.

The network backend is ours: it looks the name up, has each address judged and dials one of those, so no second look-up comes between (TLS and Host
still go by name). Connections are kept here and not in a pool, whose bookkeeping for thirty of them costs more than the delivery. Redirects are not
followed."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from hub import __version__, log
from hub.delivery.address import Place, Rules, TargetRefused, judge_all, parse

SECONDS = 15.0
"""For one attempt in all: look-up, connect, TLS, request, answer."""
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is used again: less than the five after which common servers close theirs."""
MOST_ANSWER = 64 * 1024
KEPT = 1024
LONGEST_WAIT = timedelta(hours=12)
"""A receiver's Retry-After beyond this is cut."""
REDIRECTS = range(300, 400)

Line = httpcore.AsyncHTTPConnection | httpcore.AsyncHTTPProxy
Header = tuple[bytes, bytes]
Resolver = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt. ``status`` None: no answer came. ``error`` None: delivered. ``wait``: the receiver's Retry-After."""

    status: int | None
    error: str | None
    milliseconds: int
    text: str = ""
    wait: timedelta | None = None


def tls(ca_bundle: str | None) -> ssl.SSLContext:
    """What certificates are judged by; costs some 20 ms, so one for all."""
    return httpx.create_ssl_context(ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True)


class Target:
    """One endpoint's URL and its open connections. Belongs to one event loop."""

    def __init__(self, url: str, rules: Rules, context: ssl.SSLContext, resolver: Resolver, *, seconds: float = SECONDS) -> None:
        self.place = parse(url)
        self._rules, self._context, self._seconds = rules, context, seconds
        self._backend = Guarded(self.place, rules, resolver)
        scheme = b"https" if self.place.secure else b"http"
        self._url = httpcore.URL(scheme=scheme, host=self.place.host.encode(), port=self.place.port, target=self.place.path.encode())
        self._always = [
            (b"host", self.place.authority.encode()),
            (b"user-agent", f"hub/{__version__}".encode()),
            (b"content-type", b"application/json"),
            (b"accept-encoding", b"identity"),
        ]
        self._idle: list[Line] = []

    async def post(self, headers: Iterable[Header], body: bytes, hide: Iterable[str] = ()) -> Answer:
        """Sends one message; never raises for what the other side does. ``hide``: words that the kept answer must not show."""
        clock = asyncio.get_running_loop().time
        began = clock()
        line = await self._line()
        sound = False
        try:
            async with asyncio.timeout(self._seconds):
                status, text, error, wait = await self._exchange(line, [*self._always, *headers, (b"content-length", b"%d" % len(body))], body)
            sound = True
        except TargetRefused as refusal:
            status, text, error, wait = None, b"", f"refused: {refusal}", None
        except TimeoutError:
            status, text, error, wait = None, b"", f"no complete answer within {self._seconds:g} seconds", None
        except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.ProxyError, OSError) as failure:
            status, text, error, wait = None, b"", _reason(failure), None
        finally:
            if sound:
                self._idle.append(line)
            else:
                await line.aclose()
        error = None if error is None else _printable(error)
        return Answer(status, error, round((clock() - began) * 1000), _fit(text, hide), wait)

    async def aclose(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()
        await asyncio.sleep(0)  # they close in the loop's next round

    async def _line(self) -> Line:
        """The connection used last that still lives, or a new one."""
        while self._idle:
            line = self._idle.pop()
            if isinstance(line, httpcore.AsyncHTTPProxy) or (line.is_available() and not line.has_expired()):
                return line
            await line.aclose()
        how: dict[str, Any] = {"ssl_context": self._context, "keepalive_expiry": KEEP_ALIVE, "http2": False}
        if self._rules.proxied(self.place.host):
            return httpcore.AsyncHTTPProxy(**_way(self._rules.proxy or "", self._context), max_connections=1, **how)
        return httpcore.AsyncHTTPConnection(self._url.origin, network_backend=self._backend, **how)

    async def _exchange(self, line: Line, headers: list[Header], body: bytes) -> tuple[int, bytes, str | None, timedelta | None]:
        response = await line.handle_async_request(httpcore.Request(b"POST", self._url, headers=headers, content=body))
        try:
            size, kept = 0, b""
            async for chunk in response.aiter_stream():
                size += len(chunk)
                kept += chunk[: KEPT - len(kept)]
                if size > MOST_ANSWER:
                    return response.status, kept, f"the answer is longer than {MOST_ANSWER // 1024} kB", None
        finally:
            await response.aclose()
        if 200 <= response.status < 300:
            return response.status, kept, None, None
        hint = " (redirects are not followed: change the endpoint's URL)" if response.status in REDIRECTS else ""
        return response.status, kept, f"answered {response.status}{hint}", _retry_after(response.headers)


class Guarded(httpcore.AsyncNetworkBackend):
    """Dials one place only, after the guard has judged all its addresses anew."""

    def __init__(self, place: Place, rules: Rules, resolver: Resolver) -> None:
        self._place, self._rules, self._resolver = place, rules, resolver

    async def connect_tcp(self, host: str, port: int, *_args: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        if (host, port) != (self._place.host, self._place.port):
            raise TargetRefused("the connection asked for another place than the one that was judged")
        found = [host] if self._place.literal is not None else await self._resolver(host, port)
        return await self._dial(judge_all(self._place, found, self._rules), port)

    async def _dial(self, addresses: list[str], port: int) -> httpcore.AsyncNetworkStream:
        problem: OSError | None = None
        for address in addresses[:4]:
            try:
                return Stream(*await asyncio.open_connection(address, port, limit=MOST_ANSWER))
            except OSError as error:
                problem = error
        raise httpcore.ConnectError(f"cannot connect: {problem.strerror if problem else ''}") from problem


class Stream(httpcore.AsyncNetworkStream):
    """asyncio's own streams: on a busy loop a third of the cost of the default backend's. What is written leaves when the answer is waited for, so
    that head and body are one packet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._held: list[bytes] = []

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  the protocol's own signature
        try:
            if self._held:
                self._writer.write(b"".join(self._held))
                self._held.clear()
                await self._writer.drain()
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore.ReadError(f"the connection broke: {error.strerror}") from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  the protocol's own signature
        self._held.append(buffer)

    async def aclose(self) -> None:
        self._writer.transport.abort()  # whoever would answer a farewell slowly gets none

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  the protocol's own signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except (ssl.SSLError, OSError) as error:
            await self.aclose()
            reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or error
            raise httpcore.ConnectError(f"TLS failed: {reason}") from error
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # an idle connection with something to read has been closed by the other side
            return self._reader.at_eof() or self._writer.transport.is_closing() or self._has_news()
        if info == "ssl_object":
            return self._writer.get_extra_info("ssl_object")
        return None

    def _has_news(self) -> bool:
        """Asks the system: the loop may not have come round to it yet."""
        asked = select.poll()
        asked.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(asked.poll(0))


def _way(proxy: str, context: ssl.SSLContext) -> dict[str, Any]:
    """A proxy's URL as httpcore wants it: user and password apart, or they would be dropped without a word."""
    parts = urlsplit(proxy)
    way: dict[str, Any] = {"proxy_url": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"}
    if parts.username is not None:
        way["proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return way | ({"proxy_ssl_context": context} if parts.scheme == "https" else {})


def _reason(failure: Exception) -> str:
    if isinstance(failure, httpcore.ProtocolError):
        return f"the answer is not HTTP, or its headers are too long: {failure}"[:300]
    return (str(failure) or type(failure).__name__)[:300]


def _retry_after(headers: Iterable[Header]) -> timedelta | None:
    """What a receiver asks for, in seconds or as a date; never more than ``LONGEST_WAIT``."""
    text = next((value for name, value in headers if name.lower() == b"retry-after"), b"").decode("ascii", "replace").strip()
    if text.isdecimal():
        return min(timedelta(seconds=min(int(text[:9]), 10**6)), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year of twenty digits
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(timedelta(0), min(until - datetime.now(UTC), LONGEST_WAIT))


def _fit(text: bytes, hide: Iterable[str]) -> str:
    """An answer's beginning as it may be kept and shown: printable, without what we sent in confidence."""
    words = text.decode("utf-8", "replace")
    for secret in hide:
        words = words.replace(secret, log.HIDDEN)
    return log.BEARER.sub(log.HIDDEN, _printable(words))


def _printable(words: str) -> str:
    """Not every database takes every character."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in words)
