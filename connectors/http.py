"""The one wrapper round httpx: asks a vendor, obeys its limits, and turns what comes back into an ``Answer`` or an error of ``connectors.errors``.

Reads only, by proof. A method other than GET, and a GraphQL document that holds anything but queries, are refused before they are sent. What a
connector needs besides (registering a webhook, exchanging a token) it declares by name in ``hooks`` and sends through the methods made for that.
``writes=True`` lifts the refusal.

Nothing is ever taken for an empty page. An answer counts only with a status of 2xx and a complete JSON object or array, after the vendor's own
``classify`` had the first word on it (monday says "try later" with 200).

The first try is made plainly; tenacity is entered only once something went wrong. What may be tried again: reads, for Transient errors; all else
only when the vendor said "too many calls", since only then is it sure that nothing was done.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import metadata
from typing import Any, Final, NoReturn, TypeAlias

import anyio
import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from connectors.address import check_base_url
from connectors.errors import AuthFailed, BadResponse, ConnectorError, NotFound, RateLimited, Refused, Transient
from connectors.limiter import LONGEST_WAIT, Lane, Limiter
from connectors.readonly import WriteRefused, changes, require_hook_path, require_read, require_subscription
from connectors.redaction import Scrub, words_of
from connectors.waits import retry_after

__all__ = ["Answer", "Classify", "Client", "Http", "Lane", "Limiter", "WriteRefused", "build_client", "check_base_url"]

Classify = Callable[[int, Mapping[str, str], Any], ConnectorError | None]
"""(status, headers, body or None where it is not JSON) -> the vendor's own reading of it, or None for the general one."""

Instead: TypeAlias = Callable[[bytes], Any]
"""The bytes of an answer -> what to take for its body, where just these were a good answer before; null: they are parsed and judged."""

Renew: TypeAlias = Callable[[Mapping[str, str] | None], Awaitable[Mapping[str, str] | None]]
"""The headers that the vendor has just refused (None: asked before a call is sent) -> those to authenticate with from now on (None: the same)."""

Client: TypeAlias = httpx.AsyncClient
"""The pool, for those who pass it on and need not know httpx."""

BODY_LIMIT = 64 * 1024 * 1024
CALL_SECONDS = 180.0
"""One call from first byte to last: httpx's own timeouts begin anew with every chunk of a dripping answer."""

FAULTS, REFUSALS, RETRY_SECONDS = 6, 12, 300.0
"""Tries that may end in a fault, tries that may end in 429 (a shared token is refused often), and the seconds that all of them may take."""

_BACKOFF: Final = wait_random_exponential(multiplier=2, max=30)  # full jitter
_UNSAID_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer; ``body`` is the parsed JSON (null only where a hook was taken down with an empty answer). ``repr`` shows the status alone."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Call:
    request: httpx.Request
    lane: str
    scrub: Scrub
    again: type[Transient] = Transient
    may_be_empty: bool = False
    instead: Instead | None = None

    def __str__(self) -> str:
        """Method, path and the names of the parameters: the values may be cursors."""
        url = self.request.url
        return f"{self.request.method} {url.path}" + (f"?{'&'.join(dict.fromkeys(url.params.keys()))}" if url.query else "")


class _Patience:
    """The bounds on the retries of one call. Waiting for the limiter's turn counts neither as a try nor as time."""

    __slots__ = ("faults", "refusals", "seconds")

    def __init__(self) -> None:
        self.faults = self.refusals = 0
        self.seconds = 0.0

    def wait(self, state: RetryCallState) -> float:
        """Seconds. Nothing for RateLimited: the limiter is paused already, for this caller as for all others."""
        error = _outcome(state)
        if isinstance(error, RateLimited):
            self.refusals += 1
            self.seconds += error.retry_after
            return 0.0
        self.faults += 1
        pause = _BACKOFF(state)
        self.seconds += pause
        return pause

    def at_end(self, state: RetryCallState) -> bool:
        error = _outcome(state)
        if isinstance(error, RateLimited) and error.retry_after > LONGEST_WAIT:
            return True
        return self.faults >= FAULTS or self.refusals >= REFUSALS or self.seconds > RETRY_SECONDS


