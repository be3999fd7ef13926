"""Several users of the tools become one human, and part again.

Only two things join: the rule (the same e-mail address at a domain of one's own, never guests) and a person's word. The tools let nobody be a full
member of an organisation's account without having shown that the address is theirs; a guest's address, a public mail host's, and a mere name are no
such proof, and are only suggested (``matches``). A sync knows nothing of this: it writes identities, and where figures are read those of one person
are taken together.

Every act is kept with what it changed, so that it can be undone, and told as an event. Locks in the order of a sync's page: position first, the log
last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import combinations, product
from uuid import UUID, uuid4

from sqlalchemy import and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from hub import events
from hub.access import audit
from hub.access.audit import Actor
from hub.db import Database, fold
from hub.events import Cause, Draft, EventType, Subject
from hub.models import Apart, Identity, Merge, Person
from hub.portfolio import policy
from hub.portfolio.people import KEY

MERGED, SPLIT = "merged", "split"
MOST, A_BATCH = 200, 200
"""Identities in one act; persons that the rule makes in one transaction."""
RULE = Actor("rule", None)
SAME_ADDRESS, SAME_NAME = "the same e-mail address", "the same name"
"""Evidence, as it is kept: without the address or name itself, which stay with the tools' users."""
Pairs = set[tuple[UUID, UUID]]


class JoiningProblem(ValueError):
    """It cannot be joined, parted or undone so; the message says why."""


def merge(session: Session, ids: Collection[UUID], now: datetime, by: Actor, *, evidence: str | None = None) -> Merge:
    """Makes one person of several persons and identities. Raises JoiningProblem."""
    events.advance(session, "position")
    made, told = _join(session, ids, now, by, evidence)
    audit.add(session, by, "person.merged", f"person:{made.person_id}", now, after={"merge": str(made.id), "identities": sorted(made.former)})
    _tell(session, [told], now)
    return made


def split(session: Session, person_id: UUID, identity_ids: Collection[UUID], now: datetime, by: Actor) -> Merge:
    """Takes these identities out of a person, to be one of their own; no rule joins the two again. Raises JoiningProblem."""
    events.advance(session, "position")
    person = _standing(session, person_id)
    members, gone = _members(session, [person.id]), set(identity_ids)
    if not gone or not gone < members:
        raise JoiningProblem("choose some of the person's users, and not all of them")
    own = None if len(gone) == 1 else _new(session, now).id
    session.execute(update(Identity).where(Identity.id.in_(gone)).values(person_id=own))
    part(session, product(gone, members - gone), now, by)
    made = _note(session, SPLIT, person.id, now, by, None, dict.fromkeys(map(str, gone), str(person.id)), {})
    audit.add(session, by, "person.split", f"person:{person.id}", now, after={"merge": str(made.id), "identities": sorted(map(str, gone))})
    _tell(session, [_draft(session, EventType.PERSON_SPLIT, person.id, members)], now)
    return made


def undo(session: Session, merge_id: UUID, now: datetime, by: Actor) -> Merge:
    """Puts everything back to where it was before that act, as long as nothing was built upon it. The rule does not do again what was undone. Raises
    JoiningProblem."""
    events.advance(session, "position")
    done = session.get(Merge, merge_id)
    if done is None or done.undone_at is not None:
        raise JoiningProblem("there is no such act, or it was undone already")
    before = _members(session, [done.person_id])
    former = {UUID(key): UUID(value) if value else None for key, value in done.former.items()}
    _unmoved(session, done, former)
    for was in set(former.values()):
        session.execute(update(Identity).where(Identity.id.in_([key for key, value in former.items() if value == was])).values(person_id=was))
    for key, value in done.became.items():
        session.execute(update(Person).where(Person.id == UUID(key)).values(became_id=UUID(value) if value else None))
    left = before - former.keys()
    if done.kind == SPLIT:
        _forget(session, product(former, left))
    elif done.actor is None:
        part(session, _across(former, left), now, by)
    done.undone_at, done.undone_by = now, str_of(by)
    audit.add(session, by, f"person.{done.kind}.undone", f"person:{done.person_id}", now, after={"merge": str(done.id)})
    kind = EventType.PERSON_MERGED if done.kind == SPLIT else EventType.PERSON_SPLIT
    _tell(session, [_draft(session, kind, done.person_id, before)], now)
    return done


def differ(session: Session, ids: Collection[UUID], now: datetime, by: Actor) -> None:
    """A person's word that these persons and identities are all different humans. Raises JoiningProblem."""
    humans = _humans(session, ids)
    if len(humans) < 2 or sum(map(len, humans.values())) > MOST:
        raise JoiningProblem(f"choose at least two who are not one person already, with at most {MOST} users")
    part(session, _across_all(humans.values()), now, by)
    audit.add(session, by, "person.told_apart", None, now, after={"people": sorted(map(str, humans))})


