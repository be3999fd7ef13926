"""The pretend Asana's limits: calls and searches a minute, concurrent reads, cost; and batches, which save no quota."""

from __future__ import annotations

import pytest

from hub.sandbox.knobs import Knobs
from tests.sandbox.asana_caller import Caller, gids

pytestmark = pytest.mark.anyio


@pytest.fixture
def asana() -> Caller:
    return Caller(knobs=Knobs())


async def statuses(asana: Caller, count: int, path: str = "/workspaces") -> list[int]:
    return [(await asana.get(path)).status_code for _ in range(count)]


@pytest.mark.parametrize(("plan", "limit"), [("free", 150), ("paid", 1500)])
async def test_calls_a_minute_by_plan(asana: Caller, plan: str, limit: int) -> None:
    asana.world.plans["asana"] = plan
    assert set(await statuses(asana, limit)) == {200}
    answer = await asana.get("/workspaces")
    assert answer.status_code == 429
    asana.now += float(answer.headers["retry-after"])
    assert (await asana.get("/workspaces")).status_code == 200


async def test_rejected_calls_count_so_retrying_early_waits_longer(asana: Caller) -> None:
    asana.knobs.rates["asana"] = 10
    await statuses(asana, 10)
    asana.now += 30
    assert await statuses(asana, 10) == [429] * 10
    asana.now += 30
    answer = await asana.get("/workspaces")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    asana.now += 61
    assert (await asana.get("/workspaces")).status_code == 200


async def test_sixty_searches_a_minute_besides_the_rest(asana: Caller) -> None:
    search = f"/workspaces/{asana.workspace()}/tasks/search"
    assert set(await statuses(asana, 60, search)) == {200}
    assert (await asana.get(search)).status_code == 429
    assert (await asana.get("/workspaces")).status_code == 200


async def test_fifty_reads_at_once(asana: Caller) -> None:
    asana.knobs.latency = 2.0
    assert await statuses(asana, 51) == [200] * 50 + [429]
    asana.now += 2.0
    assert (await asana.get("/workspaces")).status_code == 200


async def test_the_answer_that_overdraws_the_cost_quota_succeeds_and_the_next_waits(asana: Caller) -> None:
    asana.knobs.rates["asana"] = 2
    project = asana.largest().id
    heavy = {"project": project, "limit": 100, "opt_fields": "custom_fields," + ",".join(f"parent{'.parent' * depth}.name" for depth in range(130))}
    assert (await asana.get("/tasks", heavy)).status_code == 200
    refused = await asana.get("/workspaces")
    assert refused.status_code == 429
    asana.now += 61 + float(refused.headers["retry-after"])
    assert (await asana.get("/workspaces")).status_code == 200


async def test_no_limits_when_they_are_turned_off(asana: Caller) -> None:
    asana.knobs.limits = False
    asana.knobs.rates["asana"] = 1
    assert await statuses(asana, 5) == [200] * 5


async def test_a_batch_answers_each_action_and_each_may_fail_alone(asana: Caller) -> None:
    project = asana.largest().id
    answer = await asana.batch(
        {"method": "GET", "relative_path": "/tasks", "data": {"project": project}, "options": {"limit": 2, "fields": ["name", "due_on"]}},
        {"method": "get", "relative_path": "/tasks/999"},
        {"method": "get", "relative_path": "/projects?limit=2"},
        {"method": "post", "relative_path": "/batch"},
    )
    assert answer.status_code == 200
    [good, missing, in_path, nested] = answer.json()["data"]
    assert set(good) == {"status_code", "headers", "body"}
    assert [set(row) for row in good["body"]["data"]] == [{"gid", "name", "due_on"}] * 2
    assert good["body"]["next_page"]["offset"]
    assert [each["status_code"] for each in (missing, in_path, nested)] == [404, 400, 404]
    assert missing["body"]["errors"][0]["message"]


async def test_a_batch_holds_one_to_ten_actions(asana: Caller) -> None:
    action = {"method": "get", "relative_path": "/users/me"}
    assert (await asana.batch(*[action] * 10)).status_code == 200
    assert (await asana.batch(*[action] * 11)).status_code == 400
    assert (await asana.batch()).status_code == 400


async def test_each_action_counts_and_a_batch_that_breaks_a_limit_is_refused_whole(asana: Caller) -> None:
    asana.knobs.rates["asana"] = 15
    action = {"method": "get", "relative_path": "/users/me"}
    assert (await asana.batch(*[action] * 10)).status_code == 200
    refused = await asana.batch(*[action] * 6)
    assert refused.status_code == 429
    assert "errors" in refused.json()


async def test_searches_in_a_batch_count_as_searches(asana: Caller) -> None:
    action = {"method": "get", "relative_path": f"/workspaces/{asana.workspace()}/tasks/search", "data": {"completed": False}}
    for _ in range(6):
        first = await asana.batch(*[action] * 10)
        assert first.status_code == 200
        assert gids(first.json()["data"][0]["body"]["data"])
    assert (await asana.batch(action)).status_code == 429
