"""What the tools' words for a status count as: the tool's word on the left, ours on the right, what nobody has confirmed first."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from connectors.records import StatusCategory
from hub import delivery
from hub.access import scope
from hub.access.keys import Role
from hub.portfolio import mappings
from hub.portfolio.mappings import MappingFilter, Source
from hub.sync import remap
from hub.web import words
from hub.web.desk import Act, Desk, View, Wrong
from hub.web.login import signed_in

MOST, A_PAGE = 1_000, 100
SHOWS = {"open": "to be confirmed", "all": "all"}
CHOICES = {name: said for name, said in words.CATEGORIES.items() if name != "unknown"}
WITHDRAW = "withdraw"


def routes(made: APIRouter, desk: Desk) -> None:
    desk.add(made, "/admin/statuses", show, Role.ADMIN, Role.PMO)
    desk.do(made, "/admin/statuses", save, Role.ADMIN, Role.PMO)


def show(view: View) -> Response:
    """Those that are to be confirmed first, by the number of tasks that hang on them."""
    which = view.choice("show", SHOWS, "open")
    asked = view.asked(MappingFilter)
    unknown, more = mappings.page(view.session, asked.model_copy(update={"category": [StatusCategory.UNKNOWN]}), view.reached, None, MOST)
    guessed, more_guessed = mappings.page(view.session, asked.model_copy(update={"source": [Source.SUGGESTED]}), view.reached, None, MOST)
    unconfirmed = {row["status_id"]: row for row in (*unknown, *guessed)}
    rest, more_rest = ([], None) if which == "open" else mappings.page(view.session, asked, view.reached, None, MOST)
    rows = sorted(unconfirmed.values(), key=lambda row: (-row["tasks"], row["name"] or ""))
    rows += sorted((row for row in rest if row["status_id"] not in unconfirmed), key=lambda row: (-row["tasks"], row["name"] or ""))
    pages = view.pages(len(rows), A_PAGE)
    return view.page(
        "statuses.html",
        rows=rows[pages.offset : pages.offset + A_PAGE],
        pages=pages,
        show=which,
        shows=SHOWS,
        choices=CHOICES,
        cut=any(each is not None for each in (more, more_guessed, more_rest)),
        unconfirmed=len(unconfirmed),
    )


def save(act: Act) -> str:
    """Every row that somebody chose something for; the others stay as they are."""
    now = act.desk.now()
    with act.desk.database.writing() as session:
        seen = scope.of(session, signed_in(act.request)).statuses()
        for name, choice in act.fields.multi_items():
            key, _, status = name.partition(":")
            if key != "category" or not choice:
                continue
            if choice != WITHDRAW and choice not in CHOICES:
                raise Wrong(422, "This choice does not exist", "Go back, choose again and send it.")
            try:
                known = remap.say(session, UUID(status), None if choice == WITHDRAW else choice, now, seen=seen)
            except ValueError as error:
                raise Wrong(422, "There is no such status", "Go back, load the page again and send it.") from error
            if not known:
                raise Wrong(404, "There is no such status", "It was removed meanwhile: load the page again.")
    delivery.ring(act.desk.jobs)
    return "/admin/statuses" + ("?show=all" if act.fields.get("show") == "all" else "")