class Http:
    """One credential at one base URL. ``requests`` counts the calls sent, ``waited`` the seconds spent on the vendor's limits.

    ``hooks``: what the connector may send besides reads. ``/webhooks`` or ``/v2/team/*/webhook`` (that path and what lies under it; ``*`` is one
    segment), the name of a GraphQL mutation (``create_webhook``), or a whole token URL. ``on_headers``, where set, sees every answer's headers first.
    ``renew``: for a credential that does not last; it is asked before every call, and once more for a call that was refused as unauthorised.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        base_url: str,
        headers: Mapping[str, str],
        classify: Classify,
        limiter: Limiter,
        writes: bool = False,
        hooks: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        renew: Renew | None = None,
    ) -> None:
        self.limiter = limiter
        self.requests = 0
        self.waited = 0.0
        self.on_headers: Callable[[Mapping[str, str]], None] | None = None
        self._client = client
        self._base = base_url.rstrip("/")
        self._classify = classify
        self._writes = writes
        self._hooks = tuple(hooks)
        self._now = now
        self._renew = renew
        self._authenticate(headers)

    def __repr__(self) -> str:
        return f"Http({self._base!r}, requests={self.requests})"

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise AuthFailed("the credential holds characters that no header can carry: paste it again, without line breaks")
        self._given = headers
        self._headers = httpx.Headers(headers)
        self._json_headers = httpx.Headers({**headers, "Content-Type": "application/json"})
        self._scrub = Scrub.of_headers(headers)

    async def get(self, path: str, params: Sequence[tuple[str, str]] = (), *, lane: str = "default", instead: Instead | None = None) -> Answer:
        """Reads one page; raises any ConnectorError but CursorExpired, unless ``classify`` says that. ``instead``: see there."""
        return await self._ask(_Call(self._request("GET", path, params), lane, self._scrub, instead=instead))

    async def graphql(self, query: str, variables: Mapping[str, Any] | None = None, *, lane: str = "default") -> Answer:
        """Sends a GraphQL query to the base URL; raises WriteRefused for a mutation."""
        if not self._writes:
            require_read(query)
        return await self._ask(self._graphql(query, variables, lane, again=RateLimited if changes(query) else Transient))

    async def write(self, method: str, path: str, json: Any = None, *, lane: str = "default") -> Answer:
        """Changes something at the vendor; raises WriteRefused unless the connection is set to write."""
        if not self._writes:
            raise WriteRefused(f"{method} {path} was not sent: this connection only reads")
        return await self._ask(_Call(self._request(method, path, json=json), lane, self._scrub, RateLimited, may_be_empty=True))

    async def register_hook(self, method: str, path: str, json: Any = None, *, lane: str = "default") -> Answer:
        """Makes, changes or takes down a webhook at a path that the connector has declared; raises WriteRefused elsewhere."""
        if not self._writes:
            require_hook_path(method, path, self._hooks)
        return await self._ask(_Call(self._request(method, path, json=json), lane, self._scrub, RateLimited, may_be_empty=True))

    async def register_hook_graphql(self, query: str, variables: Mapping[str, Any] | None = None, *, lane: str = "default") -> Answer:
        """The same by a GraphQL mutation that the connector has declared by its name."""
        if not self._writes:
            require_subscription(query, self._hooks)
        return await self._ask(self._graphql(query, variables, lane, again=RateLimited))

    async def token_exchange(
        self, url: str, form: Mapping[str, str], *, as_json: bool = False, may_be_empty: bool = False, lane: str = "default"
    ) -> Answer:
        """Trades a code or a refresh token for an access token at a declared URL, or gives one back; the credential in use is not sent there.

        Never repeated after a fault: a code works once.
        """
        if not self._writes and url not in self._hooks:
            raise WriteRefused("the token exchange was not sent: its address is not declared by the connector")
        check_base_url(url)
        scrub = self._scrub.also(form.values())
        if as_json:
            request = self._client.build_request("POST", url, content=orjson.dumps(dict(form)), headers={"Content-Type": "application/json"})
        else:
            request = self._client.build_request("POST", url, data=dict(form))
        return await self._tried(_Call(request, lane, scrub, RateLimited, may_be_empty=may_be_empty))

    def _graphql(self, query: str, variables: Mapping[str, Any] | None, lane: str, again: type[Transient]) -> _Call:
        document = {"query": query, "variables": dict(variables)} if variables else {"query": query}
        return _Call(self._request("POST", "", json=document), lane, self._scrub, again)

    def _request(self, method: str, path: str, params: Sequence[tuple[str, str]] = (), json: Any = None) -> httpx.Request:
        if path and not path.startswith("/"):
            raise ValueError(f"a path begins with a slash: {path!r}")  # "https://host" + "@elsewhere" would take the credential to another host
        content = None if json is None else orjson.dumps(json)
        headers = self._headers if json is None else self._json_headers
        try:
            return self._client.build_request(method, self._base + path, params=list(params) or None, content=content, headers=headers)
        except httpx.InvalidURL:
            raise BadResponse(f"no address can be made of {self._scrub(path)!r}") from None

    async def _ask(self, call: _Call) -> Answer:
        if self._renew is None:
            return await self._tried(call)
        call = await self._renewed(call, None) or call
        used = self._given
        call.request.headers.update(used)  # it may have been made before another call had them renewed
        try:
            return await self._tried(call)
        except AuthFailed:  # nothing was done, whatever was asked
            again = await self._renewed(call, used)
            if again is None:
                raise
            return await self._tried(again)

    async def _renewed(self, call: _Call, refused: Mapping[str, str] | None) -> _Call | None:
        """The call with other credentials; None where there are no others."""
        headers = await self._renew(refused) if self._renew is not None else None
        if headers is None:
            return None
        self._authenticate(headers)
        call.request.headers.update(headers)
        return replace(call, scrub=self._scrub)

    async def _tried(self, call: _Call) -> Answer:
        try:
            return await self._once(call)
        except call.again as first:
            return await self._again(call, first)

    async def _again(self, call: _Call, first: Transient) -> Answer:
        """Goes on after a first failure, which is handed to tenacity as if it had seen it, so that it is counted like the others."""
        patience = _Patience()
        seen: list[Transient] = [first]

        async def attempt() -> Answer:
            if seen:
                raise seen.pop()
            return await self._once(call, patience)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(call.again), wait=patience.wait, stop=patience.at_end, sleep=self.limiter.sleep, reraise=True
        )
        return await retrying(attempt)

    async def _once(self, call: _Call, patience: _Patience | None = None) -> Answer:
        self.waited += await self.limiter.enter(call.lane)
        started = self.limiter.clock()
        try:
            self.requests += 1
            status, headers, content = await self._fetch(call)
        except httpx.LocalProtocolError as error:
            raise BadResponse(f"{call} could not be sent: {call.scrub(str(error))}") from None
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            # Not chained: the text of a broken answer is in httpx's error, and may hold what the server echoed.
            raise Transient(f"{call} failed: {type(error).__name__} {call.scrub(str(error))}".rstrip()) from None
        finally:
            self.limiter.leave(call.lane)
            if patience is not None:
                patience.seconds += self.limiter.clock() - started
        return self._judge(call, status, headers, content)

    async def _fetch(self, call: _Call) -> tuple[int, httpx.Headers, bytes]:
        with anyio.fail_after(CALL_SECONDS):
            response = await self._client.send(call.request, stream=True, follow_redirects=False)
            try:
                chunks, size = list[bytes](), 0
                async for chunk in response.aiter_bytes():
                    size += len(chunk)
                    if size > BODY_LIMIT:
                        raise BadResponse(f"{call} answered with more than {BODY_LIMIT // 1024 // 1024} MB", status=response.status_code)
                    chunks.append(chunk)
            finally:
                await response.aclose()
        return response.status_code, response.headers, b"".join(chunks)

    def _judge(self, call: _Call, status: int, headers: httpx.Headers, content: bytes) -> Answer:
        if self.on_headers is not None:
            self.on_headers(headers)
        if call.instead is not None and status == 200 and (known := call.instead(content)) is not None:
            return Answer(status, headers, known)
        try:
            body = _without_nul(orjson.loads(content)) if rb"\u0000" in content else orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        error = self._classify(status, headers, body)
        if error is None and 200 <= status < 300:
            if isinstance(body, (dict, list)) or (call.may_be_empty and not content):
                return Answer(status, headers, body)
            error = Transient("the body is " + ("empty" if not content else "not complete JSON" if body is None else "neither an object nor a list"))
        self._raise(call, error or _translate(status, headers, body, self._now()), status)

    def _raise(self, call: _Call, error: ConnectorError, status: int) -> NoReturn:
        """Says where it happened, takes out what nobody may see, and lets everyone with this credential wait where the vendor wants that."""
        words = call.scrub(str(error))
        error.args = (f"{call} answered {status}" + (f": {words}" if words else ""),)
        error.code = None if error.code is None else call.scrub(str(error.code))
        error.status = status if error.status is None else error.status
        if isinstance(error, RateLimited):
            self.limiter.pause(error.retry_after)
        raise error


def _without_nul(value: Any) -> Any:
    """JSON may hold the character NUL, PostgreSQL's text may not: one such title would stop its connection for good."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return value


