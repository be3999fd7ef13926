"""Errors sorted by who must act, limits obeyed, and no answer taken for an empty page."""

from __future__ import annotations

import httpx
import orjson
import pytest

from connectors.base import Credential, Slice
from connectors.clickup import ClickUpConnector
from connectors.clickup.client import REFUSED_CODES
from connectors.errors import AuthFailed, BadResponse, ConnectorError, NotFound, RateLimited, Refused, Transient
from tests.connectors.clickup.vendor import Clock, Vendor, a_task, connector, error, found, pages, walk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "OAUTH_017", AuthFailed),
        (401, "OAUTH_019", AuthFailed),
        (401, "OAUTH_021", AuthFailed),
        (401, "OAUTH_025", AuthFailed),
        (401, "OAUTH_077", AuthFailed),
        (401, "OAUTH_999", AuthFailed),
        (401, None, AuthFailed),
        (401, "OAUTH_023", Refused),
        (401, "OAUTH_026", Refused),
        (401, "OAUTH_027", Refused),
        (401, "OAUTH_029", Refused),
        (401, "OAUTH_045", Refused),
        (400, "OAUTH_171", BadResponse),
        (402, None, Refused),
        (403, "ACCESS_001", Refused),
        (404, "ITEM_013", NotFound),
        (404, "ITEM_015", NotFound),
        (404, "ROUTE_001", BadResponse),
        (404, None, BadResponse),
        (429, "APP_002", RateLimited),
    ],
)
async def test_each_code_names_who_must_act(status: int, code: str | None, kind: type[ConnectorError]) -> None:
    answer = ClickUpConnector.classify(status, httpx.Headers(), None if code is None else {"err": "text", "ECODE": code})
    assert type(answer) is kind
    assert answer.code == code


@pytest.mark.parametrize("status", [200, 204, 500, 502, 503])
async def test_what_the_status_says_itself_is_left_to_the_general_reading(status: int) -> None:
    assert ClickUpConnector.classify(status, httpx.Headers(), {"err": "text", "ECODE": "X_1"}) is None
    assert ClickUpConnector.classify(400, httpx.Headers(), None) is None


async def test_refused_codes_are_the_documented_ones() -> None:
    assert {"OAUTH_023", "OAUTH_026", "OAUTH_027"} | {f"OAUTH_0{number}" for number in range(29, 46)} == REFUSED_CODES


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "1772445654", "Date": "Mon, 02 Mar 2026 10:00:00 GMT"}, 54.0),
        ({"x-ratelimit-reset": "1772445600", "date": "Mon, 02 Mar 2026 10:00:30 GMT"}, 1.0),
        ({"X-RateLimit-Reset": "1772445654"}, 60.0),
        ({"Date": "Mon, 02 Mar 2026 10:00:00 GMT"}, 60.0),
        ({"X-RateLimit-Reset": "soon", "Date": "Mon, 02 Mar 2026 10:00:00 GMT"}, 60.0),
        ({"X-RateLimit-Reset": "1772445654000", "Date": "Mon, 02 Mar 2026 10:00:00 GMT"}, 60.0),
        ({"X-RateLimit-Reset": "nan", "Date": "Mon, 02 Mar 2026 10:00:00 GMT"}, 60.0),
        ({"X-RateLimit-Reset": "1772445654", "Date": "yesterday"}, 60.0),
    ],
)
async def test_over_the_limit_waits_until_reset_by_the_vendors_own_clock(headers: dict[str, str], seconds: float) -> None:
    answer = ClickUpConnector.classify(429, httpx.Headers(headers), {"err": "Rate limit reached", "ECODE": "APP_002"})
    assert isinstance(answer, RateLimited)
    assert answer.retry_after == seconds


async def test_a_429_is_waited_out_and_the_call_made_again() -> None:
    late = error(429, "APP_002", "Rate limit reached", X_RateLimit_Reset="1772445654", Date="Mon, 02 Mar 2026 10:00:00 GMT")
    vendor, clock = Vendor(first={"/v2/user": [late]}), Clock()
    checked = await connector(vendor, clock).check()
    assert checked.user_external_id == "11"
    assert clock.now == pytest.approx(54.0, abs=0.1)


async def test_a_revoked_token_is_not_asked_with_again() -> None:
    vendor = Vendor(first={"/v2/user": [error(401, "OAUTH_025", "Token invalid")]})
    with pytest.raises(AuthFailed):
        await connector(vendor).check()
    assert len(vendor.calls) == 1


