"""A company in whose tools somebody wrote with ill will: every text that is synced is an attempt on whoever reads it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import events, models
from hub.access import keys
from hub.access.keys import Role
from hub.delivery import endpoints
from hub.events import Draft, EventType, Subject
from hub.models import ApiKey, Event, User
from hub.vault import Vault
from tests.api import builders as make
from tests.api.builders import NOW, TODAY

MARKUP = "</title></textarea><script>evil(1)</script><img src=x onerror=evil(2)><svg onload=evil(3)>\"'`onfocus=evil(4) autofocus {{7*'7'}} ${7*7}"
ADDRESSES = (
    "javascript:evil(5)",
    "JaVaScRiPt:evil(5)",
    " javascript:evil(5)",
    "java\nscript:evil(5)",
    "\x01javascript:evil(5)",
    "data:text/html,<script>evil(6)</script>",
    "vbscript:evil(7)",
    "file:///etc/passwd",
    "//evil.example.org/x",
    "/logout",
    "https:evil.example.org",
    "http://[evil",
    'https://evil.example.org/" onmouseover="evil(8)',
)


def word(place: str) -> str:
    """A text that a spreadsheet takes for a formula and a browser for markup; ``place`` says where it was written."""
    return f'=HYPERLINK("http://evil.example.org")@{place}@{MARKUP}'


def written(session: Session) -> dict[str, Any]:
    """Puts the company into the database; returns ids by the names that paths have for them."""
    account = make.connection(session, "clickup", name=word("connection"), last_error=word("error"), history_from=NOW - timedelta(days=60))
    account.checked = {"user_name": word("user"), "plan": word("plan"), "limits": {word("limit"): word("limit")}, "missing": [word("missing")]}
    account.checked |= {"workspaces": [{"external_id": word("ws"), "name": word("workspace"), "kind": "workspace"}], "at": NOW}
    account.checked["at"] = NOW.isoformat()
    space = make.container(session, account, word("space"), url=ADDRESSES[0])
    given = {"url": ADDRESSES[0], "description": word("project text"), "health": word("health"), "health_text": word("health text")}
    home = make.project(session, account, word("project"), container_id=space.id, **given)
    other = make.project(session, account, word("other project"), private=True)
    make.coverage(session, home, proof="none", refused=word("refused"), vendor_counts=word("counts"), vendor_count=3)
    make.coverage(session, space, proof="none")
    run = make.run(session, account, errors=[word("run")], state="failed")
    ada, team = make.identity(session, account, word("person"), email=word("mail")), make.team(session, account, word("team"))
    home.owner_id = ada.id
    column, field = make.section(session, home, word("section")), make.field(session, account, word("field"))
    status = make.status(session, account, word("status"), counts="unknown", source="suggested")
    status.color, status.type = word("colour"), word("type")
    made = [_task(session, home, place, url, status, ada) for place, url in enumerate(ADDRESSES)]
    for task in made[:2]:
        task.section_id, task.custom_fields = column.id, {str(field.id): word("custom"), str(uuid4()): [word("listed"), {"deep": word("deep")}]}
        make.assign(session, task, team, 1)
    make.member(session, made[0], other.id, 1)
    made[1].parent_id = made[0].id
    for before, after in ((made[2], made[0]), (made[0], made[3])):
        make.waits(session, after, before.id)
    stone = make.task(session, home, word("milestone"), kind="milestone", due_on=TODAY + timedelta(days=9), url=ADDRESSES[0])
    _moved(session, stone, "due_on", TODAY.isoformat(), (TODAY + timedelta(days=9)).isoformat())
    for name, new in (("title", word("new")), ("tags", [word("new tag")]), (f"custom_fields.{field.id}", word("new value"))):
        _moved(session, made[0], name, word("old"), new)
    data = {"changed": ["title"], "before": {"title": word("old")}, "after": {"title": word("new")}}
    subject = Subject(project_ids=[str(home.id)], state={"id": str(made[0].id), "title": word("task 0"), "project_id": str(home.id)})
    draft = Draft(EventType.TASK_UPDATED, "task", made[0].id, data, subject=subject)
    events.append(session, [draft], connection_id=account.id, change_set=uuid4(), now=NOW)
    session.add(models.Incident(id=uuid4(), connection_id=account.id, kind="drift", container_id=home.id, detail=word("incident"), opened_at=NOW))
    session.flush()
    ids = {"task_id": made[0].id, "project_id": home.id, "connection_id": account.id, "status_id": status.id, "team_id": team.id, "run_id": run.id}
    return {**ids, "event_id": session.scalars(select(Event.id)).one(), "container_id": space.id, "person_id": ada.id, "private_id": other.id}


def staff(session: Session, vault: Vault, owner: ApiKey) -> dict[str, UUID]:
    """Somebody, a key and an endpoint that nobody else needs: things for a test to change and remove."""
    one = User(id=uuid4(), email="bob@example.org", folded_email=uuid4().hex, name=word("bob"), role=Role.VIEWER.value, created_at=NOW)
    session.add(one)
    spare = keys.verify(session, keys.create(session, word("key"), "viewer", NOW), NOW)
    assert spare is not None
    terms = endpoints.Terms(owner_key_id=owner.id)
    held, _ = endpoints.create(session, vault, uuid4().hex, endpoints.Vetted("http://127.0.0.1:9/in"), terms, NOW)
    mine = {"owner": f"key:{owner.id}", "shared": False, "created_at": NOW, "changed_at": NOW}
    view = models.SavedView(id=uuid4(), name=uuid4().hex, page="/tasks", query="overdue=true", **mine)
    session.add(view)
    top = models.Portfolio(id=uuid4(), kind="portfolio", name=word("portfolio"), version=1, created_at=NOW, changed_at=NOW)
    session.add(top)
    return {"portfolio_id": top.id, "user_id": one.id, "key_id": spare.id, "endpoint_id": held.id, "view_id": view.id}


def _task(session: Session, home: models.Project, place: int, url: str, status: models.Status, ada: models.Identity) -> models.Task:
    due = TODAY + timedelta(days=place - 4)
    made = make.task(session, home, word(f"task {place}"), url=url, due_on=due, start_on=due - timedelta(days=3), tags=[word("tag")])
    made.status, made.status_id, made.description, made.estimate_minutes = word("status"), status.id, word("text"), 60
    make.assign(session, made, ada)
    return made


def _moved(session: Session, of: models.Task, name: str, old: Any, new: Any) -> None:
    told = {"connection_id": of.connection_id, "change_set": uuid4(), "entity": "task", "entity_id": of.id, "recorded_at": NOW}
    session.add(models.Change(**told, field=name, old=old, new=new, precision="between"))
