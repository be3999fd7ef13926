"""Webhooks in: who may call, what a call touches, and that nothing a stranger sends does harm."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # the library ships no types
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.asana import AsanaConnector
from connectors.asana.webhooks import ACTIONS, LONGEST, MOST
from connectors.base import Known, Scope
from connectors.calls import Call, Forged, Hook, Received
from connectors.errors import Refused
from connectors.readonly import WriteRefused
from hub.sandbox.courier import Parcel, Reply
from tests.connectors.asana.ledger import Ledger
from tests.connectors.asana.pretend import Vendor, listed, refusal

SPEC: dict[str, Any] = json.loads((Path(__file__).parents[2] / "specs/asana.json").read_text())
SECRET = "5ecret-0f-an-invented-hook"
TARGET = "https://hub.example.org/receivers/1/abc"
HELD = Hook("project/30", {"resource": "30"}, external_id="900", secret=SECRET)
OPEN = Hook("project/30", {"resource": "30"})
KNOWN = Known(
    {"search:10": {"from": "2026-11-20T07:00:00.000Z"}, "events:30": {"sync": "s1", "workspace": "11"}},
    {"project:30": False, "project:31": True, "project:32": False},
)


def receive(body: bytes, hook: Hook = HELD, **headers: str) -> Received:
    call = Call({name.replace("_", "-"): value for name, value in headers.items()}, body, TARGET)
    return AsanaConnector.receive(call, hook, signing_secret=None, now=datetime(2026, 11, 23, tzinfo=UTC))


def signed(body: bytes, hook: Hook = HELD) -> Received:
    return receive(body, hook, x_hook_signature=signature(body))


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def told(*events: Any) -> bytes:
    return orjson.dumps({"events": list(events)})


def event(gid: Any, kind: str = "task", action: str = "changed") -> dict[str, Any]:
    return {"action": action, "user": {"gid": "1001"}, "resource": {"gid": gid, "resource_type": kind}, "parent": None}


# -- calls ---------------------------------------------------------------------------------------------------------------------------


def test_a_handshake_is_answered_with_its_own_header_while_the_registration_is_open() -> None:
    answer = receive(b"", OPEN, x_hook_secret=SECRET)
    assert (answer.status, answer.headers, answer.secret, answer.touched) == (200, {"X-Hook-Secret": SECRET}, SECRET, ())
    assert SECRET not in repr(replace(answer, headers={}))


@pytest.mark.parametrize("hook", [HELD, replace(HELD, secret=None), replace(HELD, external_id=None)])
def test_a_handshake_that_nobody_asked_for_is_refused(hook: Hook) -> None:
    """A replayed one too: after the first the registration has its secret."""
    with pytest.raises(Forged) as caught:
        receive(b"{}", hook, x_hook_secret="a-strangers-secret", x_hook_signature=signature(b"{}"))
    assert caught.value.status == 403
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", ["", " \n", "gehe\u0142m", "line\r\nSet-Cookie: x", "x" * 513])
def test_a_handshake_whose_secret_no_header_could_give_back_is_refused(secret: str) -> None:
    with pytest.raises(Forged):
        receive(b"", OPEN, x_hook_secret=secret)


def test_a_signed_call_says_what_it_touched_each_once() -> None:
    body = told(
        event("1"), event("1", action="removed"), event("41", "section"), event("30", "project"), event("7", "story"), event("2", action="deleted")
    )
    assert signed(body).touched == ("task:1", "project:30", "task:2")


def test_a_heartbeat_touches_nothing() -> None:
    answer = signed(b'{"events":[]}')
    assert (answer.touched, answer.status, answer.secret, answer.delivery) == ((), 200, None, None)


def test_what_a_workspace_tells_of_its_projects_asks_for_a_look_at_them() -> None:
    hook = replace(HELD, key="workspace/10")
    assert signed(told(event("33", "project", "added"), event("34", "project", "deleted")), hook).touched == ("project:33", "project:34")


@pytest.mark.parametrize(
    "signature_of",
    [
        lambda body: "",
        lambda body: signature(body, "another"),
        lambda body: signature(body + b" "),
        lambda body: signature(body).upper(),
        lambda body: "s\u00edgn\u00e4tur\u2602",
        lambda body: "\udcff",
        lambda body: signature(body)[:-1],
        lambda body: signature(body) + "0",
    ],
)
def test_a_wrong_signature_is_refused(signature_of: Any) -> None:
    body = told(event("1"))
    with pytest.raises(Forged) as caught:
        receive(body, x_hook_signature=signature_of(body))
    assert caught.value.status == 403


def test_a_call_without_a_signature_is_refused() -> None:
    with pytest.raises(Forged):
        receive(told(event("1")))


def test_no_call_is_genuine_before_there_is_a_secret() -> None:
    body = told(event("1"))
    with pytest.raises(Forged):
        receive(body, OPEN, x_hook_signature=signature(body, ""))


def test_a_call_is_verified_before_it_is_parsed() -> None:
    with pytest.raises(Forged, match="signature"):
        receive(b"{" * 1000, x_hook_signature="00")


def test_an_oversized_call_is_refused_before_it_is_hashed_or_parsed() -> None:
    body = b'{"events":[]}' + b" " * LONGEST
    with pytest.raises(Forged) as caught:
        signed(body)
    assert caught.value.status == 413


def test_a_flood_of_tasks_asks_for_one_look_at_the_project() -> None:
    many = [event(str(number)) for number in range(MOST + 1)]
    assert signed(told(*many, event("30", "project"))).touched == ("project:30",)
    assert len(signed(told(*many[:MOST])).touched) == MOST


@pytest.mark.parametrize(
    "odd",
    [{"resource": None}, {}, None, 7, "x", {"resource": {"gid": None, "resource_type": "task"}}, {"resource": {"gid": 5, "resource_type": "task"}}],
)
def test_an_event_may_lack_anything(odd: Any) -> None:
    assert signed(told(odd, event("1"))).touched == ("task:1",)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events":{}}', b'{"events":null}', b"\xff\xfe", "{'ö'}".encode()])
def test_a_genuine_call_that_cannot_be_read_asks_for_a_look_at_what_the_hook_watches(body: bytes) -> None:
    assert signed(body).touched == ("project:30",)
    assert signed(body, replace(HELD, key="workspace/10")).touched == ("container:workspace/10",)


def test_names_in_any_script_are_signed_as_they_are() -> None:
    body = '{"events":[{"action":"changed","resource":{"gid":"1","resource_type":"task","name":"Ölhafen ☂ 港"}}]}'.encode()
    assert signed(body).touched == ("task:1",)


@given(body=st.binary(max_size=300), offered=st.none() | st.text(max_size=40), shown=st.none() | st.text(max_size=70))
def test_a_stranger_gets_nothing_but_a_refusal(body: bytes, offered: str | None, shown: str | None) -> None:
    headers = {name: value for name, value in (("x-hook-secret", offered), ("x-hook-signature", shown)) if value is not None}
    with pytest.raises(Forged):
        AsanaConnector.receive(Call(headers, body, TARGET), HELD, signing_secret=None, now=datetime(2026, 11, 23, tzinfo=UTC))


# -- registration --------------------------------------------------------------------------------------------------------------------


def test_one_webhook_for_each_live_project_and_one_with_filters_for_each_workspace() -> None:
    connector = Vendor().connector()
    connector.know(KNOWN)
    hooks = {hook.key: hook for hook in connector.hooks_wanted(Scope(excluded=frozenset({"32"})))}
    assert sorted(hooks) == ["project/30", "workspace/10", "workspace/11"]
    assert [(one["resource_type"], one["action"]) for one in hooks["workspace/10"].args["filters"]] == [("project", action) for action in ACTIONS]
    assert {one["resource_type"] for one in hooks["project/30"].args["filters"]} == {"task", "section", "project"}
    assert [hook.key for hook in connector.hooks_wanted(Scope(workspaces=frozenset({"10"})))] == ["workspace/10", "project/32"]
    assert connector.capabilities.hooks


@pytest.mark.anyio
async def test_a_registration_sends_what_the_specification_takes_and_brings_id_and_secret(vendor: Vendor) -> None:
    vendor.answers["POST /webhooks"] = httpx.Response(201, json={"data": {"gid": "900", "target": TARGET}, "X-Hook-Secret": SECRET})
    connector = vendor.connector()
    connector.know(KNOWN)
    wanted = connector.hooks_wanted(Scope())
    for hook in wanted:
        made = await connector.subscribe(hook, TARGET)
        assert (made.key, made.external_id, made.secret, made.healthy) == (hook.key, "900", SECRET, True)
    checker = jsonschema.Draft202012Validator({**SPEC["writes"]["POST /webhooks"]["body"], "$defs": SPEC["$defs"]})
    assert len(vendor.sent) == len(wanted)
    for line, body in vendor.sent:
        assert line == "POST /webhooks"
        assert list(checker.iter_errors(body)) == []
        assert body["data"]["target"] == TARGET


@pytest.mark.anyio
async def test_a_secret_that_came_by_the_handshake_alone_is_not_missed(vendor: Vendor) -> None:
    vendor.answers["POST /webhooks"] = httpx.Response(201, json={"data": {"gid": "900"}})
    made = await vendor.connector().subscribe(OPEN, TARGET)
    assert (made.external_id, made.secret) == ("900", None)


def webhooks(*rows: tuple[str, str, str, bool]) -> dict[str, Any]:
    return listed(
        [{"gid": gid, "active": active, "target": target, "resource": {"gid": of, "resource_type": "project"}} for gid, of, target, active in rows]
    )


@pytest.mark.anyio
async def test_a_duplicate_is_taken_over_by_a_new_one_since_its_secret_is_lost(vendor: Vendor) -> None:
    answers = [refusal(403, "Duplicated webhook"), httpx.Response(201, json={"data": {"gid": "901"}, "X-Hook-Secret": SECRET})]
    vendor.answers["/workspaces"] = listed([{"gid": "10", "name": "Example Harbour"}])
    vendor.answers["/webhooks"] = webhooks(("900", "30", TARGET, True), ("899", "30", "https://other.example.org/", True))
    vendor.answers["POST /webhooks"] = lambda query: answers.pop(0)
    vendor.answers["DELETE /webhooks/900"] = {"data": {}}
    made = await vendor.connector().subscribe(OPEN, TARGET)
    assert made.external_id == "901"
    assert [line for line, _ in vendor.sent] == ["POST /webhooks", "DELETE /webhooks/900", "POST /webhooks"]
    assert vendor.queries("/webhooks")[1]["resource"] == "30"


@pytest.mark.anyio
async def test_a_target_that_the_vendor_forbids_is_refused_and_nothing_is_taken_down(vendor: Vendor) -> None:
    vendor.answers["POST /webhooks"] = refusal(403, "Forbidden")
    with pytest.raises(Refused):
        await vendor.connector().subscribe(OPEN, TARGET)
    assert len(vendor.sent) == 1


@pytest.mark.anyio
async def test_the_webhooks_held_are_listed_through_all_workspaces_and_pages(vendor: Vendor) -> None:
    vendor.answers["/workspaces"] = listed([{"gid": "10", "name": "A"}, {"gid": "11", "name": "B"}])
    pages = {("10", None): webhooks(("900", "30", TARGET, True)), ("11", None): webhooks(("901", "31", TARGET, False)), ("11", "w2"): webhooks()}
    pages["11", None]["next_page"] = {"offset": "w2"}
    vendor.answers["/webhooks"] = lambda query: pages[query["workspace"], query.get("offset")]
    hooks = await vendor.connector().hooks_held()
    assert [(hook.key, hook.external_id, hook.args["target"], hook.healthy, hook.secret) for hook in hooks] == [
        ("project/30", "900", TARGET, True, None),
        ("project/31", "901", TARGET, False, None),
    ]


@pytest.mark.anyio
async def test_one_that_was_suspended_is_made_anew(vendor: Vendor) -> None:
    vendor.answers["DELETE /webhooks/900"] = {"data": {}}
    vendor.answers["POST /webhooks"] = httpx.Response(201, json={"data": {"gid": "902"}, "X-Hook-Secret": "new"})
    made = await vendor.connector().revive(replace(HELD, healthy=False), TARGET)
    assert (made.external_id, made.secret, made.healthy) == ("902", "new", True)
    assert [line for line, _ in vendor.sent] == ["DELETE /webhooks/900", "POST /webhooks"]


@pytest.mark.anyio
async def test_taking_down_what_is_gone_already_is_fine(vendor: Vendor) -> None:
    connector = vendor.connector()
    await connector.unsubscribe(HELD)
    await connector.unsubscribe(OPEN)
    assert [line for line, _ in vendor.sent] == ["DELETE /webhooks/900"]


@pytest.mark.anyio
async def test_nothing_but_webhooks_is_ever_sent(vendor: Vendor) -> None:
    connector = vendor.connector()
    for method, path in (("POST", "/tasks"), ("PUT", "/tasks/1"), ("DELETE", "/projects/30"), ("POST", "/webhooks/../tasks")):
        with pytest.raises(WriteRefused):
            await connector.http.register_hook(method, path, {})
    assert vendor.sent == []


# -- against the pretend Asana ---------------------------------------------------------------------------------------------------------

HOST = "hub.example"


class Doors:
    """What a hub keeps of its webhooks, and what it does with a call: the registration is open until the handshake has brought a secret."""

    def __init__(self, ledger: Ledger) -> None:
        self.hooks: dict[str, Hook] = {}
        self.touched: list[str] = []
        self.forged = 0
        ledger.knobs.hosts[HOST] = 1
        ledger.box.customer = self.answer

    def answer(self, parcel: Parcel) -> Reply:
        hook = self.hooks[parcel.url]
        call = Call({name.lower(): value for name, value in parcel.headers.items()}, parcel.body, parcel.url)
        try:
            answer = AsanaConnector.receive(call, hook, signing_secret=None, now=datetime(2026, 11, 23, tzinfo=UTC))
        except Forged as forged:
            self.forged += 1
            return Reply(forged.status)
        self.touched.extend(answer.touched)
        if answer.secret is not None:
            self.hooks[parcel.url] = replace(hook, secret=answer.secret)
        return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)

    async def open(self, connector: AsanaConnector, hook: Hook, target: str) -> None:
        self.hooks[target] = replace(hook, external_id=None, secret=None)
        made = await connector.subscribe(hook, target)
        assert made.secret == self.hooks[target].secret, "told twice, the same"
        self.hooks[target] = made


@pytest.mark.anyio
async def test_from_registration_to_the_row_through_the_pretend_vendor() -> None:
    ledger = Ledger()
    await ledger.full()
    doors, connector = Doors(ledger), ledger.connector()
    for number, hook in enumerate(connector.hooks_wanted(Scope())):
        await doors.open(connector, hook, f"https://{HOST}/receivers/1/{number}")
    held = {(hook.key, hook.args["target"]) for hook in await connector.hooks_held()}
    assert held == {(hook.key, target) for target, hook in doors.hooks.items()}
    ledger.box.round()
    assert (doors.touched, doors.forged) == ([], 0), "heartbeats"
    project = ledger.busiest()
    edited, gone = ledger.tasks_in(project)[:2]
    ledger.world.set_due("asana", edited, None)
    ledger.world.set_due("asana", edited, datetime(2027, 1, 4, 9, tzinfo=UTC))
    ledger.world.delete_task("asana", gone)
    ledger.world.rename_project("asana", project.id, "Umbenannt")
    ledger.box.round()
    assert {f"task:{edited}", f"task:{gone}", f"project:{project.id}"} <= set(doors.touched)
    looked = await connector.lookup([f"task:{edited}", f"task:{gone}"])
    assert looked.found[f"task:{edited}"].raw["due_at"] == "2027-01-04T09:00:00.000Z"
    assert looked.gone == frozenset({f"task:{gone}"})


@pytest.mark.anyio
async def test_a_replayed_handshake_changes_no_secret_and_a_lost_one_is_replaced() -> None:
    ledger = Ledger()
    await ledger.full()
    doors, connector = Doors(ledger), ledger.connector()
    hook, target = connector.hooks_wanted(Scope())[-1], f"https://{HOST}/receivers/1/0"
    await doors.open(connector, hook, target)
    secret = doors.hooks[target].secret
    assert doors.answer(ledger.box.sent[0]).status == 403
    assert doors.hooks[target].secret == secret
    await doors.open(connector, hook, target)
    assert doors.hooks[target].secret not in (None, secret)
    assert len(await connector.hooks_held()) == 1
    await connector.unsubscribe(doors.hooks[target])
    assert await connector.hooks_held() == []
