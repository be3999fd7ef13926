"""Whatever a receiver refuses, and whenever: each event arrives, and those of one entity in their order."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.db import Database
from tests.delivery.receiver import Call, Reply, receiving
from tests.delivery.stage import Stage, until

REFUSALS = st.sampled_from([200, 200, 200, 500, 429, 404, 302])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=40), min_size=1, max_size=5),
    refusals=st.lists(REFUSALS, max_size=60),
    ordering=st.sampled_from(["entity", "none"]),
)
def test_order_holds_under_random_failures(sqlite_template: Path, story: list[list[int]], refusals: list[int], ordering: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sqlite_template, f"{folder}/hub.db")
        database = Database(f"sqlite:///{folder}/hub.db")
        try:
            delivers(Stage(database), story, refusals, ordering)
        finally:
            database.dispose()


def delivers(stage: Stage, story: list[list[int]], refusals: list[int], ordering: str) -> None:
    number, taken = count(), []
    tries: Counter[str] = Counter()

    def behave(call: Call) -> Reply:
        place = next(number)
        tries[call.id] += 1
        status = refusals[place] if place < len(refusals) else 200
        if status == 200 or tries[call.id] > 20:
            status = 200
            taken.append((call.json["entity"]["id"], call.id))
        return Reply(status, {"retry-after": "0"})

    with receiving(behave) as there:
        endpoint = stage.endpoint(there.url, ordering=ordering)
        with stage.sending(chance=lambda: 0.0):
            made = [(str(UUID(int=entity)), event) for part in story for entity, event in zip(part, happen(stage, part), strict=True)]
            until(lambda: stage.settled(endpoint))
    assert sorted(taken) == sorted(made), "each event is taken once: nothing was interrupted here"
    if ordering == "entity":
        for entity in {entity for entity, _ in made}:
            assert [event for one, event in taken if one == entity] == [event for one, event in made if one == entity]


def happen(stage: Stage, part: list[int]) -> list[str]:
    return stage.happen([UUID(int=each) for each in part])
