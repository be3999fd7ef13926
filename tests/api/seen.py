"""A small company for tests of who sees what: two connections, a tree with a private part, tasks in one project or in two. Rows are put into the
database in two steps: first what somebody was granted, then everything else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from hub import events, models
from hub.events import Draft, EventType, Subject
from tests.api import builders as make
from tests.api.builders import NOW

CONTAINERS: dict[str, tuple[str | None, bool]] = {"top": (None, False), "open": ("top", False), "secret": ("top", True), "under": ("secret", False)}
"""{name: (parent, private)}, all of the first connection."""
PROJECTS: dict[str, tuple[str, str | None, bool]] = {
    "plain": ("first", "open", False),
    "closed": ("first", "open", True),
    "beside": ("first", "top", False),
    "hidden": ("first", "secret", False),
    "deep": ("first", "under", False),
    "loose": ("first", None, False),
    "other": ("second", None, False),
}
"""{name: (connection, container, private)}."""
SEEN: dict[str, tuple[Collection[str], Collection[str], Collection[str]]] = {
    "project:plain": (("plain",), (), ()),
    "project:closed": (("closed",), (), ()),
    "project:deep": (("deep",), (), ()),
    "container:top": (("plain", "beside"), ("top", "open"), ()),
    "container:open": (("plain",), ("open",), ()),
    "container:secret": (("hidden", "deep"), ("secret", "under"), ()),
    "container:under": (("deep",), ("under",), ()),
    "tool:asana": (("plain", "beside", "loose"), ("top", "open"), ("first",)),
    "tool:clickup": (("other",), (), ("second",)),
    "all": (("plain", "beside", "loose", "other"), ("top", "open"), ("first", "second")),
}
"""What each grant shows: {target: (projects, containers, whole connections)}. Worked out by hand."""


@dataclass
class Job:
    """A task. ``home`` None: in no project of its connection. ``also``: another project that it is a member of."""

    connection: str
    home: str | None
    also: str | None
    kind: str
    category: str
    due: int | None
    person: int
    waits_for: int
    child_of: int
    tag: str
    id: UUID = field(default_factory=uuid4)


@dataclass
class Company:
    jobs: list[Job]
    grants: list[str]
    ids: dict[str, UUID] = field(default_factory=lambda: {name: uuid4() for name in (*CONTAINERS, *PROJECTS)})
    people: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(3)])

    def seen(self, place: int) -> set[str]:
        """Projects (0), containers (1), whole connections (2) that the grants show."""
        return {name for grant in self.grants for name in SEEN[grant][place]}

    @property
    def targets(self) -> list[str]:
        """The grants with the ids that things have here."""
        texts = [each.partition(":") for each in self.grants]
        return [f"{kind}:{self.ids.get(name, name)}" if name else kind for kind, _, name in texts]

    def counts(self, job: Job) -> bool:
        return job.home in self.seen(0) if job.home else job.connection in self.seen(2)

    def listed(self, job: Job) -> bool:
        return self.counts(job) or job.also in self.seen(0)


@st.composite
def companies(draw: st.DrawFn) -> Company:
    homes = [(PROJECTS[name][0], name) for name in PROJECTS]
    jobs = []
    for _ in range(draw(st.integers(1, 7))):
        connection, home = draw(st.sampled_from([*homes, ("first", None)]))
        others = [None, *(name for name in PROJECTS if name != home and PROJECTS[name][0] == connection)]
        jobs.append(
            Job(
                *(connection, home, draw(st.sampled_from(others)) if home else None),
                kind=draw(st.sampled_from(("task", "milestone"))),
                category=draw(st.sampled_from(("started", "blocked", "done", "unknown"))),
                due=draw(st.one_of(st.none(), st.integers(-20, 20))),
                person=draw(st.integers(0, 2)),
                waits_for=draw(st.integers(0, 6)),
                child_of=draw(st.integers(0, 6)),
                tag=draw(st.sampled_from(("red", "blue"))),
            )
        )
    return Company(jobs, draw(st.lists(st.sampled_from(sorted(SEEN)), min_size=1, max_size=2, unique=True)))


class Builder:
    """Puts a company into the database."""

    def __init__(self, session: Session, company: Company, accounts: dict[str, models.Connection] | None = None) -> None:
        self.session, self.company = session, company
        self.accounts = accounts or {"first": make.connection(session, "asana"), "second": make.connection(session, "clickup")}

    def granted(self) -> None:
        company = self.company
        self._places(company.seen(0), company.seen(1))
        self._jobs([job for job in company.jobs if company.listed(job)], company.seen(0))
        self._people([place for place, _ in enumerate(company.people) if self._shown(place)])

    def rest(self) -> None:
        """What nobody without other grants may notice."""
        company = self.company
        self._places(PROJECTS.keys() - company.seen(0), CONTAINERS.keys() - company.seen(1))
        self._jobs([job for job in company.jobs if not company.listed(job)], set(PROJECTS))
        self._people([place for place, _ in enumerate(company.people) if not self._shown(place)])
        for job in company.jobs:
            if company.listed(job):
                self._members(job, PROJECTS.keys() - company.seen(0))
        self._edges(hidden=True)

    def _shown(self, place: int) -> bool:
        whole = "first" in self.company.seen(2)
        return whole or any(job.person == place and self.company.listed(job) for job in self.company.jobs)

    def _people(self, places: Sequence[int]) -> None:
        for place in places:
            make.identity(self.session, self.accounts["first"], f"Person {place}", id=self.company.people[place], email=f"p{place}@example.org")

    def _places(self, projects: Collection[str], containers: Collection[str]) -> None:
        ids = self.company.ids
        for name in sorted(containers):
            parent, private = CONTAINERS[name]
            make.coverage(
                self.session,
                make.container(self.session, self.accounts["first"], name, id=ids[name], parent_id=ids.get(parent or ""), private=private),
            )
        for name in sorted(projects):
            account, container, private = PROJECTS[name]
            given = {"id": ids[name], "container_id": ids.get(container or ""), "private": private, "triage": "in" if name == "deep" else "unsorted"}
            made = make.project(self.session, self.accounts[account], name, **given)
            make.coverage(self.session, made, held=len(name), proof="none" if private else "complete_pass")
            make.section(self.session, made, f"Section of {name}")
            make.status(self.session, self.accounts[account], f"Status of {name}")
            self._status_of(made)

    def _status_of(self, project: models.Project) -> None:
        own = make.status(self.session, project.id and self.accounts[PROJECTS[project.name][0]], f"Own of {project.name}")
        own.project_id = project.id
        other = self.session.query(models.Status).filter_by(name=f"Status of {project.name}", connection_id=project.connection_id).one()
        self.session.delete(self.session.get_one(models.StatusMapping, other.id))
        self.session.delete(other)

    def _jobs(self, jobs: Sequence[Job], seen: Collection[str]) -> None:
        for job in jobs:
            due = NOW.date() + timedelta(days=job.due) if job.due is not None else None
            parent = self.company.jobs[job.child_of % len(self.company.jobs)]
            given: dict[str, Any] = {"id": job.id, "kind": job.kind, "status_category": job.category, "due_on": due, "tags": [job.tag]}
            given |= {"home_inherited": True, "project_id": self.company.ids[job.home] if job.home else None, "estimate_minutes": 90}
            given |= {"parent_id": parent.id if parent is not job else None, "created_at": NOW - timedelta(days=3)}
            row = make.task(self.session, self.accounts[job.connection], f"Task {job.id}", **given)
            self._members(job, seen)
            self.session.add(models.Assignment(task_id=row.id, assignee_id=self.company.people[job.person], kind="identity", rank=0))
            self._history(row, due, job)
        self.session.flush()
        self._edges(hidden=False)

    def _members(self, job: Job, projects: Collection[str]) -> None:
        for rank, name in enumerate((job.home, job.also)):
            if name is not None and name in projects:
                make.member(self.session, self.session.get_one(models.Task, job.id), self.company.ids[name], rank)

    def _edges(self, *, hidden: bool) -> None:
        """Between tasks that both count for the reader, and all others."""
        jobs = self.company.jobs
        for job in jobs:
            before = jobs[job.waits_for % len(jobs)]
            both = self.company.counts(job) and self.company.counts(before)
            if before is not job and both is not hidden and self.session.get(models.Dependency, (job.id, before.id)) is None:
                self.session.add(models.Dependency(successor_id=job.id, predecessor_id=before.id, type="FS", lag_minutes=0, assumed=True))
        self.session.flush()

    def _history(self, row: models.Task, due: date | None, job: Job) -> None:
        places = [str(self.company.ids[name]) for name in (job.home, job.also) if name]
        told = {"connection_id": row.connection_id, "change_set": uuid4(), "entity": "task", "entity_id": row.id, "recorded_at": NOW}
        moved = models.Change(**told, field="due_on", old="2026-11-01", new=due.isoformat() if due else None, precision="between")
        joined = models.Change(**told, field="memberships", old=[], new=[[each, None] for each in places], precision="between")
        self.session.add_all([moved, joined])
        data = {"changed": ["title"], "before": {"title": "a"}, "after": {"title": row.title}}
        state = {"id": str(row.id), "project_id": places[0] if places else None, "project_ids": places, "title": row.title}
        draft = Draft(EventType.TASK_UPDATED, "task", row.id, data, subject=Subject(project_ids=places, state=state))
        events.append(self.session, [draft], connection_id=row.connection_id, change_set=uuid4(), now=NOW)
