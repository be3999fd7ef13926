"""Dependencies written by hand, between tasks of different tools: the one thing about the work that no tool can say, so the hub is where it is said.

Within one tool its own dependencies are the truth, and the hub writes none there. The sync compares and removes only what tools say (origin
``vendor``), so what is written here stays until somebody takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, aliased

from connectors.records import DependencyType
from hub.models import Dependency, Task
from hub.portfolio.reach import Reach
from hub.portfolio.tasks import present

HUB = "hub"


class LinkProblem(Exception):
    """Such a dependency cannot be written; the message says why, ``missing`` that one of the tasks is not there for the asker."""

    def __init__(self, words: str, *, missing: bool = False) -> None:
        super().__init__(words)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Link:
    """The successor waits for the predecessor."""

    predecessor_id: UUID
    successor_id: UUID
    type: DependencyType = DependencyType.FINISH_TO_START
    lag_minutes: int = 0
    note: str | None = None


def write(session: Session, reached: Reach, link: Link, author_id: UUID | None, now: datetime) -> None:
    """Writes it, or writes it anew where it is there. Raises LinkProblem unless both tasks are seen and lie in different connections, and where the
    predecessor waits for the successor, directly or through others."""
    ends = {link.predecessor_id, link.successor_id}
    wanted = select(Task.id, Task.connection_id).where(Task.id.in_(ends), *present(), *reached.tasks())
    found = {row.id: row.connection_id for row in session.execute(wanted)}
    if found.keys() != ends:
        raise LinkProblem("there is no such task", missing=True)
    if len(set(found.values())) < 2:
        raise LinkProblem("both tasks are in one account of a tool: write it there, and the hub will read it")
    if _waits(session, link.predecessor_id, link.successor_id):
        raise LinkProblem("the predecessor waits for the successor already: one of the two would have to begin before itself")
    _remove(session, link.predecessor_id, link.successor_id)
    session.add(
        Dependency(
            successor_id=link.successor_id,
            predecessor_id=link.predecessor_id,
            type=link.type.value,
            lag_minutes=link.lag_minutes,
            assumed=False,
            origin=HUB,
            author_id=author_id,
            note=link.note,
            created_at=now,
        )
    )
    session.flush()


def _waits(session: Session, task: UUID, other: UUID) -> bool:
    """Whether a task waits for another, over however many between them."""
    above = select(Dependency.predecessor_id).where(Dependency.successor_id == task).cte("above", recursive=True)
    further = aliased(Dependency)
    above = above.union(select(further.predecessor_id).join(above, further.successor_id == above.c.predecessor_id))
    return session.execute(select(above.c.predecessor_id).where(above.c.predecessor_id == other).limit(1)).first() is not None


def remove(session: Session, reached: Reach, predecessor_id: UUID, successor_id: UUID) -> bool:
    """Takes back one that was written by hand, where the asker sees both tasks; False where there is none."""
    seen = select(Task.id).where(Task.id.in_({predecessor_id, successor_id}), *reached.tasks())
    return len(session.scalars(seen).all()) == 2 and _remove(session, predecessor_id, successor_id)


def _remove(session: Session, predecessor_id: UUID, successor_id: UUID) -> bool:
    mine = (Dependency.predecessor_id == predecessor_id, Dependency.successor_id == successor_id, Dependency.origin == HUB)
    result: Any = session.execute(delete(Dependency).where(*mine))
    return bool(result.rowcount)
