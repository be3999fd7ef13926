"""The command line: ``hub demo | serve | worker | migrate | connection | sync | key | user | admin | audit | endpoint | doctor |
rotate-keys``.

Results go to stdout, everything else (progress, hints, errors) to stderr, so that a program may read the first and a person the second. Exit codes:
0 fine (a sync that is complete, deferred, or partial because of known refusals only), 1 failed, 2 wrong usage, 130 interrupted.

One file per group of commands; each command opens what it needs through ``house`` and hands errors up to ``failures``, the one place that words them.
Heavy rooms (web server, sandbox) are imported by the command that needs them, so that ``hub key list`` does not wait for them.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import typer

from hub import collector
from hub.cli import connections, demo, doctor, endpoints, failures, keys, migrate, rotate, serve, sync, users
from hub.cli.record import recorded

__all__ = ["app", "main"]

app = typer.Typer(
    name="hub",
    help="One portfolio over Asana, monday.com and ClickUp.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("migrate")(migrate.migrate)
app.command("sync")(recorded("sync.deletions_accepted", when="accept_deletions")(sync.sync))
app.command("doctor")(doctor.doctor)
app.command("rotate-keys")(rotate.rotate_keys)
app.add_typer(connections.app, name="connection")
app.add_typer(keys.app, name="key")
app.add_typer(endpoints.app, name="endpoint")
app.add_typer(users.app, name="user")
app.add_typer(users.admin, name="admin")
app.add_typer(users.log, name="audit")


def main() -> NoReturn:
    """The program: takes the process over (signals, collector), runs one command and ends with its exit code."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    collector.tune()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command, having changed nothing of the process, and returns its exit code."""
    command = typer.main.get_command(app)
    return failures.guarded(lambda: command.main(args=list(arguments), prog_name="hub", standalone_mode=False))


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    """A polite request to end is answered as Ctrl-C is: in order, temporary things removed."""
    raise KeyboardInterrupt
