"""What comes into the hub's view or leaves it although nobody in the tool did anything to it: a task that lies in two projects, one of which the tool
no longer shows, was not moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from connectors.base import STRUCTURE
from hub.events import Cause, Draft, EventType
from hub.models import Coverage, Project, SyncPass, SyncSlice, TaskProject
from hub.sync import store
from hub.sync.diff import Difference
from hub.sync.ids import Ids

BY_HOME = (EventType.TASK_STATUS_CHANGED, EventType.TASK_COMPLETED, EventType.TASK_REOPENED, EventType.MILESTONE_REACHED)
"""What a task tells where another project has become its home, whose word for its status now counts."""


def hidden(session: Session, this: SyncPass, ids: Ids) -> set[UUID]:
    """Projects that the tool has and refused to show: when last asked, or in this pass."""
    refused = select(Coverage.container_id).where(Coverage.connection_id == this.connection_id, Coverage.refused.is_not(None))
    now = session.scalars(select(SyncSlice.refused).where(SyncSlice.pass_id == this.id))
    return set(session.scalars(refused)) | {ids(ref) for reasons in now for ref, why in reasons.items() if why["access"]}


def absent_projects(session: Session, this: SyncPass) -> set[UUID]:
    """Projects that the tree does not show any more, if all of it was read. Those refused long since are no news."""
    pieces = session.execute(select(SyncSlice.state).where(SyncSlice.pass_id == this.id, SyncSlice.phase == STRUCTURE)).scalars().all()
    if not pieces or any(state not in (store.DONE, store.REFUSED) for state in pieces):
        return set()
    refused = select(Coverage.container_id).where(Coverage.connection_id == this.connection_id, Coverage.refused.is_not(None))
    live = select(Project.id).where(Project.connection_id == this.connection_id, Project.deleted_at.is_(None), Project.id.not_in(refused))
    return set(session.scalars(live)) - {UUID(bytes=entity) for _, entity in store.seen_ids(session, this.id, "project")}


def doubtful(session: Session, this: SyncPass) -> list[UUID]:
    """Projects that the tree does not show any more and that share a task with another one: whether they were deleted or only hidden says what
    became of that task."""
    absent = absent_projects(session, this)
    if not absent:
        return []
    other = aliased(TaskProject)
    shared = exists().where(TaskProject.project_id == Project.id, other.task_id == TaskProject.task_id, other.project_id != TaskProject.project_id)
    sharing = session.scalars(select(Project.id).where(Project.connection_id == this.connection_id, shared))
    return [project for project in sharing if project in absent]


def told(
    drafts: Sequence[Draft], changed: Sequence[Difference], out_of_sight: Set[UUID], is_baseline: Callable[[UUID | None], bool]
) -> Sequence[Draft]:
    """The events of one task, as they are where only the view of it changed. That it left a hidden project has the cause ``scope``, and so has what
    follows from the next one being its home; that it is in a project which is read for the first time, or again, tells nothing."""
    fields = {each.field: each for each in changed}
    places = fields.get("memberships")
    if places is None or "parent_id" in fields:
        return drafts
    before, after = _by_project(places.old), _by_project(places.new)
    left, come = before.keys() - after.keys(), after.keys() - before.keys()
    if not (left <= out_of_sight) or any(before[each] != after[each] for each in before.keys() & after.keys()):
        return drafts
    if not all(each in out_of_sight or is_baseline(each) for each in come):
        return drafts
    kinds = {EventType.TASK_MOVED, *(BY_HOME if "project_id" in fields else ())}
    kept = [draft for draft in drafts if left or draft.type is not EventType.TASK_MOVED]
    return [replace(draft, cause=Cause.SCOPE) if draft.type in kinds else draft for draft in kept]


def _by_project(memberships: Sequence[Sequence[Any]]) -> dict[UUID, Any]:
    return {UUID(project): section for project, section in memberships}
