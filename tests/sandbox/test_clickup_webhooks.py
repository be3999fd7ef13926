"""The pretend ClickUp's webhooks: strict registrations, the events of each change, signed calls, and the vendor's rules of giving up."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date
from typing import Any

import httpx
import orjson
import pytest

from hub.sandbox import seed
from hub.sandbox.clickup.app import ClickUp, serve
from hub.sandbox.clickup.webhooks import MOST_FAILURES
from hub.sandbox.courier import Parcel, Reply
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import Task

pytestmark = pytest.mark.anyio
ENDPOINT = "https://hub.example.org/in"


class Office:
    """A vendor with a client and a hand on its post room."""

    def __init__(self, number: int = 2) -> None:
        self.world = seed.build(number, 120)
        self.knobs = Knobs(limits=False)
        self.vendor = ClickUp(self.world, self.knobs)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(serve(self.vendor, self.world, self.knobs, lambda: 1_000_000.0)),
            base_url="http://clickup.test/v2",
            headers={"Authorization": self.world.tokens["clickup"]},
        )
        self.team = next(node.id for node in self.world.nodes["clickup"].values() if node.kind == "workspace")
        self._told = len(self.world.journal)

    async def make(self, **more: Any) -> dict[str, Any]:
        answer = await self.client.post(f"/team/{self.team}/webhook", json={"endpoint": ENDPOINT, "events": ["*"]} | more)
        assert answer.status_code == 200, answer.text
        hook: dict[str, Any] = answer.json()["webhook"]
        return hook

    async def health(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get(f"/team/{self.team}/webhook")).json()["webhooks"][0]["health"]
        return found

    def parcels(self) -> list[Parcel]:
        """What the changes since the last time make the vendor send."""
        fresh = self.world.journal[self._told :]
        self._told = len(self.world.journal)
        return list(self.vendor.webhooks.parcels([entry for entry in fresh if entry.tool == "clickup"]))

    def events(self) -> list[tuple[str, str]]:
        bodies = [orjson.loads(parcel.body) for parcel in self.parcels()]
        return [(body["event"], next(body[name] for name in ("task_id", "list_id") if name in body)) for body in bodies]

    def task(self) -> Task:
        """A live task with subtasks in a live list."""
        world = self.world
        parents = {one.parent for one in world.tasks["clickup"].values() if not one.deleted}
        return next(
            one
            for one in world.tasks["clickup"].values()
            if one.id in parents and one.parent is None and not one.deleted and not one.archived and self._open(one)
        )

    def _open(self, task: Task) -> bool:
        project = self.world.projects["clickup"][task.homes[0][0]]
        return self.world.sees_project(project) and not self.world.archived_above(project)

    def settle(self, status: int | None, parcel: Parcel | None = None) -> int:
        """Answers one call with ``status`` until the vendor gives up; how often it was made."""
        if parcel is None:
            self.world.set_title("clickup", self.task().id, f"{self.task().title}.")
            parcel = self.parcels()[0]
        count = 0
        again: Parcel | None = parcel
        while again is not None:
            count += 1
            again = self.vendor.webhooks.settled(again, Reply(status))
        return count


@pytest.fixture
async def office() -> Any:
    made = Office()
    yield made
    await made.client.aclose()


# -- registering -----------------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_made_listed_changed_and_taken_down(office: Office) -> None:
    made = await office.make(events=["taskCreated", "taskDeleted"])
    assert (made["health"], made["team_id"], made["list_id"]) == ({"status": "active", "fail_count": 0}, int(office.team), None)
    assert len(made["secret"]) == 64
    listed = (await office.client.get(f"/team/{office.team}/webhook")).json()["webhooks"]
    assert listed == [made]
    changed = await office.client.put(f"/webhook/{made['id']}", json={"endpoint": f"{ENDPOINT}/2", "events": "*", "status": "active"})
    assert (changed.json()["webhook"]["endpoint"], changed.json()["webhook"]["events"]) == (f"{ENDPOINT}/2", ["*"])
    assert (await office.client.delete(f"/webhook/{made['id']}")).json() == {}
    assert (await office.client.get(f"/team/{office.team}/webhook")).json() == {"webhooks": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"endpoint": ENDPOINT},
        {"events": ["*"]},
        {"endpoint": "hub.example.org", "events": ["*"]},
        {"endpoint": ENDPOINT, "events": "*"},
        {"endpoint": ENDPOINT, "events": []},
        {"endpoint": ENDPOINT, "events": ["taskInvented"]},
        {"endpoint": ENDPOINT, "events": ["*", "taskCreated"]},
        {"endpoint": ENDPOINT, "events": [7]},
        {"endpoint": ENDPOINT, "events": ["*"], "list_id": "301"},
        {"endpoint": ENDPOINT, "events": ["*"], "invented": 1},
        ["*"],
    ],
)
async def test_a_wrong_registration_is_refused(office: Office, body: Any) -> None:
    assert (await office.client.post(f"/team/{office.team}/webhook", json=body)).status_code == 400
    assert office.vendor.webhooks.held == {}


async def test_a_body_that_is_no_json_or_does_not_say_so_is_refused(office: Office) -> None:
    path = f"/team/{office.team}/webhook"
    assert (await office.client.post(path, content=b"{")).status_code == 400
    good = orjson.dumps({"endpoint": ENDPOINT, "events": ["*"]})
    assert (await office.client.post(path, content=good, headers={"Content-Type": "text/plain"})).status_code == 400


async def test_places_must_be_there_and_open(office: Office) -> None:
    hidden = next(node for node in office.world.nodes["clickup"].values() if node.hidden)
    path = f"/team/{office.team}/webhook"
    for place, status in (({"list_id": 1}, 404), ({"space_id": int(hidden.id)}, 401), ({"task_id": "nowhere"}, 404)):
        assert (await office.client.post(path, json={"endpoint": ENDPOINT, "events": ["*"], **place})).status_code == status
    assert (await office.client.post("/team/1/webhook", json={"endpoint": ENDPOINT, "events": ["*"]})).status_code == 401


async def test_the_same_configuration_twice_is_refused_by_its_code(office: Office) -> None:
    await office.make()
    again = await office.client.post(f"/team/{office.team}/webhook", json={"endpoint": ENDPOINT, "events": ["*"]})
    assert (again.status_code, again.json()["ECODE"]) == (400, "OAUTH_171")
    await office.make(events=["taskCreated"])


@pytest.mark.parametrize("lacking", ["endpoint", "events", "status"])
async def test_a_change_wants_all_three(office: Office, lacking: str) -> None:
    made = await office.make()
    body = {"endpoint": ENDPOINT, "events": "*", "status": "active"}
    del body[lacking]
    assert (await office.client.put(f"/webhook/{made['id']}", json=body)).status_code == 400


async def test_a_webhook_that_is_not_there_answers_404(office: Office) -> None:
    body = {"endpoint": ENDPOINT, "events": "*", "status": "active"}
    assert (await office.client.put("/webhook/none", json=body)).status_code == 404
    assert (await office.client.delete("/webhook/none")).status_code == 404


async def test_registrations_need_the_token_and_count_against_the_limit(office: Office) -> None:
    office.knobs.limits, office.knobs.rates["clickup"] = True, 1
    assert (await office.client.post(f"/team/{office.team}/webhook", json={})).status_code == 400
    assert (await office.client.post(f"/team/{office.team}/webhook", json={})).status_code == 429
    office.knobs.revoked.add("clickup")
    assert (await office.client.delete("/webhook/none")).status_code == 401


# -- what is told ----------------------------------------------------------------------------------------------------------------


async def test_every_change_of_a_task_is_told_by_its_events(office: Office) -> None:
    await office.make()
    world, task = office.world, office.task()
    home = world.projects["clickup"][task.homes[0][0]]
    other = next(one.id for one in world.projects["clickup"].values() if one.id != home.id and world.sees_project(one))
    below = world.create_task("clickup", "new", parent=task.id)
    assert office.events() == [("taskCreated", below.id), ("taskStatusUpdated", below.id)]
    world.set_title("clickup", task.id, "another")
    assert office.events() == [("taskUpdated", task.id)]
    world.set_status("clickup", task.id, next(one.id for one in home.statuses if one.id != task.status))
    assert office.events() == [("taskUpdated", task.id), ("taskStatusUpdated", task.id)]
    world.set_due("clickup", task.id, date(2026, 7, 1))
    assert office.events() == [("taskUpdated", task.id), ("taskDueDateUpdated", task.id)]
    world.assign("clickup", task.id, [*task.assignees[1:], world.me["clickup"]])
    assert office.events()[-1] == ("taskAssigneeUpdated", task.id)
    world.set_priority("clickup", task.id, "low" if task.priority != "low" else "high")
    assert office.events() == [("taskUpdated", task.id), ("taskPriorityUpdated", task.id)]
    world.move("clickup", below.id, other)
    assert office.events() == [("taskUpdated", below.id), ("taskMoved", below.id)]
    world.archive_task("clickup", below.id)
    assert office.events() == [("taskUpdated", below.id)]
    world.delete_task("clickup", below.id)
    assert ("taskDeleted", below.id) in office.events()
    world.restore_task("clickup", below.id)
    assert set(office.events()) == {("taskUpdated", below.id)}


async def test_a_deleted_task_takes_its_subtasks_along_without_an_event_each(office: Office) -> None:
    await office.make(events=["taskDeleted"])
    task = office.task()
    assert len(list(office.world.family(task))) > 1
    office.world.delete_task("clickup", task.id)
    assert office.events() == [("taskDeleted", task.id)]


async def test_a_deleted_list_takes_its_tasks_along_without_an_event_each(office: Office) -> None:
    await office.make(events=["taskDeleted", "listDeleted", "listUpdated"])
    home = office.task().homes[0][0]
    office.world.rename_project("clickup", home, "Renamed")
    office.world.archive_project("clickup", home)
    assert office.events() == [("listUpdated", home)] * 2
    office.world.delete_project("clickup", home)
    assert office.events() == [("listDeleted", home)]


async def test_what_the_user_cannot_see_is_not_told(office: Office) -> None:
    await office.make()
    hidden = {node.id for node in office.world.nodes["clickup"].values() if node.hidden}
    project = next(one for one in office.world.projects["clickup"].values() if one.node in hidden)
    office.world.create_task("clickup", "secret", project.id)
    office.world.rename_project("clickup", project.id, "Secret")
    assert office.parcels() == []
    office.world.hide_project("clickup", office.task().homes[0][0])
    assert office.parcels() == []


async def test_of_several_places_the_most_specific_counts_and_events_are_chosen(office: Office) -> None:
    task = office.task()
    below = next(one for one in office.world.tasks["clickup"].values() if one.parent == task.id)
    place = office.world.projects["clickup"][task.homes[0][0]]
    space = [node.id for node in office.world.above(place)][-2]
    other = next(node.id for node in office.world.nodes["clickup"].values() if node.kind == "space" and node.id != space and not node.hidden)
    await office.make(space_id=int(other), list_id=int(place.id), events=["taskUpdated"])
    await office.make(task_id=task.id)
    await office.make(space_id=int(other))
    office.world.set_title("clickup", below.id, "below")
    assert office.events() == [("taskUpdated", below.id)]
    office.world.set_title("clickup", task.id, "above")
    assert office.events() == [("taskUpdated", task.id)] * 2


async def test_the_events_of_one_edit_share_its_history_item_and_deletions_have_none(office: Office) -> None:
    made = await office.make()
    task = office.task()
    home = office.world.projects["clickup"][task.homes[0][0]]
    before = next(one for one in home.statuses if one.id == task.status)
    office.world.set_status("clickup", task.id, next(one.id for one in home.statuses if one.id != task.status))
    first, second = (orjson.loads(parcel.body) for parcel in office.parcels())
    assert first["history_items"] == second["history_items"]
    item = first["history_items"][0]
    assert (item["field"], item["parent_id"], item["before"]["status"]) == ("status", home.id, before.name)
    assert set(item) == {"id", "type", "date", "field", "parent_id", "data", "source", "user", "before", "after"}
    assert first["webhook_id"] == made["id"]
    office.world.set_title("clickup", task.id, "x")
    assert orjson.loads(office.parcels()[0].body)["history_items"][0]["id"] != item["id"]
    office.world.delete_task("clickup", task.id)
    gone = orjson.loads(office.parcels()[0].body)
    assert gone == {"event": "taskDeleted", "task_id": task.id, "webhook_id": made["id"]}


async def test_a_call_is_signed_over_its_raw_body_with_its_own_secret(office: Office) -> None:
    secrets = {hook["id"]: hook["secret"] for hook in (await office.make(), await office.make(events=["taskUpdated"]))}
    office.world.set_title("clickup", office.task().id, "Ünterschrift 🖋")
    parcels = office.parcels()
    assert len({parcel.headers["X-Signature"] for parcel in parcels}) == 2
    for parcel in parcels:
        assert parcel.headers["X-Signature"] == hmac.new(secrets[parcel.hook].encode(), parcel.body, hashlib.sha256).hexdigest()
        assert parcel.seconds == 7.0


# -- how it ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, 500, 403, 302])
async def test_a_call_that_fails_is_made_five_times_and_then_counts_once(office: Office, status: int | None) -> None:
    await office.make()
    assert office.settle(status) == 5
    assert await office.health() == {"status": "failing", "fail_count": 1}
    assert office.settle(204) == 1
    assert await office.health() == {"status": "active", "fail_count": 0}


@pytest.mark.parametrize("status", [401, 410])
async def test_two_answers_suspend_at_once_and_nothing_is_sent_any_more(office: Office, status: int) -> None:
    made = await office.make()
    assert office.settle(status) == 1
    assert (await office.health())["status"] == "suspended"
    office.world.set_title("clickup", office.task().id, "unheard")
    assert office.parcels() == []
    await office.client.put(f"/webhook/{made['id']}", json={"endpoint": ENDPOINT, "events": "*", "status": "active"})
    assert office.parcels() == []  # what happened meanwhile is gone for good
    office.world.set_title("clickup", office.task().id, "heard")
    assert len(office.parcels()) == 1


async def test_a_hundred_failures_in_a_row_suspend(office: Office) -> None:
    await office.make()
    for _ in range(MOST_FAILURES - 1):
        office.settle(500)
    assert await office.health() == {"status": "failing", "fail_count": 99}
    office.settle(500)
    assert await office.health() == {"status": "suspended", "fail_count": 100}


async def test_a_call_of_a_webhook_that_was_taken_down_is_not_repeated(office: Office) -> None:
    made = await office.make()
    office.world.set_title("clickup", office.task().id, "late")
    parcel = office.parcels()[0]
    await office.client.delete(f"/webhook/{made['id']}")
    assert office.settle(500, parcel) == 1


# -- time in status --------------------------------------------------------------------------------------------------------------


async def test_time_in_status_tells_each_status_and_the_present_one(office: Office) -> None:
    task = office.task()
    home = office.world.projects["clickup"][task.homes[0][0]]
    wanted = next(one for one in home.statuses if one.id != task.status)
    old = next(one for one in home.statuses if one.id == task.status)
    office.world.set_status("clickup", task.id, wanted.id)
    changed = office.world.now
    answer = (await office.client.get(f"/task/{task.id}/time_in_status")).json()
    assert answer["current_status"]["status"] == wanted.name
    assert answer["current_status"]["total_time"]["since"] == str(int(changed.timestamp() * 1000))
    rows = {row["status"]: row["total_time"]["by_minute"] for row in answer["status_history"]}
    assert {wanted.name, old.name} <= rows.keys()
    assert task.created_at is not None
    assert sum(rows.values()) == pytest.approx((office.world.now - task.created_at).total_seconds() // 60, abs=len(rows))


async def test_time_in_status_of_many_takes_two_to_a_hundred_ids(office: Office) -> None:
    ids = [one.id for one in office.world.tasks["clickup"].values() if office._open(one) and not one.deleted]
    path = "/task/bulk_time_in_status/task_ids"
    answer = await office.client.get(path, params=[("task_ids", key) for key in [*ids[:3], "nowhere"]])
    assert answer.json().keys() == set(ids[:3])
    assert answer.json()[ids[0]] == (await office.client.get(f"/task/{ids[0]}/time_in_status")).json()
    for wrong in (ids[:1], [f"x{number}" for number in range(101)]):
        assert (await office.client.get(path, params=[("task_ids", key) for key in wrong])).status_code == 400
