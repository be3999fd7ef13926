"""Fills a World: the same seed, size and clock give the same world, down to the last id.

``tasks`` is the number that the token can list in each tool. On top of them come a few hidden and deleted ones, which no hub may hold.
What each tool holds is decided in ``seed_asana``, ``seed_monday`` and ``seed_clickup``; here are the people and what the three have in common.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hub.sandbox import seed_asana, seed_clickup, seed_monday, words
from hub.sandbox.draw import Draw
from hub.sandbox.world import TOOLS, Person, Tool, World

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PLANS: dict[Tool, str] = {"asana": "paid", "monday": "pro", "clickup": "business"}
TOKENS: dict[Tool, str] = {
    "asana": "2/1200000000000001/1200000000000002:sandbox-asana-token",
    "monday": "eyJhbGciOiJIUzI1NiJ9.sandbox-monday-token.not-a-secret",
    "clickup": "pk_10000001_SANDBOXCLICKUPTOKEN",
}


def build(seed: int = 1, tasks: int = 300, now: datetime = NOW, plans: dict[Tool, str] | None = None) -> World:
    """A world with ``tasks`` listable tasks in each tool and 90 days of history before ``now`` (aware, cut to whole seconds)."""
    if now.tzinfo is None:
        raise ValueError("now must carry a time zone")
    now = now.astimezone(UTC).replace(microsecond=0)
    world = World(
        seed=seed,
        now=now,
        people={tool: {} for tool in TOOLS},
        teams={tool: {} for tool in TOOLS},
        nodes={tool: {} for tool in TOOLS},
        projects={tool: {} for tool in TOOLS},
        tasks={tool: {} for tool in TOOLS},
        fields={tool: {} for tool in TOOLS},
        me={},
        tokens=dict(TOKENS),
        plans=PLANS | (plans or {}),
    )
    for tool, fill in (("asana", seed_asana.fill), ("monday", seed_monday.fill), ("clickup", seed_clickup.fill)):
        # One generator a tool: a change in one tool's seeding leaves the other two worlds as they were.
        draw = Draw(f"{seed}/{tool}", now)
        _people(world, draw, _tool(tool), len(words.HUMANS) if tasks > 1000 else 12)
        fill(world, draw, tasks)
    return world


def _tool(name: str) -> Tool:
    return next(tool for tool in TOOLS if tool == name)


def _people(world: World, draw: Draw, tool: Tool, humans: int) -> None:
    """The humans (the first is the token's user), and the odd ones: no e-mail, no name, guest, left, agent."""
    for place, (name, local, zone) in enumerate(words.HUMANS[:humans]):
        if place > 4 and draw.chance(0.15):
            continue
        person = Person(tool, _user_id(draw, tool), local, name, f"{local}@example.org", zone)
        if tool == "asana" and place == 4:
            person.email = None
        if place == 5:
            person.active = False
        world.people[tool][person.id] = person
        if place == 0:
            world.me[tool] = person.id
    guest = Person(tool, _user_id(draw, tool), f"guest-{tool}", "Gästin Müller (extern)", "guest@partner.example.org", guest=True)
    world.people[tool][guest.id] = guest
    if tool == "clickup":
        pending = Person(tool, _user_id(draw, tool), "pending", None, "invited@example.org", "UTC")
        world.people[tool][pending.id] = pending
    else:
        agent = Person(tool, _user_id(draw, tool), f"agent-{tool}", "Status Assistant", None, "UTC", agent=True)
        world.people[tool][agent.id] = agent


def _user_id(draw: Draw, tool: Tool) -> str:
    starts: dict[Tool, int] = {"asana": 1_200_000_000_000_000, "monday": 40_000_000, "clickup": 81_000_000}
    return draw.next_number(starts[tool], 9_000)
