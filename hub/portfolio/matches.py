"""Who might be the same human in several tools, with the evidence, for a person to judge: the same e-mail address, else the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from hub.db import fold
from hub.models import Identity, Merge
from hub.portfolio import policy
from hub.portfolio.joining import SAME_ADDRESS, SAME_NAME, Pairs, pairs_apart
from hub.portfolio.people import KEY, Shape, humans
from hub.portfolio.reach import Reach

SHOWN = 100
"""Suggestions, and acts of the past, at once: those that are settled make room for others."""
SPACE = " "
"""A name of one word ("Ada") is shared by too many to be evidence."""


def suggestions(session: Session, reached: Reach) -> tuple[list[Shape], bool]:
    """[{evidence, shared: the address or name, why: what keeps the rule from it, people}], addresses before names, and whether there are more than
    are shown. A fixed number of statements."""
    apart, domains = pairs_apart(session), policy.load(session).own_domains
    here = and_(Identity.deleted_at.is_(None), Identity.agent.is_(False), *reached.people())
    by_email = _groups(session, fold(Identity.email), and_(here, Identity.email.is_not(None), Identity.email != ""))
    by_name = _groups(session, fold(Identity.name), and_(here, Identity.name.contains(SPACE)))
    wanted = [("email", text, ids) for text, ids in by_email.items()] + [("name", text, ids) for text, ids in by_name.items()]
    known = humans(session, reached, {human for _, _, ids in wanted for human in ids})
    found, seen = [], set()
    for kind, text, ids in wanted:
        people = _strangers([known[each] for each in sorted(ids) if each in known], apart)
        key = frozenset(each["id"] for each in people)
        if len(people) < 2 or key in seen or (kind == "name" and _of_one_account(people)):
            continue
        seen.add(key)
        shared = text if kind == "email" else people[0]["name"]
        evidence = SAME_ADDRESS if kind == "email" else SAME_NAME
        found.append({"evidence": evidence, "shared": shared, "why": _why(kind, text, people, domains), "people": people})
    return found[:SHOWN], len(found) > SHOWN or len(by_email) > SHOWN or len(by_name) > SHOWN


def acts(session: Session) -> Sequence[Merge]:
    """What was joined and parted, the newest first."""
    return session.scalars(select(Merge).order_by(Merge.at.desc(), Merge.id).limit(SHOWN)).all()


def _groups(session: Session, value: Any, here: Any) -> Mapping[str, set[UUID]]:
    """{what they share: humans}, of those that several share."""
    several = select(value).where(here).group_by(value).having(func.count(KEY.distinct()) > 1).order_by(value).limit(SHOWN + 1)
    found: dict[str, set[UUID]] = defaultdict(set)
    for text, human in session.execute(select(value, KEY).where(here, value.in_(several.scalar_subquery())).distinct().order_by(value)):
        found[text].add(human)
    return found


def _strangers(people: Sequence[Shape], apart: Pairs) -> list[Shape]:
    """Without those of whom a person said that they are none of the others."""

    def may_be(one: Shape, other: Shape) -> bool:
        return all((a["id"], b["id"]) not in apart for a, b in product(one["identities"], other["identities"]))

    linked = {each["id"] for pair in combinations(people, 2) if may_be(*pair) for each in pair}
    return [each for each in people if each["id"] in linked]


def _of_one_account(people: Sequence[Shape]) -> bool:
    return len({identity["connection_id"] for each in people for identity in each["identities"]}) < 2


def _why(kind: str, text: str, people: Sequence[Shape], domains: Sequence[str]) -> str:
    if kind == "name":
        return "people may share a name"
    if text.rpartition("@")[2] not in {domain.casefold() for domain in domains}:
        return "the address is of no domain of your own"
    if any(identity["guest"] for each in people for identity in each["identities"]):
        return "a guest's address is not proved"
    return "two users of one account have it, or it was undone before"
