"""The registry: our three by name, others by entry point, and a live connector put together from a class's own word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, ClassVar

import httpx
import pytest
import respx

from connectors import registry
from connectors.base import Credential
from connectors.errors import AuthFailed, ConnectorError
from connectors.http import Http, Lane, Limiter, WriteRefused, check_base_url
from connectors.registry import UnknownTool, build, connector_class, names

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Pinboard:
    """A connector as an installed package would bring it."""

    tool: ClassVar[str] = "pinboard"
    default_base_url: ClassVar[str] = "https://pins.example.org/v1"
    mapping_version: ClassVar[int] = 1
    lanes: ClassVar[Mapping[str, Lane]] = {"default": Lane(100, 4)}
    hooks: ClassVar[tuple[str, ...]] = ("/hooks",)

    def __init__(self, http: Http, *, options: Mapping[str, Any], now: Callable[[], datetime]) -> None:
        self.http, self.options, self.now = http, options, now

    @classmethod
    def http_headers(cls, credential: Credential) -> Mapping[str, str]:
        return {"Authorization": credential.token}

    @staticmethod
    def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
        return AuthFailed("the pin is out") if body == {"pin": "out"} else None


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        metadata.EntryPoint("pinboard", f"{__name__}:Pinboard", registry.GROUP),
        metadata.EntryPoint("asana", f"{__name__}:Pinboard", registry.GROUP),
    ]

    def entry_points(*, group: str, name: str | None = None) -> metadata.EntryPoints:
        return metadata.EntryPoints(point for point in points if point.group == group and name in (None, point.name))

    monkeypatch.setattr(metadata, "entry_points", entry_points)


def built(client: httpx.AsyncClient, token: str = "pin-12345", **changes: Any) -> Pinboard:
    given: dict[str, Any] = {"base_url": None, "options": {"a": 1}, "client": client, "now": lambda: NOW}
    connector = build("pinboard", Credential(token), **(given | changes))
    assert isinstance(connector, Pinboard)
    return connector


def test_our_three_are_known_without_being_loaded() -> None:
    assert {"asana", "clickup", "monday"} <= set(names())


@pytest.mark.usefixtures("installed")
def test_an_installed_connector_is_found_and_listed() -> None:
    assert names() == ("asana", "clickup", "monday", "pinboard")
    assert connector_class("pinboard").__name__ == "Pinboard"


@pytest.mark.usefixtures("installed")
def test_an_installed_package_cannot_take_the_place_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = type("AsanaConnector", (), {})
    monkeypatch.setattr(registry, "import_module", lambda name: type("Module", (), {"AsanaConnector": ours}))
    assert connector_class("asana") is ours


def test_an_unknown_tool_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(UnknownTool, match=r"no connector for 'trello'; there are: asana, clickup, monday"):
        connector_class("trello")


@pytest.mark.usefixtures("installed")
@pytest.mark.anyio
async def test_a_built_connector_speaks_with_its_headers_its_address_and_its_own_word() -> None:
    async with httpx.AsyncClient() as client:
        connector = built(client)
        with respx.mock:
            route = respx.get("https://pins.example.org/v1/pins").respond(200, json={"pin": "out"})
            with pytest.raises(AuthFailed, match="the pin is out"):
                await connector.http.get("/pins")
        assert route.calls.last.request.headers["authorization"] == "pin-12345"
        assert connector.options == {"a": 1}
        assert connector.now() == NOW


@pytest.mark.usefixtures("installed")
@pytest.mark.anyio
async def test_a_built_connector_only_reads_and_registers_what_it_declares() -> None:
    async with httpx.AsyncClient() as client:
        connector = built(client)
        with pytest.raises(WriteRefused):
            await connector.http.write("POST", "/pins")
        with respx.mock:
            respx.post("https://pins.example.org/v1/hooks").respond(200, json={})
            respx.post("https://pins.example.org/v1/pins").respond(200, json={})
            assert (await connector.http.register_hook("POST", "/hooks")).status == 200
            assert (await built(client, writes=True).http.write("POST", "/pins", {})).status == 200


@pytest.mark.usefixtures("installed")
@pytest.mark.anyio
async def test_connectors_with_the_same_credential_share_one_limiter() -> None:
    async with httpx.AsyncClient() as client:
        first, same, other = built(client), built(client, base_url="https://pins.example.org/v1/"), built(client, token="pin-67890")
        elsewhere = built(client, base_url="http://127.0.0.1:8801")
        assert first.http.limiter is same.http.limiter
        assert len({id(connector.http.limiter) for connector in (first, other, elsewhere)}) == 3


@pytest.mark.usefixtures("installed")
@pytest.mark.anyio
async def test_a_base_url_that_would_carry_the_credential_in_the_open_is_refused() -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ValueError, match="must begin with https"):
            built(client, base_url="http://pins.example.org")


@pytest.mark.parametrize("tool", ["asana", "clickup", "monday"])
def test_each_of_ours_says_what_a_build_needs(tool: str) -> None:
    kind = connector_class(tool)
    assert kind.tool == tool
    assert check_base_url(kind.default_base_url).startswith("https://")
    assert "default" in kind.lanes
    assert Limiter(kind.lanes).clock() > 0
    assert "Authorization" in kind.http_headers(Credential("token-12345"))
    assert kind.classify(200, {}, {"data": {}}) is None
