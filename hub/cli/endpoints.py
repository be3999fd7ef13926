"""``hub endpoint add | list | show | change | pause | resume | remove | rotate | test | replay | attempts | parked | skip | retry | listen``: where
events are sent to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import connections
from hub.cli import house, listen, show
from hub.cli.failures import CannotGoOn, WrongUsage, say
from hub.cli.record import recorded
from hub.delivery import cards, catalogue, endpoints, parked, replay, trial
from hub.delivery.address import Rules, TargetRefused
from hub.delivery.endpoints import EndpointProblem, Terms
from hub.delivery.filter import Filter, check
from hub.delivery.replay import Range
from hub.models import Attempt, Endpoint

app = typer.Typer(help="Where events are sent to.", no_args_is_help=True)
app.command("listen")(listen.listen)
Named = Annotated[str, typer.Argument(metavar="NAME", help="the endpoint's name or id, as hub endpoint list shows it")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]
NONE: dict[str, Any] = {"types": [], "filter": {}, "headers": {}}
Types = Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="such as task.status_changed or task.*; repeatable; none: all")]


@app.command("add")
@recorded("endpoint.added")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://..., or http:// where HUB_WEBHOOK_ALLOW lets it")],
    name: Annotated[str | None, typer.Option(help="for the list; else the URL's host")] = None,
    types: Types = None,
    filters: Annotated[list[str] | None, typer.Option("--filter", metavar="KEY=VALUE", help="such as categories_to=done; repeatable")] = None,
    thin: Annotated[bool, typer.Option("--thin", help="messages without data")] = False,
    ordering: Annotated[str, typer.Option(help="entity (what one entity tells comes in order) or none")] = "entity",
    headers: Annotated[list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="sent with every message; repeatable")] = None,
    as_json: AsJson = False,
) -> None:
    """Send events to a URL from now on, and print the secret that signs them, this once."""
    if ordering not in endpoints.ORDERINGS:
        raise WrongUsage(f"--ordering is {' or '.join(endpoints.ORDERINGS)}")
    terms = Terms(_types(types or []), _filter(filters or []), thin, ordering, dict(map(_pair, headers or [])))
    with house.opened() as hub:
        with told():
            vetted = endpoints.vet(url, Rules.of(hub.settings))
        with hub.database.writing() as session, told():
            chosen = name or urlsplit(url).hostname or url
            made, secret = endpoints.create(session, hub.vault, chosen, vetted, terms, house.now())
            card = cards.cards(session, hub.vault, [made], house.now())[0]
    if as_json:
        show.json(card | {"secret": secret})
        return
    show.line(secret)
    say(f"hub: {card['name']} is sent events from now on; keep its secret, it cannot be shown again")
    say(f"hub: try it: hub endpoint test {show.word(card['name'])}")


@app.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """Show all endpoints and how they stand."""
    with house.opened() as hub, hub.database.reading() as session:
        found = cards.cards(session, hub.vault, cards.owned(session, None), house.now())
    if as_json:
        for card in found:
            show.json(card)
        return
    rows = [(c["name"], c["state"], c["url"], c["backlog"], sum(c["parked"].values()), c["last_success_at"], c["last_error"]) for c in found]
    show.columns(("NAME", "STATE", "URL", "BACKLOG", "PARKED", "LAST TAKEN", "LAST ERROR"), rows)


@app.command("show")
def show_endpoint(name: Named, as_json: AsJson = False) -> None:
    """Show one endpoint."""
    with house.opened() as hub, hub.database.reading() as session:
        card = cards.cards(session, hub.vault, [by_name(session, name)], house.now())[0]
    if as_json:
        show.json(card)
        return
    show.line(card["name"])
    card["filter"] = "; ".join(f"{name}={','.join(values)}" for name, values in card["filter"].items())
    card["parked"] = ", ".join(f"{count} {state}" for state, count in card["parked"].items())
    show.facts({fact.replace("_", " "): ", ".join(value) if isinstance(value, list) else value for fact, value in card.items() if fact != "name"})


@app.command("change")
@recorded("endpoint.changed")
def change(
    name: Named,
    new_name: Annotated[str | None, typer.Option("--rename", metavar="NAME", help="another name")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="another address")] = None,
    types: Types = None,
    filters: Annotated[list[str] | None, typer.Option("--filter", metavar="KEY=VALUE", help="instead of the whole filter; repeatable")] = None,
    thin: Annotated[bool | None, typer.Option("--thin/--full", help="messages without data, or with it")] = None,
    ordering: Annotated[str | None, typer.Option(help="entity or none")] = None,
    headers: Annotated[list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="instead of all headers; repeatable")] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="WHAT", help="types (then all come), filter or headers; repeatable")] = None,
) -> None:
    """Change what is given; all else stays, its place in the log and its secret too."""
    if wrong := sorted(set(drop or []) - {"types", "filter", "headers"}):
        raise WrongUsage(f"--drop is types, filter or headers, not {wrong[0]}")
    given: dict[str, Any] = {"types": _types(types) if types else None, "filter": _filter(filters) if filters else None, "thin": thin}
    given |= {"ordering": ordering, "headers": dict(map(_pair, headers)) if headers else None}
    given = {term: value for term, value in given.items() if value is not None} | {term: NONE[term] for term in drop or []}
    with house.opened() as hub:
        with told():
            vetted = endpoints.vet(url, Rules.of(hub.settings)) if url else None
        with hub.database.writing() as session, told():
            held = by_name(session, name)
            terms = replace(endpoints.terms_of(hub.vault, held), **given) if given else None
            endpoints.change(session, hub.vault, held, name=new_name, url=vetted, terms=terms)
    say("hub: changed; what is parked is not filtered again")


@app.command("pause")
@recorded("endpoint.paused")
def pause(name: Named) -> None:
    """Hold its events back; they are kept as long as any."""
    with house.opened() as hub, hub.database.writing() as session:
        endpoints.pause(by_name(session, name), house.now())
    say("hub: paused")


@app.command("resume")
@recorded("endpoint.resumed")
def resume(name: Named) -> None:
    """Let it go on from where it stood, also one that the hub disabled."""
    with house.opened() as hub, hub.database.writing() as session:
        dropped = endpoints.resume(session, by_name(session, name))
    say(f"hub: it goes on; {dropped} events were dropped meanwhile and will not come" if dropped else "hub: it goes on where it stood")


@app.command("remove")
@recorded("endpoint.removed")
def remove(name: Named) -> None:
    """End it, with all that is parked for it."""
    with house.opened() as hub, hub.database.writing() as session:
        endpoints.remove(session, by_name(session, name))
    say("hub: removed")


@app.command("rotate")
@recorded("endpoint.rotated")
def rotate(
    name: Named,
    overlap: Annotated[int, typer.Option(min=0, max=720, metavar="HOURS", help="how long both secrets sign; 0 ends the old one at once")] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a new secret and print it, this once."""
    with house.opened() as hub, hub.database.writing() as session, told():
        held = by_name(session, name)
        secret = endpoints.rotate_secret(hub.vault, held, house.now(), overlap=timedelta(hours=overlap))
        until = held.previous_until
    if as_json:
        show.json({"secret": secret, "old_secret_until": until})
        return
    show.line(secret)
    say(f"hub: the old secret signs, too, until {until:%Y-%m-%d %H:%M} UTC" if until else "hub: the old secret has ended")


