"""The wrapper round httpx: what it takes for an answer, what a status means, and how long it tries."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest
import respx

from connectors import http as wrapper
from connectors.errors import AuthFailed, BadResponse, ConnectorError, NotFound, RateLimited, Refused, Transient
from connectors.http import Lane, Limiter
from tests.connectors.conftest import CANARY, Make, Time

# What counts as an answer


@pytest.mark.anyio
async def test_a_complete_json_answer_is_handed_over_with_its_headers(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.get("/tasks").respond(200, json={"data": [1]}, headers={"X-RateLimit-Limit": "100"})
    http = make()
    answer = await http.get("/tasks", [("limit", "100"), ("list_ids[]", "1"), ("list_ids[]", "2")])
    assert (answer.status, answer.body, answer.headers["x-ratelimit-limit"]) == (200, {"data": [1]}, "100")
    sent = route.calls.last.request
    assert sent.headers["authorization"] == f"Bearer {CANARY}"
    assert sent.url.params.multi_items() == [("limit", "100"), ("list_ids[]", "1"), ("list_ids[]", "2")]
    assert http.requests == 1


@pytest.mark.anyio
async def test_a_nul_that_no_database_text_can_hold_is_taken_out(make: Make, vendor: respx.MockRouter) -> None:
    content = rb'{"data": [{"name": "a\u0000b", "kept\u0000": "back\\u0000slash"}]}'
    vendor.get("/tasks").respond(200, content=content)
    http = make()
    assert (await http.get("/tasks")).body == {"data": [{"name": "ab", "kept": "back\\u0000slash"}]}


@pytest.mark.anyio
async def test_a_gzipped_answer_is_unpacked(make: Make, vendor: respx.MockRouter) -> None:
    vendor.get("/tasks").respond(200, content=gzip.compress(orjson.dumps({"name": "Übersicht 🚢"})), headers={"Content-Encoding": "gzip"})
    assert (await make().get("/tasks")).body == {"name": "Übersicht 🚢"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b'{"data": [1, 2', "not complete JSON"),
        (b"<html></html>", "not complete JSON"),
        (b"null", "not complete"),
        (b'"ok"', "neither"),
    ],
    ids=["empty", "truncated", "html", "null", "a bare string"],
)
async def test_a_2xx_without_a_whole_body_is_tried_again_and_never_an_empty_page(
    make: Make, vendor: respx.MockRouter, content: bytes, reason: str
) -> None:
    route = vendor.get("/tasks").mock(side_effect=[httpx.Response(200, content=content), httpx.Response(200, json=[7])])
    assert (await make().get("/tasks")).body == [7]
    route.mock(return_value=httpx.Response(200, content=content))
    with pytest.raises(Transient, match=reason):
        await make().get("/tasks")


@pytest.mark.anyio
async def test_a_broken_gzip_stream_is_tried_again(make: Make, vendor: respx.MockRouter) -> None:
    broken = httpx.Response(200, stream=httpx.ByteStream(b"no gzip at all"), headers={"Content-Encoding": "gzip"})
    vendor.get("/tasks").mock(side_effect=[broken, httpx.Response(200, json=[])])
    assert (await make().get("/tasks")).body == []


@pytest.mark.anyio
async def test_a_body_above_the_limit_is_given_up(make: Make, vendor: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapper, "BODY_LIMIT", 1000)
    bomb = gzip.compress(b"[" + b" " * 100_000 + b"]")
    route = vendor.get("/tasks").respond(200, content=bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadResponse, match="answered with more than"):
        await make().get("/tasks")
    assert route.call_count == 1


@pytest.mark.anyio
async def test_a_redirect_is_not_followed(make: Make, vendor: respx.MockRouter) -> None:
    vendor.get("/tasks").respond(302, headers={"Location": "https://elsewhere.example.org/"})
    with pytest.raises(BadResponse, match="answered 302"):
        await make().get("/tasks")


# What a status means


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadResponse), (401, AuthFailed), (402, Refused), (403, Refused), (404, NotFound), (410, NotFound), (412, BadResponse), (451, BadResponse)],
)
async def test_a_final_refusal_is_raised_at_once(make: Make, vendor: respx.MockRouter, status: int, kind: type[ConnectorError]) -> None:
    route = vendor.get("/tasks/9").respond(status, json={"errors": [{"message": "Not for you"}]})
    with pytest.raises(kind) as caught:
        await make().get("/tasks/9", [("opt_fields", "name")])
    assert type(caught.value) is kind
    assert str(caught.value) == f"GET /api/tasks/9?opt_fields answered {status}: Not for you"
    assert caught.value.status == status
    assert route.call_count == 1


@pytest.mark.anyio
@pytest.mark.parametrize("status", [408, 423, 425, 500, 502, 503, 504, 520])
async def test_what_time_may_heal_is_tried_six_times_with_growing_waits(make: Make, vendor: respx.MockRouter, time: Time, status: int) -> None:
    route = vendor.get("/tasks").respond(status, html="<html>Bad gateway</html>")
    http = make()
    with pytest.raises(Transient) as caught:
        await http.get("/tasks")
    assert type(caught.value) is Transient
    assert caught.value.status == status
    assert route.call_count == http.requests == 6
    assert len(time.slept) == 5
    assert all(0 <= wait <= min(30, 2 * 2**turn) for turn, wait in enumerate(time.slept))
    assert http.waited == 0  # that was not the vendor's limit


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fault", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, TimeoutError]
)
async def test_a_broken_connection_is_tried_again_and_then_transient(make: Make, vendor: respx.MockRouter, fault: type[Exception]) -> None:
    route = vendor.get("/tasks").mock(side_effect=[fault("gone"), httpx.Response(200, json=[1])])
    assert (await make().get("/tasks")).body == [1]
    route.mock(side_effect=fault("gone"))
    with pytest.raises(Transient, match=f"GET /api/tasks failed: {fault.__name__} gone"):
        await make().get("/tasks")


@pytest.mark.anyio
async def test_a_request_that_cannot_be_sent_is_our_fault_and_not_tried_again(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.get("/tasks").mock(side_effect=httpx.LocalProtocolError("Illegal header"))
    with pytest.raises(BadResponse, match="could not be sent"):
        await make().get("/tasks")
    assert route.call_count == 1


@pytest.mark.anyio
async def test_retries_end_after_five_minutes_even_if_tries_are_left(make: Make, vendor: respx.MockRouter, time: Time) -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        time.now += 170
        raise httpx.ReadTimeout("slow")

    route = vendor.get("/tasks").mock(side_effect=slow)
    with pytest.raises(Transient):
        await make().get("/tasks")
    assert route.call_count == 3


# What the vendor's own word does


@pytest.mark.anyio
async def test_the_vendor_has_the_first_word_also_on_200(make: Make, vendor: respx.MockRouter) -> None:
    heard: list[tuple[int, str, Any]] = []

    def classify(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError | None:
        heard.append((status, headers["x-request"], body))
        return Refused("this board is closed", code="USER_UNAUTHORIZED") if isinstance(body, dict) and body.get("errors") else None

    vendor.get("/a").respond(200, json={"errors": ["x"]}, headers={"X-Request": "1"})
    vendor.get("/b").respond(404, html="<html></html>", headers={"X-Request": "2"})
    http = make(classify=classify)
    with pytest.raises(Refused, match="GET /api/a answered 200: this board is closed") as caught:
        await http.get("/a")
    assert (caught.value.code, caught.value.status) == ("USER_UNAUTHORIZED", 200)
    with pytest.raises(NotFound):
        await http.get("/b")
    assert heard == [(200, "1", {"errors": ["x"]}), (404, "2", None)]


@pytest.mark.anyio
async def test_the_headers_of_every_answer_are_shown_before_it_is_judged(make: Make, vendor: respx.MockRouter) -> None:
    vendor.get("/tasks").mock(
        side_effect=[httpx.Response(500, headers={"X-RateLimit-Limit": "100"}), httpx.Response(200, json=[], headers={"X-RateLimit-Limit": "1000"})]
    )
    seen: list[str] = []
    http = make()
    http.on_headers = lambda headers: seen.append(headers["x-ratelimit-limit"])
    await http.get("/tasks")
    assert seen == ["100", "1000"]


# Waiting as long as the vendor wants


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After": "Mon, 23 Nov 2026 08:00:45 GMT"}, 45.0),
        ({"Retry-After": "Mon, 23 Nov 2026 09:30:20 GMT", "Date": "Mon, 23 Nov 2026 09:30:00 GMT"}, 20.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "nan"}, 1.0),
        ({"Retry-After": "soon"}, 60.0),
        ({}, 60.0),
    ],
)
async def test_a_429_is_waited_out_exactly(make: Make, vendor: respx.MockRouter, time: Time, headers: dict[str, str], seconds: float) -> None:
    vendor.get("/tasks").mock(side_effect=[httpx.Response(429, headers=headers), httpx.Response(200, json=[])])
    http = make()
    assert (await http.get("/tasks")).body == []
    assert time.now - 1000.0 == pytest.approx(seconds)
    assert http.waited == pytest.approx(seconds)


@pytest.mark.anyio
async def test_a_503_that_names_a_time_is_waited_out_like_a_429(make: Make, vendor: respx.MockRouter, time: Time) -> None:
    vendor.get("/tasks").mock(side_effect=[httpx.Response(503, headers={"Retry-After": "40"}), httpx.Response(200, json=[])])
    await make().get("/tasks")
    assert time.now == 1040.0


@pytest.mark.anyio
async def test_429s_are_borne_twelve_times(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.get("/tasks").respond(429, headers={"Retry-After": "2"})
    with pytest.raises(RateLimited) as caught:
        await make().get("/tasks")
    assert caught.value.retry_after == 2.0
    assert route.call_count == 12


@pytest.mark.anyio
async def test_429s_are_not_counted_among_the_faults(make: Make, vendor: respx.MockRouter) -> None:
    refused, broken = httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(502)
    vendor.get("/tasks").mock(side_effect=[refused, broken] * 5 + [httpx.Response(200, json=["at last"])])
    assert (await make().get("/tasks")).body == ["at last"]


@pytest.mark.anyio
async def test_429s_are_given_up_after_five_minutes_of_waiting(make: Make, vendor: respx.MockRouter) -> None:
    route = vendor.get("/tasks").respond(429, headers={"Retry-After": "90"})
    with pytest.raises(RateLimited):
        await make().get("/tasks")
    assert route.call_count == 4


@pytest.mark.anyio
async def test_a_wait_of_more_than_two_minutes_is_raised_at_once_and_stops_the_whole_credential(
    make: Make, vendor: respx.MockRouter, time: Time
) -> None:
    route = vendor.get("/tasks").respond(429, headers={"Retry-After": "3600"})
    refused = make()
    other = make(limiter=refused.limiter)
    for http in (refused, other):
        with pytest.raises(RateLimited) as caught:
            await http.get("/tasks")
        assert caught.value.retry_after == 3600.0
    assert route.call_count == 1
    assert time.slept == []


@pytest.mark.anyio
async def test_one_refused_call_makes_all_workers_of_the_credential_wait(make: Make, vendor: respx.MockRouter, time: Time) -> None:
    vendor.get("/refused").mock(side_effect=[httpx.Response(429, headers={"Retry-After": "30"}), httpx.Response(200, json=[])])
    vendor.get("/tasks").respond(200, json=[])
    refused = make()
    other = make(limiter=refused.limiter)
    seen: list[float] = []
    other.on_headers = lambda headers: seen.append(time.now)
    sleep = refused.limiter.sleep

    async def meanwhile(seconds: float) -> None:
        if not seen:
            refused.limiter.sleep = sleep
            await other.get("/tasks")
        await sleep(seconds)

    refused.limiter.sleep = meanwhile
    await refused.get("/refused")
    assert seen == [1030.0]


@pytest.mark.anyio
async def test_the_turn_at_the_limiter_is_neither_a_try_nor_retry_time(make: Make, vendor: respx.MockRouter, time: Time) -> None:
    limiter = Limiter({"default": Lane(1, 1)}, clock=time.clock, sleep=time.sleep)
    vendor.get("/tasks").mock(side_effect=[httpx.Response(502)] * 5 + [httpx.Response(200, json=["yes"])])
    assert (await make(limiter=limiter).get("/tasks")).body == ["yes"]
    assert time.now > 1000.0 + 300.0
