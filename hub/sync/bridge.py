"""The bridge from the network's event loop to the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from hub.db import Database

Given = ParamSpec("Given")
Result = TypeVar("Result")


async def across(database: Database, function: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result:
    """Calls ``function``, which works in the database. Not to be interrupted, like any transaction.

    PostgreSQL answers from another process: a worker thread waits for it, and the loop goes on reading. SQLite works in this very process: beside it
    the loop could only take turns with it, for a third more CPU (both want the interpreter's lock at every row). A run has its loop for itself, and
    what the vendor sends meanwhile waits in the socket.
    """
    if database.dialect == "sqlite":
        await checkpoint()
        return function(*given, **named)
    return await run_sync(lambda: function(*given, **named))