@app.command("test")
def try_out(
    name: Named,
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="any type of event")] = "task.status_changed",
    as_json: AsJson = False,
) -> None:
    """Send an example, marked as a test, and print what the receiver says."""
    if kind not in catalogue.BY_TYPE:
        raise WrongUsage(catalogue.unknown([kind]) or f"one type at a time: {kind} is all of a noun")
    with house.opened() as hub:
        with hub.database.reading() as session:
            held = by_name(session, name)
        stored = replace(catalogue.example(kind), id=uuid4(), recorded_at=house.now())
        answer = trial.send(hub.database, hub.vault, hub.settings, held.id, stored, house.now())
    if as_json:
        show.json({"event_id": stored.id, "status": answer.status, "error": answer.error, "duration_ms": answer.milliseconds, "answer": answer.text})
    if answer.error is not None:
        raise CannotGoOn(f"it did not take the message: {answer.error}")
    say(f"hub: taken ({answer.status}) after {answer.milliseconds} ms")


@app.command("replay")
@recorded("endpoint.replayed", unless="dry")
def send_again(
    name: Named,
    event: Annotated[str | None, typer.Option(metavar="ID", help="this one event")] = None,
    entity: Annotated[str | None, typer.Option(metavar="ID", help="what this task, project ... told")] = None,
    types: Types = None,
    snapshot: Annotated[bool, typer.Option("--snapshot", help="not what happened, but how everything is now")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="only count")] = False,
    as_json: AsJson = False,
) -> None:
    """Send events again that it has got, as far as they are kept."""
    if snapshot and (event or entity or types):
        raise WrongUsage("--snapshot is of everything that fits the endpoint's filter: no other choice goes with it")
    with house.opened() as hub:
        with hub.database.reading() as session, told():
            held = by_name(session, name)
            if event is not None:
                wanted = Range.of_event(session, _id(event))
            elif snapshot:
                wanted = Range(snapshot=True)
            else:
                wanted = Range(entity_id=_id(entity) if entity else None, types=catalogue.named(_types(types or [])))
            count = replay.count(session, held, wanted)
        if count and not dry:
            with hub.database.writing() as session, told():
                replay.start(session, by_name(session, name), wanted, house.now())
    if as_json:
        show.json({"events": count, "dry": dry})
        return
    say(f"hub: {count} events {'would be' if dry else 'will be'} sent again" if count else "hub: there is nothing to send again")


