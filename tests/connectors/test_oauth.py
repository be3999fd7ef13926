"""The exchange of codes and tokens, what each vendor's way is, and how the wrapper round HTTP goes on with a renewed credential."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx
import orjson
import pytest

from connectors import registry
from connectors.base import Credential
from connectors.errors import AuthFailed, BadResponse, Transient
from connectors.http import Http, Lane, Limiter
from connectors.oauth import App, Exchange, Grant, OAuth, authorize_address, challenge, grant_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
FLOW = OAuth("https://tool.example.org/authorize", "https://tool.example.org/token", "https://tool.example.org/revoke", read=("a:read",), pkce=True)
APP = App("id", "s3cret")
OURS = ("asana", "clickup", "monday")


def answering(*answers: tuple[int, Any]) -> tuple[httpx.AsyncClient, list[httpx.Request]]:
    """A client whose calls get these answers in turn, and the calls."""
    seen: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status, body = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(status, content=body if isinstance(body, bytes) else orjson.dumps(body))

    return httpx.AsyncClient(transport=httpx.MockTransport(answer)), seen


def trade(flow: OAuth, *answers: tuple[int, Any], act: Callable[[Exchange], Any] | None = None) -> tuple[Any, list[httpx.Request]]:
    async def go() -> tuple[Any, list[httpx.Request]]:
        client, seen = answering(*answers)
        exchange = Exchange(client, flow, APP, lambda: NOW)
        found = await (act(exchange) if act else exchange.code("c0de", redirect_uri="https://hub.example.org/back", verifier="v" * 43))
        return found, seen

    return anyio.run(go)  # type: ignore[no-any-return]


def form(request: httpx.Request) -> dict[str, str]:
    if request.headers["content-type"] == "application/json":
        return dict(orjson.loads(request.content))
    return dict(parse_qsl(request.content.decode()))


# -- each vendor's way --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "flow", "fields"),
    [
        ("asana", "scopes", {"grant_type", "client_id", "client_secret", "redirect_uri", "code", "code_verifier"}),
        ("monday", "2.1", {"grant_type", "client_id", "client_secret", "redirect_uri", "code", "code_verifier"}),
        ("monday", "legacy", {"client_id", "client_secret", "redirect_uri", "code"}),
        ("clickup", "standard", {"client_id", "client_secret", "code"}),
    ],
)
def test_each_vendor_is_sent_what_its_page_names_and_no_more(tool: str, flow: str, fields: set[str]) -> None:
    way = registry.oauth(tool, None)[flow]
    _, (request,) = trade(way, (200, {"access_token": "t"}))
    assert form(request).keys() == fields
    assert (request.method, str(request.url)) == ("POST", way.token_url)
    assert (request.headers["content-type"] == "application/json") == (tool == "clickup")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("tool", OURS)
def test_the_addresses_are_the_vendor_s_own_by_https(tool: str) -> None:
    for way in registry.oauth(tool, None).values():
        for url in filter(None, (way.authorize_url, way.token_url, way.revoke_url)):
            parts = urlsplit(url)
            assert parts.scheme == "https"
            assert (parts.hostname or "").endswith(f"{tool}.com")


@pytest.mark.parametrize("tool", OURS)
def test_rights_to_change_work_are_apart_from_those_to_read(tool: str) -> None:
    for name, way in registry.oauth(tool, None).items():
        assert name
        assert all(scope.endswith(":read") or scope == "default" for scope in way.read)
        assert all(scope.startswith("webhooks:") for scope in way.hooks)
        assert not set(way.write) & set(way.read + way.hooks)


def test_a_tool_without_a_way_has_none() -> None:
    with pytest.raises(registry.UnknownTool):
        registry.oauth("nothing", None)


# -- the first address --------------------------------------------------------------------------------------------------------------


def test_the_first_address_holds_the_challenge_and_never_the_verifier() -> None:
    address = authorize_address(FLOW, "id", redirect_uri="https://h/b", state="s+/&", scopes=("a:read", "b:read"), verifier="v" * 43)
    said = dict(parse_qsl(urlsplit(address).query))
    assert said == {
        "client_id": "id",
        "redirect_uri": "https://h/b",
        "state": "s+/&",
        "response_type": "code",
        "scope": "a:read b:read",
        "code_challenge": challenge("v" * 43),
        "code_challenge_method": "S256",
    }
    assert "v" * 43 not in address


def test_the_challenge_is_the_one_of_the_standard() -> None:
    """The example of RFC 7636, appendix B."""
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


# -- answers ------------------------------------------------------------------------------------------------------------------------


def jwt(**claims: Any) -> str:
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", orjson.dumps(claims), b"x"))


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ({"expires_in": 60}, NOW + timedelta(seconds=60)),
        ({"expires_in": 59.5}, NOW + timedelta(seconds=59.5)),
        ({"access_token": jwt(exp=1_800_000_000)}, datetime.fromtimestamp(1_800_000_000, UTC)),
        ({"access_token": jwt(exp=1_800_000_000), "expires_in": 60}, NOW + timedelta(seconds=60)),
        ({"access_token": jwt()}, None),
        ({"access_token": jwt(exp="soon")}, None),
        ({"access_token": "a.b.c"}, None),
        ({"access_token": "a.Wzx9.c"}, None),
        ({"expires_in": -5}, None),
        ({"expires_in": True}, None),
        ({}, None),
    ],
)
def test_when_an_access_ends_is_what_the_answer_or_the_token_says(body: dict[str, Any], end: datetime | None) -> None:
    assert grant_of({"access_token": "t", **body}, FLOW, NOW).expires_at == end


def test_a_vendor_s_known_lifetime_holds_where_nothing_is_said() -> None:
    assert grant_of({"access_token": "t"}, OAuth("a", "b", lifetime=3600), NOW).expires_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("body", [[], {}, {"access_token": ""}, {"access_token": 5}, {"access_token": "t", "refresh_token": 5}, {"error": "none"}])
def test_an_answer_without_a_token_is_an_error(body: Any) -> None:
    with pytest.raises(BadResponse, match="holds"):
        trade(FLOW, (200, body))


def test_a_refresh_token_stays_where_the_answer_holds_no_other() -> None:
    kept, _ = trade(FLOW, (200, {"access_token": "t2"}), act=lambda exchange: exchange.renewed("r1"))
    other, _ = trade(FLOW, (200, {"access_token": "t2", "refresh_token": "r2"}), act=lambda exchange: exchange.renewed("r1"))
    assert (kept.refresh, other.refresh) == ("r1", "r2")


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_no_needs_a_person_and_shows_no_secret(status: int) -> None:
    body = {"error": "invalid_grant", "error_description": "the code c0de of s3cret is spent"}
    with pytest.raises(AuthFailed) as told:
        trade(FLOW, (status, body))
    assert told.value.code == "invalid_grant"
    assert "s3cret" not in str(told.value)
    assert "c0de" not in str(told.value)


@pytest.mark.parametrize(("status", "body"), [(500, {}), (502, b"<html>"), (200, b""), (200, b"{")])
def test_a_fault_is_not_repeated_since_a_code_works_once(status: int, body: Any) -> None:
    async def go() -> list[httpx.Request]:
        client, seen = answering((status, body))
        with pytest.raises(Transient):
            await Exchange(client, FLOW, APP, lambda: NOW).renewed("r1")
        return seen

    assert len(anyio.run(go)) == 1


def test_a_token_is_given_back_where_there_is_an_address() -> None:
    grant = Grant("access", "refresh")
    done, (request,) = trade(FLOW, (200, b""), act=lambda exchange: exchange.revoke(grant))
    assert done is True
    assert form(request) == {"client_id": "id", "client_secret": "s3cret", "token": "refresh"}
    nowhere, calls = trade(OAuth("a", "https://tool.example.org/token"), (200, {}), act=lambda exchange: exchange.revoke(grant))
    assert (nowhere, calls) == (False, [])


def test_no_representation_shows_a_token() -> None:
    assert "s3cret" not in repr(APP)
    assert "t0ken" not in repr(Grant("t0ken", "t0ken"))


# -- going on with another credential -----------------------------------------------------------------------------------------------


class Renews:
    """Hands out t1, t2, ... ; ``after`` says how many there are."""

    def __init__(self, tokens: int = 9, due: bool = False) -> None:
        self.number, self.left, self.due, self.asked = 0, tokens, due, 0

    async def current(self) -> str:
        if self.due:
            self.due, self.number = False, self.number + 1
        return f"t{self.number}"

    async def instead_of(self, refused: str) -> str | None:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        if refused != f"t{self.number}":
            return f"t{self.number}"
        if not self.left:
            return None
        self.left, self.number = self.left - 1, self.number + 1
        return f"t{self.number}"


def connector(good: str, renews: Renews) -> tuple[Http, list[str]]:
    """A live one of a vendor's, over a service that knows one good token."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"data": []}) if seen[-1] == f"Bearer {good}" else httpx.Response(401, json={"errors": [{"message": "no"}]})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    made = registry.build(
        "asana",
        Credential("t0", "oauth"),
        base_url=None,
        options={},
        client=client,
        now=lambda: NOW,
        limiter=Limiter({"default": Lane(1000, 50), "search": Lane(60, 50, within="default"), **registry.connector_class("asana").lanes}),
        renewal=renews,
    )
    return made.http, seen


