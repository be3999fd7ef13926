"""The pretend Asana's webhooks: refused like the real ones, confirmed by a handshake, signed, and given up after a day of failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # the library ships no types
import pytest

from hub.sandbox import seed
from hub.sandbox.asana import webhooks
from hub.sandbox.courier import Parcel, Reply
from hub.sandbox.knobs import Knobs
from tests.sandbox.asana_caller import NAME, TARGET, Caller, Office, lines, message
from tests.sandbox.test_asana_spec import DEFS, SPEC

pytestmark = pytest.mark.anyio


@pytest.fixture
def office() -> Office:
    return Office()


def fits(answer: httpx.Response, operation: dict[str, Any]) -> None:
    schema = json.loads(json.dumps(operation["answer"]))
    if "next_page" in schema["properties"]:
        schema["properties"]["next_page"] = {"anyOf": [schema["properties"]["next_page"], {"type": "null"}]}
    errors = list(jsonschema.Draft202012Validator({**schema, "$defs": DEFS}).iter_errors(answer.json()))
    assert errors == []


# -- making, listing, changing, taking down ------------------------------------------------------------------------------------------


async def test_a_webhook_is_made_by_a_handshake_and_its_secret_is_told_twice(office: Office) -> None:
    answer = await office.order(office.asana.projects[0].id)
    (handshake,) = office.box.sent
    assert answer.status_code == 201
    assert (handshake.url, handshake.headers["X-Hook-Secret"]) == (TARGET, answer.json()["X-Hook-Secret"])
    assert answer.json()["data"]["active"] is True
    assert office.box.round() == [{"events": []}], "the first heartbeat follows"


@pytest.mark.parametrize(
    "customer",
    [
        lambda parcel: Reply(200),
        lambda parcel: Reply(200, {"x-hook-secret": "another"}),
        lambda parcel: Reply(None),
        lambda parcel: Reply(500, {"x-hook-secret": parcel.headers["X-Hook-Secret"]}),
        lambda parcel: Reply(301, {"x-hook-secret": parcel.headers["X-Hook-Secret"]}),
    ],
)
async def test_a_handshake_that_is_not_answered_as_it_should_makes_no_webhook(office: Office, customer: Callable[[Parcel], Reply]) -> None:
    office.box.customer = customer
    assert (await office.order(office.asana.projects[0].id)).status_code == 400
    assert await office.listed() == []


async def test_204_with_the_header_is_as_good_as_200(office: Office) -> None:
    office.box.customer = lambda parcel: Reply(204, {"x-hook-secret": parcel.headers["X-Hook-Secret"]})
    assert (await office.order(office.asana.projects[0].id)).status_code == 201


async def test_the_same_resource_and_target_twice_is_a_duplicate(office: Office) -> None:
    one, two = (project.id for project in office.asana.projects[:2])
    await office.hook(one)
    again = await office.order(one)
    assert (again.status_code, "Duplicated webhook" in message(again)) == (403, True)
    assert (await office.order(one, target=TARGET + "&y=3")).status_code == 201
    assert (await office.order(two)).status_code == 201


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]", "10.0.0.7", "printer", "app.localhost", "169.254.169.254"])
async def test_hosts_that_the_internet_does_not_have_are_forbidden(office: Office, host: str) -> None:
    assert (await office.order(office.asana.projects[0].id, target=f"http://{host}/x")).status_code == 403
    assert office.box.sent == []


async def test_a_name_that_the_courier_knows_is_as_good_as_public(office: Office) -> None:
    office.asana.knobs.hosts["localhost"] = 8000
    assert (await office.order(office.asana.projects[0].id, target="https://localhost/x")).status_code == 201


async def test_malformed_orders_are_refused(office: Office) -> None:
    project, place = office.asana.projects[0].id, office.asana.workspace()
    team = next(node.id for node in office.asana.world.nodes["asana"].values() if node.kind == "team")
    fine = {"resource": project, "target": TARGET}
    changed = {"resource_type": "project", "action": "changed"}
    orders: list[Any] = [
        {"resource": project},
        {"target": TARGET},
        {**fine, "resource": 5},
        {**fine, "secret": "mine"},
        {**fine, "target": "nonsense"},
        {**fine, "target": "ftp://hub.example/x"},
        {**fine, "filters": {}},
        {**fine, "filters": ["task"]},
        {**fine, "filters": [{"resource_type": "task", "action": "moved"}]},
        {**fine, "filters": [{"resource_type": "task", "verb": "changed"}]},
        {**fine, "filters": [{"resource_type": "task", "action": "added", "fields": ["name"]}]},
        {**fine, "filters": [{"resource_type": "task", "action": "changed", "fields": "name"}]},
        *({**fine, "resource": above} for above in (place, team)),
        *({**fine, "resource": above, "filters": [{**changed, "fields": ["name"]}]} for above in (place, team)),
        *({**fine, "resource": place, "filters": [{"resource_type": kind, "action": "changed"}]} for kind in ("task", "story")),
        {**fine, "resource": place, "filters": [{"action": "changed"}]},
    ]
    for order in orders:
        assert (await office.asana.send("POST", "/webhooks", order)).status_code == 400, order
    wrong: list[Any] = [None, [], "x"]
    for body in wrong:
        assert (await office.asana.send("POST", "/webhooks", body)).status_code == 400
    assert (await office.asana.send("POST", "/webhooks", fine, colour="red")).status_code == 400
    assert office.box.sent == []


async def test_what_the_token_cannot_see_cannot_be_watched(office: Office) -> None:
    hidden = next(project for project in office.asana.world.projects["asana"].values() if project.hidden)
    assert (await office.order(hidden.id)).status_code == 403
    assert (await office.order("999")).status_code == 404
    assert (await office.asana.http.post("/webhooks", json={"data": {"resource": "1", "target": TARGET}})).status_code == 401


async def test_there_is_an_end_to_webhooks(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PER_RESOURCE", 2)
    one, two = (project.id for project in office.asana.projects[:2])
    for number in range(2):
        await office.hook(one, target=f"{TARGET}&n={number}")
    assert (await office.order(one)).status_code == 403
    monkeypatch.setattr(webhooks, "PER_USER", 3)
    await office.hook(two)
    assert (await office.order(two, target=TARGET + "&n=9")).status_code == 403


async def test_without_a_courier_nobody_can_be_reached() -> None:
    asana = Caller(seed.build(tasks=60), Knobs(limits=False, hosts={NAME: 1}))
    answer = await asana.send("POST", "/webhooks", {"resource": asana.projects[0].id, "target": TARGET})
    assert answer.status_code == 400


async def test_listing_by_workspace_and_resource(office: Office) -> None:
    projects = office.asana.projects
    made = {(await office.hook(project.id))["gid"] for project in projects[:3]}
    place = await office.hook(office.asana.workspace(), {"resource_type": "project", "action": "added"})
    assert {row["gid"] for row in await office.listed()} == made | {place["gid"]}
    assert [row["resource"]["gid"] for row in await office.listed(resource=projects[1].id)] == [projects[1].id]
    assert (await office.asana.get("/webhooks")).status_code == 400
    assert len(await office.asana.pages("/webhooks", workspace=office.asana.workspace(), limit=1)) >= 1


async def test_a_webhook_taken_down_is_heard_no_more(office: Office) -> None:
    project = office.asana.projects[0].id
    made = await office.hook(project)
    office.box.round()
    assert (await office.asana.send("DELETE", f"/webhooks/{made['gid']}")).json() == {"data": {}}
    office.asana.world.create_task("asana", "New", project)
    assert office.box.round() == []
    assert (await office.asana.send("DELETE", f"/webhooks/{made['gid']}")).status_code == 404
    assert (await office.asana.get(f"/webhooks/{made['gid']}")).status_code == 404


async def test_other_filters_hold_from_then_on(office: Office) -> None:
    project = office.asana.projects[0].id
    made = await office.hook(project)
    office.box.round()
    only = [{"resource_type": "task", "action": "changed", "fields": ["name"]}]
    changed = await office.asana.send("PUT", f"/webhooks/{made['gid']}", {"filters": only})
    assert changed.json()["data"]["filters"] == only
    task = office.asana.world.create_task("asana", "New", project)
    office.asana.world.complete("asana", task.id)
    office.asana.world.set_title("asana", task.id, "Better")
    assert lines(office.box.round()) == [("changed", "task", task.id, None, "name")]
    assert (await office.asana.send("PUT", f"/webhooks/{made['gid']}", {"target": TARGET})).status_code == 400
    assert (await office.asana.send("PUT", f"/webhooks/{made['gid']}", {"filters": [{"action": "moved"}]})).status_code == 400


async def test_answers_fit_the_specification(office: Office) -> None:
    order = await office.order(office.asana.projects[0].id, {"resource_type": "task", "action": "changed", "fields": ["name"]})
    gid = order.json()["data"]["gid"]
    fits(order, SPEC["writes"]["POST /webhooks"])
    office.box.customer = lambda parcel: Reply(503, body="ausgefallen ☂".encode())
    office.box.round()
    everything = (
        "active,created_at,delivery_retry_count,failure_deletion_timestamp,filters.action,last_failure_at,last_failure_content,last_success_at"
    )
    shapes: list[dict[str, Any]] = [{}, {"opt_fields": everything + ",next_attempt_after,resource.name,target"}]
    for fields in shapes:
        for place in await office.asana.data("/workspaces"):
            fits(await office.asana.get("/webhooks", workspace=place["gid"], limit=100, **fields), SPEC["paths"]["/webhooks"])
        fits(await office.asana.get(f"/webhooks/{gid}", **fields), SPEC["paths"]["/webhooks/{webhook_gid}"])
    fits(await office.asana.send("PUT", f"/webhooks/{gid}", {"filters": []}), SPEC["writes"]["PUT /webhooks/{webhook_gid}"])
    fits(await office.asana.send("DELETE", f"/webhooks/{gid}"), SPEC["writes"]["DELETE /webhooks/{webhook_gid}"])
