"""Endpoints: where events are sent, how each keeps up, what it did not take; made, tried, paused, resumed, sent again. Secrets are shown once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.records import TaskKind
from hub import connections, delivery
from hub.access.keys import Role
from hub.delivery import cards, catalogue, endpoints, parked, pull, replay, trial
from hub.delivery import filter as wishes
from hub.delivery.address import Rules, TargetRefused
from hub.delivery.endpoints import EndpointProblem, Terms
from hub.delivery.pull import Lost
from hub.delivery.replay import Range
from hub.events import EventType
from hub.models import ApiKey, Attempt, Endpoint
from hub.portfolio.keyset import Keyset
from hub.vault import VaultError
from hub.web import words
from hub.web.desk import Act, Desk, View, Wrong, nothing

Answer = TypeVar("Answer")
A_PAGE, HELD = 50, 100
HOME = "/admin/endpoints"
NEWEST = Keyset((("id", Attempt.id, int),), descending=True)
OVERLAPS = {"24": "a day", "0": "not at all: the old secret ends now", "168": "a week"}
NOUNS = tuple(dict.fromkeys(kind.value.partition(".")[0] for kind in EventType))
TYPES = {noun: [kind.value for kind in EventType if kind.value.startswith(f"{noun}.")] for noun in NOUNS}
COUNTS = {name: said for name, said in words.CATEGORIES.items() if name != "unknown"}


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, HOME, show, Role.ADMIN)
    desk.add(made, f"{HOME}/new", new, Role.ADMIN)
    desk.do(made, f"{HOME}/new", add, Role.ADMIN)
    desk.add(made, f"{HOME}/{{endpoint_id}}", one, Role.ADMIN)
    for act in (pause, resume, test, rotate, send_again, retry, skip, remove):
        desk.do(made, f"{HOME}/{{endpoint_id}}/{act.__name__.replace('_', '-')}", act, Role.ADMIN)


def show(view: View) -> Response:
    found = _told(lambda: cards.cards(view.session, view.desk.vault, cards.owned(view.session, None), view.day.now))
    return view.page("endpoints.html", endpoints=found)


def new(view: View) -> Response:
    return view.page("endpoint_new.html", choices=connections.tools(), types=TYPES, counts=COUNTS, kinds=[each.value for each in TaskKind])


def one(view: View) -> Response:
    """One endpoint with what was tried last and what it did not take."""
    session = view.session
    held = session.get(Endpoint, view.id("endpoint_id", "endpoint"))
    if held is None:
        raise nothing("endpoint")
    card = _told(lambda: cards.cards(session, view.desk.vault, [held], view.day.now)[0])
    columns = [getattr(Attempt, name) for name in cards.ATTEMPT]
    tried, further = NEWEST.page(session, select(*columns).where(Attempt.endpoint_id == held.id), view.key(NEWEST), A_PAGE)
    owner = session.get(ApiKey, held.owner_key_id) if held.owner_key_id else None
    return view.page(
        "endpoint.html",
        endpoint=card,
        owner=owner.name if owner else None,
        waiting=parked.listed(session, held.id, limit=HELD),
        dead=parked.listed(session, held.id, dead=True, limit=HELD),
        attempts=tried,
        further=view.further(further),
        overlaps=OVERLAPS,
        types=TYPES,
    )


# -- making one ---------------------------------------------------------------------------------------------------------------------


def add(act: Act) -> Response:
    url, desk = act.fields.get("url", "").strip(), act.desk
    with _plainly("This endpoint cannot be made"):
        terms = _terms(act)
        vetted = endpoints.vet(url, Rules.of(desk.settings))
        with desk.database.writing() as session:
            name = act.fields.get("name", "").strip()[:200] or urlsplit(url).hostname or url
            made, secret = endpoints.create(session, desk.vault, name, vetted, terms, desk.now())
            made_id, named = made.id, made.name
    delivery.ring(desk.jobs)
    return _once(act, f"{named} is sent events from now on, signed with this secret. Its owner checks signatures with it.", secret, made_id)


def _terms(act: Act) -> Terms:
    """What was chosen; lists that people write have a comma or space between them. Raises EndpointProblem."""
    fields = act.fields
    chosen = {name: fields.getlist(name) for name in ("tools", "categories_from", "categories_to", "kinds")}
    chosen["project_ids"] = fields.get("project_ids", "").replace(",", " ").split()
    chosen["tags"] = [each.strip() for each in fields.get("tags", "").split(",") if each.strip()]
    kept = {name: values for name, values in chosen.items() if values}
    try:
        wishes.check(kept, connections.tools())
    except ValueError as error:
        raise EndpointProblem(str(error)) from error
    ordering = "none" if fields.get("unordered") else "entity"
    return Terms(fields.getlist("types"), kept, bool(fields.get("thin")), ordering)


# -- acts on one --------------------------------------------------------------------------------------------------------------------


def pause(act: Act) -> str:
    return _did(act, lambda session, held: endpoints.pause(held, act.desk.now()))


def resume(act: Act) -> str | Response:
    """Goes on; what the log no longer holds for it is said."""
    with act.desk.database.writing() as session:
        held = _held(session, act)
        lost, home = endpoints.resume(session, held), f"{HOME}/{held.id}"
    delivery.ring(act.desk.jobs)
    said = f"{words.plural(lost, 'event')} went by that the hub no longer keeps: let its owner read anew what they need."
    return act.page("done.html", title="It goes on, with a gap", lines=[said], back=home) if lost else home


def test(act: Act) -> Response:
    """Sends an example now and says what came back."""
    desk, kind = act.desk, act.fields.get("type", "")
    if kind not in catalogue.BY_TYPE:
        raise Wrong(422, "There is no such type", "Go back, choose again and send it.")
    with desk.database.reading() as session:
        endpoint_id = _held(session, act).id
    stored = replace(catalogue.example(kind), id=uuid4(), recorded_at=desk.now())
    said = _told(lambda: trial.send(desk.database, desk.vault, desk.settings, endpoint_id, stored, desk.now()))
    taken = said.status is not None and 200 <= said.status < 300
    lines = [f"It answered {said.status} in {said.milliseconds} ms." if said.status is not None else f"No answer came: {said.error}."]
    return act.page(
        "done.html", title="It took the test" if taken else "It did not take the test", lines=[*lines, said.text], back=f"{HOME}/{endpoint_id}"
    )


def rotate(act: Act) -> Response:
    hours = act.fields.get("overlap", "24")
    if hours not in OVERLAPS:
        raise Wrong(422, "This choice does not exist", "Go back, choose again and send it.")
    with act.desk.database.writing() as session, _plainly("The secret was not changed"):
        held = _held(session, act)
        secret = endpoints.rotate_secret(act.desk.vault, held, act.desk.now(), overlap=timedelta(hours=int(hours)))
        held_id = held.id
    return _once(act, f"From now on messages are signed with this secret; with the old one, too: {OVERLAPS[hours]}.", secret, held_id)


def send_again(act: Act) -> str | Response:
    """Counts first and shows the number; sends when it comes back confirmed."""
    desk = act.desk
    with desk.database.reading() as session, _plainly("This cannot be sent again"):
        held = _held(session, act)
        wanted = _range(session, act)
        number, home, named = replay.count(session, held, wanted), f"{HOME}/{held.id}", held.name
    if not number or not act.fields.get("confirmed"):
        carried = [(name, act.fields.get(name, "")) for name in ("since", "noun", "snapshot")]
        return act.page("again.html", number=number, named=named, carried=carried, snapshot=wanted.snapshot, action=f"{home}/send-again", back=home)
    with desk.database.writing() as session, _plainly("This cannot be sent again"):
        replay.start(session, _held(session, act), wanted, desk.now())
    delivery.ring(desk.jobs)
    return home


def _range(session: Session, act: Act) -> Range:
    if act.fields.get("snapshot"):
        return Range(snapshot=True)
    noun, text = act.fields.get("noun", ""), act.fields.get("since", "")
    if noun and noun not in TYPES:
        raise EndpointProblem(f"there is nothing that is called {noun[:40]}")
    after = 0
    if text:
        view = View(act.desk, act.request, session)
        try:
            after = pull.since(session, view.day.midnight(date.fromisoformat(text))).sequence
        except (ValueError, Lost) as error:
            raise EndpointProblem(f"since {text[:40]}: {error}") from error
    return Range(after, types=catalogue.named([f"{noun}.*"]) if noun else frozenset())


def retry(act: Act) -> str:
    """What waits is tried at once; or the ticked dead letters from the beginning of their schedule."""
    try:
        chosen = [int(text) for text in act.fields.getlist("sequence")[:HELD]]
    except ValueError as error:
        raise Wrong(422, "This form is not whole", "Go back, load the page again and send it.") from error
    now = act.desk.now()
    return _did(act, lambda session, held: parked.revive(session, held, chosen, now) if chosen else parked.retry(session, held, now))


def skip(act: Act) -> str:
    """Gives up the one event that others of its entity stand behind."""
    entities = act.ids("entity")

    def give_up(session: Session, held: Endpoint) -> None:
        for entity in entities[:1]:
            parked.skip(session, held, entity, act.desk.now())

    return _did(act, give_up)


def remove(act: Act) -> str:
    if not act.fields.get("sure"):
        raise Wrong(422, "Not removed", "Tick that you are sure: its parked events and attempts go with it.")
    with act.desk.database.writing() as session:
        endpoints.remove(session, _held(session, act))
    return HOME


def _did(act: Act, deed: Callable[[Session, Endpoint], object]) -> str:
    with act.desk.database.writing() as session:
        held = _held(session, act)
        deed(session, held)
        home = f"{HOME}/{held.id}"
    delivery.ring(act.desk.jobs)
    return home


def _held(session: Session, act: Act) -> Endpoint:
    found = session.get(Endpoint, act.id("endpoint_id", "endpoint"))
    if found is None:
        raise nothing("endpoint")
    return found


def _once(act: Act, said: str, secret: str, endpoint_id: Any) -> Response:
    return act.page("once.html", title="A secret, shown this once", secret=secret, said=said, back=f"{HOME}/{endpoint_id}")


@contextmanager
def _plainly(title: str) -> Iterator[None]:
    """What cannot be done so, on a page that says what to do."""
    try:
        yield
    except (EndpointProblem, TargetRefused, VaultError) as error:
        raise Wrong(409, title, f"{error}. Go back, correct it and send it again.") from error


def _told(ask: Callable[[], Answer]) -> Answer:
    with _plainly("The endpoints cannot be shown"):
        return ask()