@pytest.mark.anyio
async def test_a_call_goes_out_with_the_token_of_now() -> None:
    http, seen = connector("t1", Renews(due=True))
    await http.get("/users/me")
    await http.get("/users/me")
    assert seen == ["Bearer t1", "Bearer t1"]


@pytest.mark.anyio
async def test_a_refused_call_is_sent_once_more_with_another_token() -> None:
    http, seen = connector("t1", Renews())
    await http.get("/users/me")
    await http.register_hook("POST", "/webhooks", {"data": {}})
    assert seen == ["Bearer t0", "Bearer t1", "Bearer t1"]


@pytest.mark.anyio
@pytest.mark.parametrize(("tokens", "calls"), [(0, 1), (9, 2)])
async def test_a_second_refusal_is_final(tokens: int, calls: int) -> None:
    http, seen = connector("another", Renews(tokens))
    with pytest.raises(AuthFailed) as told:
        await http.get("/users/me")
    assert len(seen) == calls
    assert "Bearer" not in str(told.value)


@pytest.mark.anyio
async def test_calls_that_are_refused_together_have_it_renewed_once() -> None:
    renews = Renews()
    http, seen = connector("t1", renews)
    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(http.get, "/users/me")
    assert renews.number == 1
    assert seen.count("Bearer t1") == 6
