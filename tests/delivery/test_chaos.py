"""The hub is killed again and again while five endpoints each misbehave in a way of their own: every event arrives at each at least once, in
order per entity, none forged. The full size runs by ``python -m tests.bench.delivery --kills 10``."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from uuid import UUID, uuid4

from hub.delivery import endpoints, parked
from tests.delivery.receiver import Call, Receiver, Reply, receiving
from tests.delivery.stage import Stage, now, until

ROOT = Path(__file__).parents[2]


@contextmanager
def delivering(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    url = stage.database.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-m", "tests.delivery.process", url, "0.05"], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass(slots=True)
class Five:
    """Fast; slow; 500 for a while; dead and back; refuses half at random with Retry-After. ``calm``: the second and third have recovered."""

    calm: Event = field(default_factory=Event)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    refused: dict[str, set[str]] = field(default_factory=dict)

    def behaviours(self) -> list[Callable[[Call], Reply]]:
        return [
            lambda _call: Reply(),
            lambda _call: Reply(delay=0.01 if self.calm.is_set() else 0.05),
            lambda call: self._or_refuse("broken", call, Reply(500), not self.calm.is_set()),
            lambda _call: Reply(),
            lambda call: self._or_refuse("picky", call, Reply(503, {"retry-after": "0"}), self.chance.random() < 0.5),
        ]

    def _or_refuse(self, name: str, call: Call, reply: Reply, refuses: bool) -> Reply:
        if refuses:
            self.refused.setdefault(name, set()).add(f"{call.id} {call.at}")
            return reply
        return Reply()

    def taken(self, name: str, there: Receiver) -> list[Call]:
        return [call for call in there.calls if f"{call.id} {call.at}" not in self.refused.get(name, ())]


def in_order(arrived: Sequence[str], made: Sequence[str]) -> bool:
    """Repeats apart, which a kill may cause, the events came as they were made."""
    return list(dict.fromkeys(arrived)) == list(made)


def survives(stage: Stage, entities: int, rounds: int, kills: int) -> None:
    five, ids = Five(), [uuid4() for _ in range(entities)]
    names = ["fast", "slow", "broken", "dead", "picky"]
    made: dict[UUID, list[str]] = {entity: [] for entity in ids}
    with ExitStack() as stack:
        there = [stack.enter_context(receiving(behave)) for name, behave in zip(names, five.behaviours(), strict=True) if name != "dead"]
        with receiving() as gone:
            at = [*[one.url for one in there[:3]], gone.url, there[3].url]
        targets = [stage.endpoint(url, types=["task.*"]) for url in at]
        for kill in range(kills):
            with delivering(stage):
                for _ in range(rounds // kills):
                    for entity, event in zip(ids, stage.happen(ids), strict=True):
                        made[entity].append(event)
                if kill == 0:
                    stage.change(targets[0], lambda _session, row: endpoints.pause(row, now()))
                if kill == 1:
                    stage.change(targets[0], endpoints.resume)
                before = len(there[1].calls)
                there[1].until(lambda before=before: len(there[1].calls) >= before + 25)  # type: ignore[misc]
        five.calm.set()
        there.insert(3, stack.enter_context(receiving(port=gone.port)))
        with stage.sending():
            for target in targets:
                stage.change(target, lambda session, row: parked.retry(session, row, now()))
            for target in targets:
                until(lambda target=target: stage.settled(target), 120)  # type: ignore[misc]
        for name, receiver, target in zip(names, there, targets, strict=True):
            check(five.taken(name, receiver), made, stage.secrets[target], name)


def check(taken: Sequence[Call], made: dict[UUID, list[str]], secret: str, name: str) -> None:
    arrived: dict[str, list[str]] = {}
    for call in taken:
        arrived.setdefault(call.verified(secret)["entity"]["id"], []).append(call.id)
    assert arrived.keys() == {str(entity) for entity in made}
    for entity, events in made.items():
        assert in_order(arrived[str(entity)], events), f"{name}: {entity}"


def test_nothing_is_lost_forged_or_out_of_order_on_sqlite(sqlite_url: str, on_stage: Callable[[str], Stage]) -> None:
    survives(on_stage(sqlite_url), entities=60, rounds=6, kills=3)


def test_nothing_is_lost_forged_or_out_of_order_on_postgresql(postgres_database_url: str, on_stage: Callable[[str], Stage]) -> None:
    survives(on_stage(postgres_database_url), entities=40, rounds=4, kills=2)


def test_killed_in_the_midst_it_repeats_little_and_loses_nothing(sqlite_url: str, on_stage: Callable[[str], Stage]) -> None:
    """At its first delivery, after some, after many."""
    stage = on_stage(sqlite_url)
    with receiving(lambda _call: Reply(delay=0.002)) as there:
        endpoint = stage.endpoint(there.url)
        made = stage.happen([uuid4() for _ in range(400)])
        for further in (1, 40, 200):
            wanted = len(there.calls) + further
            with delivering(stage):
                there.until(lambda wanted=wanted: len(there.calls) >= wanted)  # type: ignore[misc]
        with stage.sending():
            until(lambda: stage.settled(endpoint))
    arrived = [call.id for call in there.calls]
    assert set(arrived) == set(made)
    assert len(arrived) - len(made) <= 400
