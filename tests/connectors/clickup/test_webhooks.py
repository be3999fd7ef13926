"""Being told: what a call means, that it is the vendor's, and keeping a webhook alive."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Scope
from connectors.calls import Call, Forged, Hook, Received
from connectors.clickup import ClickUpConnector
from connectors.errors import AuthFailed, BadResponse
from connectors.http import WriteRefused
from hub.sandbox.courier import Reply
from tests.connectors.clickup.harbour import Harbour
from tests.connectors.clickup.vendor import Vendor, connector, error

NOW = datetime(2026, 3, 2, 12, 0, 20, tzinfo=UTC)
SECRET = "O94IM25S7PXBPYTMNXLLET230SRP0S89"
HOOK = Hook("workspace/9001", {"workspace": "9001"}, external_id="4b67ac88", secret=SECRET)
TARGET = "https://hub.example.org/receivers/1/abc"


def call(body: bytes, secret: str = SECRET, **headers: str) -> Call:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Call({"x-signature": signature} | headers, body, TARGET)


def told(body: Any, at: datetime = NOW) -> Received:
    return ClickUpConnector.receive(call(orjson.dumps(body)), HOOK, signing_secret=None, now=at)


def item(key: str, field: str = "name") -> dict[str, Any]:
    return {"id": key, "type": 1, "date": "1770000000000", "field": field, "parent_id": "301", "data": {}, "before": None, "after": "x"}


@pytest.mark.parametrize("event", ["taskCreated", "taskUpdated", "taskStatusUpdated", "taskMoved", "taskDeleted", "taskSomethingNewUpdated"])
def test_an_event_of_a_task_touches_that_task(event: str) -> None:
    assert told({"event": event, "task_id": "86abc", "history_items": [], "webhook_id": "4b67ac88"}).touched == ("task:86abc",)


@pytest.mark.parametrize(
    ("body", "touched"),
    [
        ({"event": "listCreated", "list_id": "301"}, "project:301"),
        ({"event": "listDeleted", "list_id": 301}, "project:301"),
        ({"event": "folderUpdated", "folder_id": "201"}, "container:folder/201"),
        ({"event": "spaceDeleted", "space_id": "101"}, "container:space/101"),
    ],
)
def test_an_event_of_a_container_touches_that_container(body: dict[str, Any], touched: str) -> None:
    assert told(body).touched == (touched,)


@pytest.mark.parametrize("event", ["taskCommentPosted", "taskCommentUpdated", "goalUpdated", "keyResultCreated"])
def test_what_the_hub_does_not_keep_touches_nothing(event: str) -> None:
    received = told({"event": event, "task_id": "86abc", "goal_id": "g1", "history_items": [item("1")]})
    assert (received.touched, received.status) == ((), 200)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "taskUpdated"},
        {"event": "taskUpdated", "task_id": None, "history_items": None},
        {"event": "listUpdated", "list_id": True},
        {"event": None, "task_id": "86abc"},
        {},
        [],
        "text",
        None,
    ],
)
def test_a_genuine_call_that_says_too_little_asks_for_the_workspace(body: Any) -> None:
    received = told(body)
    assert (received.touched, received.status, received.delivery) == (("container:workspace/9001",), 200, None)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_genuine_call_that_is_no_json_asks_for_the_workspace_too(body: bytes) -> None:
    assert ClickUpConnector.receive(call(body), HOOK, signing_secret=None, now=NOW).touched == ("container:workspace/9001",)


def test_a_doubled_call_has_the_same_delivery_and_another_one_not() -> None:
    first = {"event": "taskUpdated", "task_id": "86abc", "history_items": [item("41"), item("42")]}
    assert told(first).delivery == told(first, NOW + timedelta(hours=1)).delivery == "taskUpdated/41,42"
    assert told(first | {"history_items": [item("43")]}).delivery != told(first).delivery
    assert told(first | {"event": "taskStatusUpdated"}).delivery != told(first).delivery


@pytest.mark.parametrize("items", [None, "x", [None], [{}], [{"id": None}], [7]])
def test_history_items_may_be_missing_or_nothing(items: Any) -> None:
    received = told({"event": "taskUpdated", "task_id": "86abc", "history_items": items})
    assert (received.touched, received.delivery) == (("task:86abc",), None)


def test_a_deletion_is_known_again_for_a_minute_only() -> None:
    gone = {"event": "taskDeleted", "task_id": "86abc", "webhook_id": "4b67ac88"}
    assert told(gone).delivery == told(gone, NOW + timedelta(seconds=30)).delivery is not None
    assert told(gone, NOW + timedelta(minutes=2)).delivery != told(gone).delivery
    assert told(gone | {"task_id": "86abd"}).delivery != told(gone).delivery
    assert told({"event": "listUpdated", "list_id": "301"}).delivery is None


def test_a_wrong_signature_is_answered_403_which_suspends_nothing() -> None:
    body = orjson.dumps({"event": "taskDeleted", "task_id": "86abc"})
    forgeries = [call(body, "another secret"), Call({}, body, TARGET), call(body, **{"x-signature": "ü" * 64}), call(body, **{"x-signature": ""})]
    forgeries += [Call(call(body).headers, body + b" ", TARGET)]
    for forged in forgeries:
        with pytest.raises(Forged) as refused:
            ClickUpConnector.receive(forged, HOOK, signing_secret="app secret", now=NOW)
        assert refused.value.status == 403


def test_a_webhook_without_a_secret_takes_no_call() -> None:
    body = b"{}"
    with pytest.raises(Forged):
        ClickUpConnector.receive(call(body, ""), Hook(HOOK.key, HOOK.args), signing_secret=None, now=NOW)


def test_a_huge_forged_body_is_refused_before_it_is_read() -> None:
    with pytest.raises(Forged):
        ClickUpConnector.receive(call(b"[" * 8_000_000, "another secret"), HOOK, signing_secret=None, now=NOW)


def test_a_huge_genuine_body_touches_one_task() -> None:
    body = {"event": "taskUpdated", "task_id": "86abc", "history_items": [item(str(number), "x" * 100) for number in range(20_000)]}
    received = told(body)
    assert received.touched == ("task:86abc",)
    assert len(received.delivery or "") <= 200


@given(st.binary(max_size=300), st.text(max_size=80))
def test_nothing_unsigned_ever_gets_in(body: bytes, signature: str) -> None:
    with pytest.raises(Forged):
        ClickUpConnector.receive(Call({"x-signature": signature}, body, TARGET), HOOK, signing_secret=None, now=NOW)


# -- registering, against the pretend ClickUp ------------------------------------------------------------------------------------


@pytest.fixture
async def port() -> Harbour:
    made = Harbour()
    await made.full()
    return made


@pytest.mark.anyio
async def test_one_webhook_for_each_workspace_is_wanted_registered_and_held(port: Harbour) -> None:
    live = port.connector()
    wanted = live.hooks_wanted(Scope())
    assert [hook.key for hook in wanted] == [f"workspace/{port.workspace}"]
    assert live.hooks_wanted(Scope(workspaces=frozenset({"1"}))) == []
    made = await live.subscribe(wanted[0], TARGET)
    assert made.external_id
    assert made.secret
    held = list(await port.connector().hooks_held())
    assert [(hook.key, hook.external_id, hook.secret, hook.healthy, hook.args["target"]) for hook in held] == [
        (made.key, made.external_id, made.secret, True, TARGET)
    ]
    await live.unsubscribe(held[0])
    assert await live.hooks_held() == []


@pytest.mark.anyio
async def test_registering_twice_takes_over_the_first(port: Harbour) -> None:
    live = port.connector()
    wanted = live.hooks_wanted(Scope())[0]
    first, second = await live.subscribe(wanted, TARGET), await live.subscribe(wanted, TARGET)
    assert (first.external_id, first.secret) == (second.external_id, second.secret)
    assert len(await live.hooks_held()) == 1


@pytest.mark.anyio
async def test_a_suspended_webhook_is_seen_and_revived_with_its_secret(port: Harbour) -> None:
    live = port.connector()
    made = await live.subscribe(live.hooks_wanted(Scope())[0], TARGET)
    vendor = port.vendor.webhooks
    parcel = vendor.parcels(_renamed(port))[0]
    vendor.settled(parcel, Reply(410))
    held = (await live.hooks_held())[0]
    assert held.healthy is False
    revived = await live.revive(held, TARGET)
    assert (revived.external_id, revived.secret, revived.healthy) == (made.external_id, made.secret, True)
    assert (await live.hooks_held())[0].healthy is True


def _renamed(port: Harbour) -> list[Any]:
    before = len(port.world.journal)
    port.world.set_title("clickup", port.live_tasks()[0].id, "renamed")
    return port.world.journal[before:]


@pytest.mark.anyio
async def test_a_failing_webhook_is_healthy_until_it_is_suspended(port: Harbour) -> None:
    live = port.connector()
    await live.subscribe(live.hooks_wanted(Scope())[0], TARGET)
    vendor = port.vendor.webhooks
    parcel: Any = vendor.parcels(_renamed(port))[0]
    while parcel is not None:
        parcel = vendor.settled(parcel, Reply(500))
    assert next(iter(vendor.held.values())).status == "failing"
    assert (await live.hooks_held())[0].healthy is True


@pytest.mark.anyio
async def test_a_webhook_that_somebody_removed_is_registered_anew(port: Harbour) -> None:
    live = port.connector()
    made = await live.subscribe(live.hooks_wanted(Scope())[0], TARGET)
    await live.unsubscribe(made)
    await live.unsubscribe(made)  # gone already is fine
    revived = await live.revive(made, TARGET)
    assert revived.external_id != made.external_id
    assert revived.secret not in (None, made.secret)


@pytest.mark.anyio
async def test_what_the_pretend_vendor_signs_is_genuine_to_the_connector(port: Harbour) -> None:
    live = port.connector()
    made = await live.subscribe(live.hooks_wanted(Scope())[0], TARGET)
    task = port.live_tasks()[0]
    for parcel in port.vendor.webhooks.parcels(_renamed(port)):
        sent = Call({name.lower(): value for name, value in parcel.headers.items()}, parcel.body, parcel.url)
        received = ClickUpConnector.receive(sent, made, signing_secret=None, now=NOW)
        assert (received.touched, received.status) == ((f"task:{task.id}",), 200)
        assert received.delivery


@pytest.mark.anyio
async def test_another_ones_narrow_webhook_is_listed_under_a_key_of_its_own() -> None:
    vendor = Vendor()
    row = {"id": "77", "endpoint": "https://other.example.org", "list_id": 301, "health": {"status": "active", "fail_count": 0}, "secret": "s"}
    vendor.bodies["/v2/team/9001/webhook", False] = {"webhooks": [row]}
    assert [hook.key for hook in await connector(vendor).hooks_held()] == ["webhook/77"]


@pytest.mark.anyio
async def test_a_workspace_that_is_closed_has_no_webhooks_to_show() -> None:
    vendor = Vendor(first={"/v2/team/9001/webhook": [error(401, "OAUTH_027", "Team not authorized")]})
    assert await connector(vendor).hooks_held() == []


@pytest.mark.anyio
async def test_nothing_is_registered_unless_the_paths_are_declared() -> None:
    with pytest.raises(WriteRefused):
        await connector(Vendor()).subscribe(HOOK, TARGET)  # that helper declares none
    assert ClickUpConnector.hooks == ("/v2/team/*/webhook", "/v2/webhook/*")


@pytest.mark.anyio
async def test_errors_that_mean_something_else_are_not_taken_for_gone(port: Harbour) -> None:
    live = port.connector()
    made = await live.subscribe(live.hooks_wanted(Scope())[0], TARGET)
    port.wire.answers[f"/v2/webhook/{made.external_id}"] = [error(400, "SANDBOX_400", "no"), error(404, "SANDBOX_404", "nowhere")]
    for _ in range(2):  # a 404 for a webhook that is still listed proves nothing
        with pytest.raises(BadResponse):
            await live.unsubscribe(made)
    port.knobs.revoked.add("clickup")
    with pytest.raises(AuthFailed):
        await live.revive(made, TARGET)