def apply_rule(database: Database, now: datetime) -> int:
    """Joins whatever the rule joins now, in short transactions, and locks nothing where there is nothing; returns how many persons that were."""
    with database.reading() as session:
        domains = policy.load(session).own_domains
        due = bool(_by_address(session, domains, 1))
    made = 0
    while due:
        with database.writing() as session:
            joined = by_rule(session, domains, now)
        made, due = made + joined, joined == A_BATCH
    return made


def by_rule(session: Session, domains: Collection[str], now: datetime) -> int:
    """Joins what has the same address at one of these domains, at most ``A_BATCH`` persons at once; returns how many that were. Guests, agents, what
    was told apart and two users of one tool's account with one address (which of them is it?) are left to a person."""
    events.advance(session, "position")
    found = _by_address(session, domains, A_BATCH)
    told = [_join(session, ids, now, RULE, SAME_ADDRESS)[1] for ids in found.values()]
    if told:
        audit.add(session, RULE, "person.merged", None, now, after={"people": len(told), "domains": sorted(domains)})
        _tell(session, told, now)
    return len(told)


def pairs_apart(session: Session) -> Pairs:
    """The pairs of identities that were told apart, each in both directions; all of them, for every one is a person's word."""
    rows = session.execute(select(Apart.one_id, Apart.other_id)).all()
    return {(one, other) for one, other in rows} | {(other, one) for one, other in rows}


def part(session: Session, pairs: Iterable[tuple[UUID, UUID]], now: datetime, by: Actor) -> None:
    """Keeps that these are not the same."""
    wanted = {(min(pair), max(pair)) for pair in pairs} - pairs_apart(session)
    session.add_all(Apart(one_id=one, other_id=other, at=now, actor=str_of(by)) for one, other in sorted(wanted))
    session.flush()


def str_of(by: Actor) -> str | None:
    return None if by == RULE else f"{by.kind}:{by.id}" if by.id else by.kind


def _forget(session: Session, pairs: Iterable[tuple[UUID, UUID]]) -> None:
    keys = [(min(pair), max(pair)) for pair in pairs]
    for held in session.scalars(select(Apart).where(tuple_(Apart.one_id, Apart.other_id).in_(keys))):
        session.delete(held)


def _join(session: Session, ids: Collection[UUID], now: datetime, by: Actor, evidence: str | None) -> tuple[Merge, Draft]:
    humans = _humans(session, ids)
    if len(humans) < 2:
        raise JoiningProblem("these are one person already: choose at least two")
    if sum(map(len, humans.values())) > MOST:
        raise JoiningProblem(f"one person has at most {MOST} users")
    persons = session.scalars(select(Person).where(Person.id.in_(humans)).order_by(Person.created_at, Person.id)).all()
    kept = persons[0] if persons else _new(session, now)
    others = [each.id for each in persons[1:]]
    former = {str(each): None if human == each else str(human) for human, members in humans.items() if human != kept.id for each in members}
    moved = [each for human, members in humans.items() if human != kept.id for each in members]
    before = set(humans.get(kept.id, ()))
    session.execute(update(Identity).where(Identity.id.in_(moved)).values(person_id=kept.id))
    became = {}
    for each in session.scalars(select(Person).where(or_(Person.id.in_(others), Person.became_id.in_(others)))):
        became[str(each.id)] = str(each.became_id) if each.became_id else None
        each.became_id = kept.id
    made = _note(session, MERGED, kept.id, now, by, evidence, former, became)
    return made, _draft(session, EventType.PERSON_MERGED, kept.id, before)