@app.command("attempts")
def attempts(
    name: Named, limit: Annotated[int, typer.Option(min=1, max=1000, help="how many, the newest first")] = 20, as_json: AsJson = False
) -> None:
    """Show what was tried and what the receiver said."""
    with house.opened() as hub, hub.database.reading() as session:
        held = by_name(session, name)
        wanted = select(Attempt).where(Attempt.endpoint_id == held.id).order_by(Attempt.id.desc()).limit(limit)
        rows = [cards.attempt(row) for row in session.scalars(wanted)]
    if as_json:
        for row in rows:
            show.json(row)
        return
    shown = [(row["at"], row["kind"], row["type"], row["status"], f"{row['duration_ms']} ms", row["error"]) for row in rows]
    show.columns(("AT", "KIND", "TYPE", "STATUS", "TOOK", "ERROR"), shown)


@app.command("parked")
def parked_ones(
    name: Named,
    dead: Annotated[bool, typer.Option("--dead", help="those that were given up")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many, the oldest first")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what it did not take, set aside so that all else goes on."""
    with house.opened() as hub, hub.database.reading() as session:
        rows = [cards.parked(row) for row in parked.listed(session, by_name(session, name).id, dead=dead, limit=limit)]
    if as_json:
        for row in rows:
            show.json(row)
        return
    shown = [(row["sequence"], row["state"], row["entity"], row["entity_id"], row["attempts"], row["next_at"], row["last_error"]) for row in rows]
    show.columns(("PLACE", "STATE", "OF", "ID", "TRIED", "NEXT", "ERROR"), shown)


@app.command("skip")
@recorded("endpoint.skipped")
def skip(name: Named, entity: Annotated[str, typer.Argument(metavar="ID", help="the task, project ... whose others wait behind it")]) -> None:
    """Give up the event that an entity's others stand behind: the next goes out and says so."""
    with house.opened() as hub, hub.database.writing() as session:
        if not parked.skip(session, by_name(session, name), _id(entity), house.now()):
            raise CannotGoOn(f"nothing of {entity} is parked: hub endpoint parked {show.word(name)} shows what is")
    say("hub: given up; what stood behind it goes out now")


@app.command("retry")
@recorded("endpoint.retried")
def retry(
    name: Named,
    entity: Annotated[str | None, typer.Option(metavar="ID", help="only what waits of this task, project ...")] = None,
    places: Annotated[list[int] | None, typer.Option("--dead", metavar="PLACE", help="this dead letter, from the beginning; repeatable")] = None,
) -> None:
    """Try at once what waits for its own retry, or dead letters again."""
    if entity and places:
        raise WrongUsage("--entity and --dead exclude each other")
    with house.opened() as hub, hub.database.writing() as session:
        held = by_name(session, name)
        chosen = _id(entity) if entity else None
        count = parked.revive(session, held, places, house.now()) if places else parked.retry(session, held, house.now(), chosen)
    say(f"hub: {count} events are tried now" if count else "hub: nothing waits")


def by_name(session: Session, name: str) -> Endpoint:
    """Raises CannotGoOn."""
    found = session.scalars(select(Endpoint).where(Endpoint.name == name)).one_or_none()
    if found is None:
        with contextlib.suppress(ValueError):
            found = session.get(Endpoint, UUID(name))
    if found is None:
        raise CannotGoOn(f"there is no endpoint {name!r}: hub endpoint list shows them")
    return found


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What cannot be done so, in the program's words."""
    try:
        yield
    except (TargetRefused, EndpointProblem) as error:
        raise CannotGoOn(str(error)) from error


def _types(given: Sequence[str]) -> list[str]:
    if problem := catalogue.unknown(given):
        raise WrongUsage(problem)
    return list(given)


def _filter(given: Sequence[str]) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    for key, value in map(_pair, given):
        kept.setdefault(key, []).append(value)
    if "types" in kept:
        raise WrongUsage("--filter: types have an option of their own: --type")
    try:
        check(kept, connections.tools())
        return Filter.of(kept).kept()
    except ValueError as error:
        raise WrongUsage(f"--filter: {error}") from error


def _pair(text: str) -> tuple[str, str]:
    key, divided, value = text.partition("=")
    if not divided or not key or not value:
        raise WrongUsage(f"{text!r}: write KEY=VALUE")
    return key.strip(), value.strip()


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise WrongUsage(f"{text!r} is no id: ids are UUIDs") from error
