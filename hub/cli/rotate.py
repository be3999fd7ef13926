"""``hub rotate-keys``: seals everything that is stored with the first key, while the hub goes on serving."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from hub import sealed
from hub.access import audit
from hub.cli import house, show
from hub.cli.failures import CannotGoOn, say
from hub.cli.house import House
from hub.cli.record import actor
from hub.sealed import Resealed
from hub.vault import add_key

NEXT = (
    "the other keys open nothing any more: once every hub serve and hub worker runs with the new key first, run this again, and if it still finds "
    "nothing, take them out of {where}"
)


def rotate_keys(
    new_key: Annotated[bool, typer.Option("--new-key", help="first make a key and put it first in the key file")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Seal all stored secrets anew with the first key, so that the others can go. Interrupted, it goes on where it was."""
    with house.opened() as hub:
        _ = hub.vault  # a lost key is said before a new one is made
        if new_key:
            say(f"hub: a new key is first in {add_key(hub.settings)}; keep a copy of that file apart from the database's")
            hub.vault.look_again()
        done = _reseal(hub)
        with hub.database.reading() as session:
            counts = sealed.count(session, hub.vault)
        former, unreadable = sum(each.former for each in counts.values()), sum(each.unreadable for each in counts.values())
        with hub.database.writing() as session:
            after = {"resealed": done.resealed, "former": former, "unreadable": unreadable}
            audit.add(session, actor(), "keys.rotated", None, house.now(), after=after)
    free = not former and not unreadable
    columns = {name: {"current": each.current, "former": each.former, "unreadable": each.unreadable} for name, each in counts.items()}
    if as_json:
        show.json({"resealed": done.resealed, "former": former, "unreadable": unreadable, "old_keys_can_go": free, "columns": columns})
    else:
        show.columns(("SECRET", "FIRST KEY", "FORMER KEYS", "LOST KEYS"), [(name, *each.values()) for name, each in columns.items()])
    _conclude(hub, done, former, unreadable)


def _reseal(hub: House) -> Resealed:
    """With a bar where a person watches."""
    with hub.database.reading() as session:
        total = sum(each.total for each in sealed.count(session, hub.vault).values())
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bars:
        row = bars.add_task("sealing anew", total=total)
        return sealed.reseal(hub.database, hub.vault, lambda rows: bars.advance(row, rows))


def _conclude(hub: House, done: Resealed, former: int, unreadable: int) -> None:
    for problem in done.problems[:20]:
        say(f"hub: {problem}")
    say(f"hub: {done.resealed} secrets sealed anew")
    if unreadable or done.problems:
        raise CannotGoOn(
            f"{max(unreadable, len(done.problems))} secrets could not be opened: put their key back and run this again; no key can go yet"
        )
    if former:
        words = f"{former} secrets were sealed with a former key meanwhile"
        raise CannotGoOn(f"{words}: restart hub serve and hub worker with the new key first, then run this again")
    say("hub: " + NEXT.format(where="HUB_SECRET_KEYS" if hub.settings.secret_keys else "the key file"))