def _humans(session: Session, ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """{person, or identity that is nobody's yet: identities} of ids of either kind, also those that became another person."""
    wanted = set(ids)
    persons = {each.id: each.became_id or each.id for each in session.scalars(select(Person).where(Person.id.in_(wanted)))}
    identities = {each.id: each.person_id for each in session.execute(select(Identity.id, Identity.person_id).where(Identity.id.in_(wanted)))}
    if unknown := wanted - persons.keys() - identities.keys():
        raise JoiningProblem(f"there is no person or user {min(unknown)}")
    keys = set(persons.values()) | {person for person in identities.values() if person}
    found: dict[UUID, set[UUID]] = {each: {each} for each, person in identities.items() if person is None}
    for person, identity in session.execute(select(KEY, Identity.id).where(Identity.person_id.in_(keys))):
        found.setdefault(person, set()).add(identity)
    return found


def _standing(session: Session, person_id: UUID) -> Person:
    found = session.get(Person, person_id)
    if found is not None and found.became_id is not None:
        found = session.get(Person, found.became_id)
    if found is None:
        raise JoiningProblem("there is no such person, or it has only one user")
    return found


def _members(session: Session, persons: Collection[UUID]) -> set[UUID]:
    return set(session.scalars(select(Identity.id).where(Identity.person_id.in_(persons))))


def _unmoved(session: Session, done: Merge, former: Mapping[UUID, UUID | None]) -> None:
    """Whether all is where the act has put it; what came through a connection that was removed since is not missed."""
    places = set(session.scalars(select(Identity.person_id).where(Identity.id.in_(former))))
    concerned = [*map(UUID, done.became), done.person_id]
    persons = {each.id: each.became_id for each in session.scalars(select(Person).where(Person.id.in_(concerned)))}
    together = places <= {done.person_id} if done.kind == MERGED else len(places) <= 1 and done.person_id not in places
    alone = done.kind == MERGED or places <= {None} or _members(session, [each for each in places if each]) <= former.keys()
    stands = persons.pop(done.person_id, None) is None and all(each == done.person_id for each in persons.values())
    if not (together and alone and stands):
        raise JoiningProblem("this was changed again since: undo the later act first")


def _new(session: Session, now: datetime) -> Person:
    made = Person(id=uuid4(), created_at=now)
    session.add(made)
    session.flush()
    return made


def _note(
    session: Session,
    kind: str,
    person_id: UUID,
    now: datetime,
    by: Actor,
    evidence: str | None,
    former: Mapping[str, str | None],
    became: Mapping[str, str | None],
) -> Merge:
    made = Merge(id=uuid4(), at=now, kind=kind, person_id=person_id, actor=str_of(by), evidence=evidence, former=dict(former), became=dict(became))
    session.add(made)
    session.flush()
    return made


def _draft(session: Session, kind: EventType, person_id: UUID, before: Collection[UUID]) -> Draft:
    """Ids only: names and addresses stay in the one table from which a person can be erased."""
    after = sorted(map(str, _members(session, [person_id])))
    known_as = sorted(map(str, session.scalars(select(Person.id).where(Person.became_id == person_id))))
    data = {"changed": ["identity_ids"], "before": {"identity_ids": sorted(map(str, before))}, "after": {"identity_ids": after}}
    return Draft(kind, "person", person_id, data, subject=Subject(state={"id": str(person_id), "identity_ids": after, "former_ids": known_as}))


def _tell(session: Session, drafts: Sequence[Draft], now: datetime) -> None:
    session.flush()
    events.append(session, drafts, connection_id=None, change_set=uuid4(), now=now, cause=Cause.REMAP.value)


def _across(former: Mapping[UUID, UUID | None], left: Collection[UUID]) -> Pairs:
    """The pairs of identities that an act had joined: those of different humans before it."""
    groups: dict[UUID, set[UUID]] = defaultdict(set)
    for identity, person in former.items():
        groups[person or identity].add(identity)
    return _across_all([*groups.values(), set(left)])


def _across_all(groups: Iterable[Collection[UUID]]) -> Pairs:
    return {pair for one, other in combinations(list(groups), 2) for pair in product(one, other)}


def _by_address(session: Session, domains: Collection[str], most: int) -> dict[str, list[UUID]]:
    """{address: the identities that the rule joins}."""
    if not domains:
        return {}
    address = fold(Identity.email)
    ours = or_(*(address.endswith(f"@{domain.casefold()}", autoescape=True) for domain in domains))
    full = and_(Identity.deleted_at.is_(None), Identity.guest.is_(False), Identity.agent.is_(False), Identity.email.is_not(None), ours)
    several = select(address).where(full).group_by(address).having(func.count(KEY.distinct()) > 1)
    humans = select(KEY).where(full, address.in_(several))
    held = select(KEY, Identity.id, Identity.connection_id).where(KEY.in_(humans))
    members: dict[UUID, list[tuple[UUID, UUID]]] = defaultdict(list)
    for human, identity, connection in session.execute(held):
        members[human].append((identity, connection))
    groups: dict[str, set[UUID]] = defaultdict(set)
    for text, human in session.execute(select(address, KEY).where(full, address.in_(several)).order_by(address)):
        groups[text].add(human)
    apart = pairs_apart(session)
    sure = [(text, group) for text, group in groups.items() if _sure([members[human] for human in group], apart)]
    return {text: sorted(group) for text, group in sure[:most]}


def _sure(humans: Sequence[Sequence[tuple[UUID, UUID]]], apart: Pairs) -> bool:
    """Whether no two of them were told apart, or are users of one account."""
    strangers = (pair for one, other in combinations(humans, 2) for pair in product(one, other))
    return not any(one[1] == other[1] or (one[0], other[0]) in apart for one, other in strangers)
