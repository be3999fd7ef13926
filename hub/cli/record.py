"""Commands that change something are in the audit log: who sat at the terminal, which command, with which words."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import typer

from hub.access import audit
from hub.access.audit import Actor
from hub.cli import house

P = ParamSpec("P")
NAMES = ("name", "url", "names")


def actor() -> Actor:
    """Whoever sits at the terminal, by the system's name for them."""
    try:
        return Actor("cli", getpass.getuser())
    except (KeyError, OSError):  # a container's user may have no name
        return Actor("cli", None)


def recorded(action: str, *, when: str | None = None, unless: str | None = None) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Records a command once it has done its work, with its arguments (secrets are no arguments anywhere, but for headers, of which the names are
    kept). ``when``, ``unless``: an option that makes it worth a row, or not. Commands that record themselves in their own transaction need none of
    this."""

    def around(command: Callable[P, None]) -> Callable[P, None]:
        @wraps(command)
        def run(*words: P.args, **given: P.kwargs) -> None:
            try:
                command(*words, **given)
            except typer.Exit:  # has done its work and says how it went
                _note(action, given, when, unless)
                raise
            _note(action, given, when, unless)

        return run

    return around


def _note(action: str, given: dict[str, Any], when: str | None, unless: str | None) -> None:
    if (when is not None and not given.get(when)) or (unless is not None and given.get(unless)):
        return
    target = next((str(given[name]) for name in NAMES if given.get(name)), None)
    kept = {name: value for name, value in given.items() if name not in ("name", "as_json") and value not in (None, False, [])}
    if headers := kept.pop("headers", None):
        kept["header_names"] = [each.partition("=")[0] for each in headers]
    with house.opened() as hub, hub.database.writing() as session:
        audit.add(session, actor(), action, target, house.now(), after=kept)