async def test_a_personal_token_goes_bare_and_an_oauth_token_as_bearer() -> None:
    assert ClickUpConnector.http_headers(Credential("pk_1")) == {"Authorization": "pk_1"}
    assert ClickUpConnector.http_headers(Credential("abc", kind="oauth")) == {"Authorization": "Bearer abc"}


async def test_the_check_says_who_where_and_how_fast() -> None:
    checked = await connector(Vendor(limit=1000)).check()
    assert (checked.user_name, checked.user_email, checked.account) == ("Ada", "user11@example.org", "")
    assert [(one.external_id, one.name) for one in checked.workspaces] == [("9001", "Harbour")]
    assert (checked.plan, checked.limits, checked.missing) == ("Business", {"calls a minute": 1000}, ())


async def test_the_check_says_what_is_missing() -> None:
    vendor = Vendor(bodies={("/v2/user", False): {"user": {"id": 11, "username": None}}})
    vendor.first["/v2/team/9001/plan"] = [error(403, "TEAM_110", "not for guests")]
    checked = await connector(vendor).check()
    assert checked.plan is None
    assert len(checked.missing) == 2


async def test_the_limit_stated_by_the_vendor_raises_the_rate() -> None:
    vendor, clock = Vendor(limit=1000), Clock()
    live = connector(vendor, clock)
    for _ in range(150):
        await live.lookup(["project:301"])
    assert len(vendor.calls) == 151
    assert clock.slept == []


async def test_without_a_stated_limit_a_hundred_calls_make_a_minute() -> None:
    vendor, clock = Vendor(), Clock()
    live = connector(vendor, clock)
    for _ in range(150):
        await live.lookup(["project:301"])
    assert clock.now >= 59


BROKEN = [
    httpx.Response(200, content=b""),
    httpx.Response(200, text="<html>maintenance</html>"),
    httpx.Response(200, content=b'{"tasks": [{"id": "a1"'),
    httpx.Response(502, text="<html>bad gateway</html>"),
]


@pytest.mark.parametrize("answer", BROKEN, ids=["empty", "html", "truncated", "502"])
async def test_a_passing_fault_never_ends_a_list(answer: httpx.Response) -> None:
    vendor = Vendor(tasks=[a_task(f"a{number:03}", 1000 + number) for number in range(150)])
    live = connector(vendor)
    slices = [piece async for _, page in walk(live) for piece in page.opens]
    whole = httpx.Response(answer.status_code, content=answer.content)
    vendor.first["/v2/team/9001/task"] = [whole]
    read = await pages(connector(vendor), found(slices, "tasks:9001"))
    assert sum(item.id.startswith("task:") for page in read for item in page.items) == 150


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tasks": None, "last_page": True},
        {"tasks": ["a1"], "last_page": True},
        {"tasks": [], "last_page": False},
        {"tasks": [], "last_page": "yes"},
        {"err": "Internal", "ECODE": "SHARD_006"},
    ],
)
async def test_a_page_without_its_list_or_short_of_what_it_says_is_an_error(body: object) -> None:
    vendor = Vendor()
    slices = [piece async for _, page in walk(connector(vendor)) for piece in page.opens]
    vendor.first["/v2/team/9001/task"] = [httpx.Response(200, content=orjson.dumps(body))]
    with pytest.raises(BadResponse):
        await pages(connector(vendor), found(slices, "tasks:9001"))


async def test_a_lasting_fault_fails_the_slice() -> None:
    vendor = Vendor()
    slices = [piece async for _, page in walk(connector(vendor)) for piece in page.opens]
    vendor.first["/v2/team/9001/task"] = [httpx.Response(503, text="<html>") for _ in range(20)]
    with pytest.raises(Transient):
        await pages(connector(vendor), found(slices, "tasks:9001"))


async def test_a_fault_in_one_of_several_calls_ends_the_walk_with_that_error_itself() -> None:
    vendor = Vendor(first={"/v2/space/101/list": [error(401, "OAUTH_025", "Token invalid")] * 2})
    with pytest.raises(AuthFailed):
        [page async for page in walk(connector(vendor))]


async def test_an_unknown_slice_word_is_not_read_as_another() -> None:
    vendor = Vendor()
    with pytest.raises(ValueError, match="nonsense"):
        await pages(connector(vendor), Slice("nonsense:1", "x", 0))


async def test_children_are_not_counted() -> None:
    assert ClickUpConnector.capabilities.counts_children is False
    with pytest.raises(NotImplementedError):
        connector(Vendor()).children("task:a1")
