"""Time in status: all that the vendor tells of the past. Each status of a task once, with all minutes in it and when it was entered last.

A task that went back and forth shows less than it did: a step counts as exact only where the minutes are those between entering one status and the
next. Nothing is told of dates, people or names, so the books are never whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from connectors.base import Chapter, Held, Past, Slice, Told
from connectors.clickup.client import Client, Raw
from connectors.errors import BadResponse

WORDS = "the status of tasks (when each was entered last), where the workspace has Time in Status switched on"
TASKS = 100
MINUTE = timedelta(minutes=1)


def chapters(held: Held, since: datetime) -> Sequence[Slice]:
    """A hundred tasks a request."""
    tasks = sorted(ref.partition(":")[2] for ref in held.tasks)
    parts = [tasks[at : at + TASKS] for at in range(0, len(tasks), TASKS)]
    return [Slice(f"stays:{part[0]}", f"Time in status of {len(part)} tasks", 0, {"tasks": part}) for part in parts]


async def read(client: Client, piece: Slice) -> AsyncIterator[Chapter]:
    tasks: list[str] = piece.args["tasks"]
    found = await client.times_in_status(tasks)
    yield Chapter([change for key, body in found.items() for change in changes_of(key, body)])


def changes_of(key: str, body: Raw) -> Iterator[Past]:
    """The steps of one task. Raises BadResponse naming it."""
    try:
        stays = sorted((_since(stay), str(stay["status"]), int(stay["total_time"]["by_minute"])) for stay in body["status_history"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadResponse(f"task {key}: its time in status is not of the shape that the specification gives ({error})") from error
    for (entered, before, minutes), (left, after, _) in pairwise(stays):
        exact = abs((left - entered) // MINUTE - minutes) <= 1
        yield Past(f"task:{key}", "status", before, after, Told(left), exact=exact, named=True)


def _since(stay: Raw) -> datetime:
    return datetime.fromtimestamp(int(stay["total_time"]["since"]) / 1000, UTC)
