"""The wrapper round httpx as a guard: what it lets out, what it never tells, and which addresses it speaks to."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest
import respx

from connectors.errors import AuthFailed, BadResponse, ConnectorError, Refused, Transient
from connectors.http import Answer, WriteRefused, build_client, check_base_url
from connectors.redaction import Scrub
from tests.connectors.conftest import CANARY, Make


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_is_refused_before_anything_is_sent(make: Make, vendor: respx.MockRouter, method: str) -> None:
    http = make(hooks=("/webhooks",))
    with pytest.raises(WriteRefused, match="only reads"):
        await http.write(method, "/tasks", {"name": "x"})
    assert http.requests == vendor.calls.call_count == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    "document",
    [
        "mutation { create_item(board_id: 1) { id } }",
        "query A { me { id } } mutation B { delete_item(item_id: 1) { id } }",
        "subscription { item { id } }",
        "{ mutation",
    ],
)
async def test_a_graphql_document_that_could_change_something_is_refused(make: Make, vendor: respx.MockRouter, document: str) -> None:
    http = make(hooks=("create_webhook",))
    with pytest.raises(WriteRefused):
        await http.graphql(document)
    with pytest.raises(WriteRefused):
        await http.register_hook_graphql(document)
    assert http.requests == vendor.calls.call_count == 0


@pytest.mark.anyio
async def test_a_query_that_only_speaks_of_mutations_is_sent_and_tried_again(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.post("").mock(side_effect=[httpx.Response(502), httpx.Response(200, json={"data": {}})])
    query = 'query mutation($n: Int!) { items(limit: $n, name: "mutation {") { subscription } }'
    assert (await make().graphql(query, {"n": 5})).body == {"data": {}}
    assert orjson.loads(route.calls.last.request.content) == {"query": query, "variables": {"n": 5}}
    assert route.calls.last.request.headers["content-type"] == "application/json"
    assert route.call_count == 2


@pytest.mark.anyio
async def test_a_hook_is_registered_only_where_the_connector_declares_it(make: Make, vendor: respx.MockRouter) -> None:
    vendor.post("/v2/team/12/webhook").respond(200, json={"id": "w"})
    vendor.delete("/webhooks/9").respond(204)
    http = make(hooks=("/webhooks", "/v2/team/*/webhook"))
    assert (await http.register_hook("POST", "/v2/team/12/webhook", {"events": "*"})).body == {"id": "w"}
    assert (await http.register_hook("DELETE", "/webhooks/9")).body is None
    sent = http.requests
    refused = [
        ("POST", "/tasks"),
        ("POST", "/webhooksandmore"),
        ("POST", "/v2/team/12/space"),
        ("POST", "/v2/team//webhook"),
        ("POST", "/webhooks/../tasks"),
        ("POST", "/webhooks/%2e%2e/tasks"),
        ("POST", "/webhooks?x=1"),
        ("PATCH", "/webhooks/9"),
    ]
    for method, path in refused:
        with pytest.raises(WriteRefused):
            await http.register_hook(method, path)
    with pytest.raises(WriteRefused):
        await make().register_hook("POST", "/webhooks")
    assert http.requests == sent


@pytest.mark.anyio
async def test_a_hook_by_mutation_is_registered_only_under_its_declared_name(make: Make, vendor: respx.MockRouter) -> None:
    vendor.post("").respond(200, json={"data": {"create_webhook": {"id": "1"}}})
    http = make(hooks=("create_webhook",))
    answer = await http.register_hook_graphql("mutation { hook: create_webhook(board_id: 1) { id } }")
    assert answer.body == {"data": {"create_webhook": {"id": "1"}}}
    with pytest.raises(WriteRefused, match="delete_board"):
        await http.register_hook_graphql("mutation { create_webhook(board_id: 1) { id } create_webhook: delete_board(board_id: 1) { id } }")
    with pytest.raises(WriteRefused, match="a mutation"):
        await http.register_hook_graphql("mutation { ...F } fragment F on Mutation { create_webhook(board_id: 1) { id } }")


@pytest.mark.anyio
async def test_what_may_have_been_done_is_not_done_twice(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.post("/webhooks").mock(side_effect=[httpx.Response(429, headers={"Retry-After": "1"}), httpx.ReadTimeout("no word")])
    with pytest.raises(Transient, match="ReadTimeout"):
        await make(hooks=("/webhooks",)).register_hook("POST", "/webhooks", {})
    assert route.call_count == 2
    mutation = vendor.post("").respond(502)
    with pytest.raises(Transient):
        await make(writes=True).graphql("mutation { create_item { id } }")
    assert mutation.call_count == 1


@pytest.mark.anyio
async def test_a_connection_set_to_write_writes(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.put("/tasks/1").respond(200, json={"data": {}})
    assert (await make(writes=True).write("PUT", "/tasks/1", {"name": "neu"})).status == 200
    assert orjson.loads(route.calls.last.request.content) == {"name": "neu"}


@pytest.mark.anyio
async def test_a_token_is_exchanged_at_its_declared_address_without_the_credential_in_use(make: Make, vendor: respx.MockRouter) -> None:
    url = "https://auth.example.org/oauth/token"
    with respx.mock:
        route = respx.post(url).respond(200, json={"access_token": "new"})
        http = make(hooks=(url,))
        answer = await http.token_exchange(url, {"grant_type": "refresh_token", "refresh_token": "r-12345"})
        assert answer.body == {"access_token": "new"}
        assert "new" not in repr(answer)
        assert route.calls.last.request.content == b"grant_type=refresh_token&refresh_token=r-12345"
        assert "authorization" not in route.calls.last.request.headers
        await http.token_exchange(url, {"code": "c-1"}, as_json=True)
        assert orjson.loads(route.calls.last.request.content) == {"code": "c-1"}
        route.respond(400, json={"error": "invalid_grant", "error_description": "r-12345 was used before"})
        with pytest.raises(BadResponse) as caught:
            await http.token_exchange(url, {"refresh_token": "r-12345"})
        assert "r-12345" not in str(caught.value)
        with pytest.raises(WriteRefused):
            await http.token_exchange("https://evil.example.org/token", {"refresh_token": "r-12345"})
        assert route.call_count == 3


# Silence about the credential


@pytest.mark.anyio
@pytest.mark.parametrize("echo", [CANARY, f"{CANARY[:6]}\x00{CANARY[6:]}", "x" * 190 + CANARY, f"a\r\n\x1b[31mb {CANARY}\u202e"])
async def test_an_echoed_credential_is_in_no_error_however_it_is_echoed(make: Make, vendor: respx.MockRouter, echo: str) -> None:
    def loud(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
        return Refused(f"no: {echo}", code=echo) if status == 418 else None

    vendor.get("/a").respond(401, json={"err": echo})
    vendor.get("/b").respond(418, json={})
    vendor.get("/c").mock(side_effect=httpx.RemoteProtocolError(f"illegal header line: {echo}"))
    http = make(classify=loud)
    for path in ("/a", "/b", "/c"):
        with pytest.raises(ConnectorError) as caught:
            await http.get(path, [("token", CANARY)])
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.code) + str(caught.value)
        assert CANARY not in shown
        assert CANARY[:8] not in shown
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300
    assert CANARY not in repr(http)


def test_a_long_message_is_cut_and_an_url_encoded_secret_is_hidden() -> None:
    scrub = Scrub.of_headers({"Authorization": "a+b/c=long", "API-Version": "2026-10"})
    assert scrub("version 2026-10 of a%2Bb%2Fc%3Dlong and a+b/c=long") == "version 2026-10 of [redacted] and [redacted]"
    assert len(scrub("é" * 5000)) == 200
    assert scrub.also(["hunter-22"])("a+b/c=long hunter-22") == "[redacted] [redacted]"


@pytest.mark.parametrize("token", ["two\nlines", "ümlaut", "tab\t", "nul\x00"])
def test_a_credential_that_no_header_can_carry_is_refused_without_being_shown(make: Make, token: str) -> None:
    with pytest.raises(AuthFailed) as caught:
        make(headers={"Authorization": token})
    assert token not in str(caught.value)


@pytest.mark.anyio
async def test_a_path_cannot_lead_to_another_host(make: Make, vendor: respx.MockRouter) -> None:
    http = make(base_url="https://vendor.example.org")
    with pytest.raises(ValueError, match="begins with a slash"):
        await http.get("@evil.example.org/")
    with pytest.raises(BadResponse, match="no address"):
        await http.get("/tasks/\x00")
    assert http.requests == 0


def test_an_answer_shows_its_status_alone() -> None:
    assert repr(Answer(200, {"Set-Cookie": "s"}, {"access_token": "t"})) == "Answer(status=200)"


# The base URL and the pool


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://app.asana.com/api/1.0/", "https://app.asana.com/api/1.0"),
        ("http://127.0.0.1:8801/asana", "http://127.0.0.1:8801/asana"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://localhost:1/", "http://localhost:1"),
    ],
)
def test_a_base_url_is_https_or_this_machine(url: str, kept: str) -> None:
    assert check_base_url(url) == kept


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://api.example.org", "must begin with https"),
        ("http://localhost.example.org", "must begin with https"),
        ("http://10.0.0.1", "must begin with https"),
        ("ftp://localhost", "must begin with https"),
        ("https://me:secret@api.example.org", "take it out"),
        ("https://@api.example.org", "take it out"),
        ("https://api.example.org/?x=1", "end it with the path"),
        ("https://api.example.org/#a", "end it with the path"),
        ("https://api.example.org:port", "write https://HOST/PATH"),
        ("https://", "write https://HOST/PATH"),
        ("api.example.org", "write https://HOST/PATH"),
        ("https://api.example.org/a b", "write https://HOST/PATH"),
        ("https://api.example.org\\@evil.example.org", "take it out|write https"),
    ],
)
def test_any_other_base_url_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as caught:
        check_base_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.anyio
async def test_the_pool_takes_nothing_from_the_environment_and_keeps_no_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with build_client(version="1.2.3", at_once=7) as client:
        with respx.mock:
            route = respx.get("https://vendor.example.org/").respond(200, json={}, headers={"Set-Cookie": "session=abc; Path=/"})
            for _ in range(2):
                await client.get("https://vendor.example.org/")
        assert "cookie" not in route.calls.last.request.headers
        assert route.calls.last.request.headers["user-agent"] == "pmo-hub/1.2.3"
        assert route.calls.last.request.headers["accept-encoding"] == "gzip"
        assert (client.timeout.connect, client.timeout.read) == (10.0, 70.0)
        assert not client.follow_redirects
        assert not client.trust_env


def test_the_pool_is_not_built_outside_a_loop() -> None:
    with pytest.raises(RuntimeError):
        build_client()


@pytest.mark.anyio
async def test_a_ca_bundle_that_holds_no_certificate_is_refused(tmp_path: Any) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("nothing")
    with pytest.raises(ssl.SSLError):
        build_client(ca_bundle=str(bundle))
