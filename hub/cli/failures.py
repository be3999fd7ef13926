"""What went wrong, in one line on stderr that says what to do; never a traceback. The only place that turns exceptions into exit codes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any

import typer
from sqlalchemy.exc import DBAPIError

from connectors.errors import AuthFailed, ConnectorError, RateLimited
from hub import log
from hub.connections import ConnectionProblem
from hub.migrate import DatabaseProblem
from hub.settings import SettingsError
from hub.vault import VaultError

FINE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
SAID = (SettingsError, DatabaseProblem, VaultError, ConnectionProblem)


class WrongUsage(Exception):
    """The command was given something it cannot take; the message says what it takes."""


class CannotGoOn(Exception):
    """The command cannot do its work here; the message says what to do."""


def say(line: str) -> None:
    """One line for a person, on stderr."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def guarded(command: Callable[[], Any]) -> int:
    """Runs ``command`` and returns the exit code, having told what went wrong."""
    try:
        return int(command() or FINE)
    except KeyboardInterrupt:
        say("hub: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; the interpreter's last flush must not fail again
        return FAILED
    except Exception as error:  # noqa: BLE001  the program's edge: every error becomes one line and an exit code
        return _tell(error)


def _tell(error: Exception) -> int:
    usage = _usage(error)
    if usage is not None:
        say(usage if "\n" in usage else f"hub: {usage}")  # several lines: the help itself, asked for by saying nothing
        return USAGE
    say(f"hub: {_words(error) or _unexpected(error)}")
    return FAILED


def _usage(error: Exception) -> str | None:
    """The command line's own complaints: ours, and those of typer, whose errors carry their exit code."""
    if isinstance(error, WrongUsage):
        return str(error)
    if getattr(error, "exit_code", None) == USAGE:
        message = str(getattr(error, "format_message", lambda: str(error))()).replace("Value error, ", "")
        return message if "\n" in message else f"{message.rstrip('.') or 'wrong usage'}; hub --help shows what there is"
    return None


def _words(error: Exception) -> str | None:
    """What is said of an error that is expected; None for any other."""
    if isinstance(error, (*SAID, CannotGoOn)):
        return str(error)
    if isinstance(error, ConnectorError):
        return connector(error)
    if isinstance(error, typer.Abort):
        return "not done: no answer was given"
    if isinstance(error, (DBAPIError, sqlite3.Error)):
        return f"the database cannot be used ({database_reason(error)}): check HUB_DATABASE_URL, the rights of its folder and the free space"
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}; check the path, its rights and the free space"
    return None


def connector(error: ConnectorError) -> str:
    """A tool's error with what to do about it."""
    if isinstance(error, AuthFailed):
        return f"the tool refused the token ({error}): copy it again, or make a new one in the tool"
    if isinstance(error, RateLimited):
        return f"the tool's limit is used up ({error}): try again in {error.retry_after:.0f} s"
    return f"the tool could not be asked ({error}): check the base URL and the network, then try again"


def database_reason(error: DBAPIError | sqlite3.Error) -> str:
    """The driver's own words, one line: the statement and its values are nobody's business on a terminal."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _unexpected(error: Exception) -> str:
    text = log.BEARER.sub(log.HIDDEN, "".join(traceback.format_exception(error)))
    if os.environ.get("HUB_LOG_LEVEL") == "DEBUG":
        sys.stderr.write(text)
        return f"a defect of this program ({type(error).__name__}); its traceback is above"
    try:
        with tempfile.NamedTemporaryFile("w", prefix="hub-error-", suffix=".log", delete=False, encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return f"a defect of this program ({type(error).__name__}); HUB_LOG_LEVEL=DEBUG prints its traceback"
    return f"a defect of this program ({type(error).__name__}); its traceback is in {file.name} (HUB_LOG_LEVEL=DEBUG prints it)"
