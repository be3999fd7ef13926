"""What the pretend monday.com charges and when it says no."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.monday.documents import Library
from hub.sandbox.monday.door import Door
from hub.sandbox.monday.errors import Reply

# What an item of the published example holds: 20 of them with assets, subscribers and updates were charged 222,250 points.
PUBLISHED = """{ boards(limit: 1) { items_page(limit: 20) { cursor items { id name created_at creator_id state updated_at
  assets { created_at file_extension file_size id name original_geometry public_url uploaded_by { id } url url_thumbnail }
  board { id name } group { id } parent_item { id } subscribers { id } updates { id }
  column_values { id text type value
    ... on MirrorValue { display_value } ... on BoardRelationValue { display_value } ... on DependencyValue { display_value } } } } } }"""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Account:
    """A door on a small world, on one plan, with a clock to turn."""

    def __init__(self, plan: str = "pro", **knobs: Any) -> None:
        self.world = seed.build(seed=2, tasks=20, plans={"monday": plan})
        self.clock, self.knobs = Clock(), Knobs(**knobs)
        self.door = Door(self.world, self.knobs, self.clock)

    def ask(self, query: str, version: str = "2026-10", **variables: Any) -> Reply:
        return self.door.answer(self.world.tokens["monday"], version, orjson.dumps({"query": query, "variables": variables}))


def cost(query: str, **variables: Any) -> int:
    return next(iter(Library().document(query).operations.values())).cost.points(variables)


def error(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = reply.body["errors"][0]["extensions"]
    return found


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("{ boards(ids: 1) { id name } }", 12),
        ("{ boards(ids: 1) { id name } complexity { before query after } }", 12),
        ("{ me { id name } complexity { query } }", 12),
        ("{ complexity { before } }", 0),
        ("{ boards { id } }", 10 + 25),
        ("{ boards(limit: 100) { id } }", 10 + 100),
        ("{ boards(limit: 100, ids: [1, 2]) { id } }", 10 + 2),
        ("{ users { id } }", 10 + 200),
        ("{ boards(ids: 1) { items_page { cursor items { id } } } }", 10 + 10 + 1 + 10 + 25),
        ('{ next_items_page(cursor: "x", limit: 500) { cursor items { id column_values { id } } } }', 10 + 1 + 10 + 500 * (1 + 10 + 1)),
        ("{ items(ids: [1, 2, 3], limit: 100) { id column_values { id ... on DateValue { date time } } } }", 10 + 3 * (1 + 10 + 3)),
        ("mutation { delete_item(item_id: 1) { id } archive_item(item_id: 1) { id } }", 20_000),
    ],
)
def test_a_query_costs_what_the_published_figures_say(query: str, points: int) -> None:
    assert cost(query) == points


def test_the_published_example_is_met_within_a_thousandth() -> None:
    assert cost(PUBLISHED) == pytest.approx(222_250, rel=0.001)


def test_sizes_come_from_the_variables_and_through_fragments() -> None:
    query = "query ($i: [ID!], $n: Int) { boards(ids: $i, limit: $n) { ...B } } fragment B on Board { id items_page(limit: 10) { items { id } } }"
    each = 1 + 10 + 10 + 10
    assert cost(query, i=["1", "2"], n=50) == 10 + 2 * each
    assert cost(query, n=50) == 10 + 50 * each
    assert cost(query) == 10 + 25 * each


def test_complexity_is_told_and_taken_from_the_budget() -> None:
    account = Account()
    told = [
        account.ask("{ boards(ids: 1) { id name } complexity { before query after reset_in_x_seconds } }").body["data"]["complexity"]
        for _ in range(2)
    ]
    assert told[0] == {"before": 10_000_000, "query": 12, "after": 9_999_988, "reset_in_x_seconds": 60}
    assert told[1]["before"] == 9_999_988
    account.clock.now += 60
    assert account.ask("{ complexity { before } }").body["data"]["complexity"]["before"] == 10_000_000


def test_one_query_above_five_million_points_never_runs() -> None:
    reply = Account().ask(
        "{ boards(limit: 500) { items_page(limit: 500) { items { id name state url creator_id updated_at column_values { id text value type } } } } }"
    )
    assert "data" not in reply.body
    assert error(reply)["maxComplexity"] == 5_000_000 < error(reply)["complexity"]
    assert "retry_in_seconds" not in error(reply)


HEAVY = "{ boards(limit: 500) { items_page(limit: 500) { items { id name state } } } }"


def test_an_exhausted_budget_is_a_429_with_the_seconds_to_wait() -> None:
    account = Account("free")
    assert account.ask("{ boards(limit: 500) { items_page(limit: 500) { items { id } } } complexity { query } }").status == 200
    account.clock.now += 25
    reply = account.ask(HEAVY)
    assert reply.status == 429
    assert error(reply) == {"code": "COMPLEXITY_BUDGET_EXHAUSTED", "retry_in_seconds": 35}
    assert reply.headers["Retry-After"] == "35"
    assert set(error(account.ask(HEAVY, version="2025-04"))) >= {"complexity", "complexity_budget_left", "complexity_budget_limit", "status_code"}


def test_calls_a_minute_are_counted_and_the_window_ends_a_minute_after_its_first_call() -> None:
    account = Account(rates={"monday": 3})
    assert [account.ask("{ me { id } }").status for _ in range(4)] == [200, 200, 200, 429]
    reply = account.ask("{ me { id } }")
    assert error(reply) == {"code": "RATE_LIMIT_EXCEEDED", "retry_in_seconds": 60, "status_code": 429}
    account.clock.now += 60
    assert account.ask("{ me { id } }").status == 200


def test_the_day_ends_at_midnight_utc_and_failed_calls_count() -> None:
    account = Account("free")
    account.clock.now = 1_800_000_000 // 86_400 * 86_400 + 80_000
    for number in range(200):
        account.ask("{ nonsense }" if number % 2 else "{ me { id } }")
    reply = account.ask("{ me { id } }")
    assert error(reply)["code"] == "DAILY_LIMIT_EXCEEDED"
    assert error(reply)["retry_in_seconds"] == 6_400
    account.clock.now += 6_400
    assert account.ask("{ me { id } }").status == 200


def test_a_query_for_complexity_alone_costs_a_tenth_of_a_call() -> None:
    account = Account("free")
    for _ in range(1500):
        account.clock.now += 1
        assert account.ask("{ complexity { after } }").status == 200
    assert account.door.account.meter.used_today == pytest.approx(150)


def test_more_calls_at_once_than_the_plan_has_are_refused() -> None:
    account = Account("standard")
    account.door.account.meter.running = 41
    assert error(account.ask("{ me { id } }"))["code"] == "maxConcurrencyExceeded"


def test_without_limits_only_the_cap_of_one_query_stays() -> None:
    account = Account("free", limits=False, rates={"monday": 1})
    assert [account.ask(HEAVY).status for _ in range(5)] == [200] * 5
    assert "maxComplexity" in error(account.ask("{ boards(limit: 500) { items_page(limit: 500) { items { subscribers { id } } } } }"))