def _translate(status: int, headers: Mapping[str, str], body: Any, now: datetime) -> ConnectorError:
    """The general meaning of a status; the only place where it is written down."""
    words = words_of(body)
    wait = retry_after(headers, now)
    if status == 429 or (status == 503 and wait is not None):
        return RateLimited(words, retry_after=_UNSAID_WAIT if wait is None else wait, status=status)
    kinds: dict[int, type[ConnectorError]] = {401: AuthFailed, 402: Refused, 403: Refused, 404: NotFound, 410: NotFound}
    kinds |= dict.fromkeys((408, 423, 425), Transient)
    return kinds.get(status, Transient if status >= 500 else BadResponse)(words, status=status)


def _outcome(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def build_client(*, version: str | None = None, at_once: int = 100, proxy: str | None = None, ca_bundle: str | None = None) -> httpx.AsyncClient:
    """The connection pool for production, shared by all connectors of one event loop; the caller closes it.

    ``at_once``: connections, enough for all lanes that share the pool. ``ca_bundle``: a PEM file with the authorities to trust, not the usual.
    Reading waits 70 s since monday allows a call 60 s. Nothing is taken from the environment, and no cookie is kept: many credentials use the pool.
    Raises RuntimeError outside a running loop, since connections belong to the loop that opened them.
    """
    asyncio.get_running_loop()
    return httpx.AsyncClient(
        timeout=httpx.Timeout(10.0, read=70.0, write=30.0, pool=70.0),
        limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once, keepalive_expiry=30.0),
        headers={"User-Agent": f"pmo-hub/{version or _installed_version()}", "Accept": "application/json", "Accept-Encoding": "gzip"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
        proxy=proxy,
        verify=_trust(ca_bundle),
    )


@cache
def _trust(ca_bundle: str | None) -> ssl.SSLContext:
    """The trusted authorities, loaded once: it costs more than a whole poll that finds nothing new."""
    return httpx.create_ssl_context() if ca_bundle is None else ssl.create_default_context(cafile=ca_bundle)


def _installed_version() -> str:
    try:
        return metadata.version("pmo-hub")
    except metadata.PackageNotFoundError:
        return "source"
