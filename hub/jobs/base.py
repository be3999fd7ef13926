"""The Jobs seam. It knows names and keys, never handlers' code: the composition roots hand it ``{name: function}``.

Promises, the same for every flavour: jobs of one key never overlap; a waiting key is coalesced; a submit during a run means one more run; at least
once, so handlers are idempotent; a handler's error is logged at this edge and does not stop other jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeAlias

Args: TypeAlias = Mapping[str, Any]
Handler: TypeAlias = Callable[[Args], None]


class Jobs(Protocol):
    def submit(self, name: str, key: str, args: Args, *, at: datetime | None = None, slot: str | None = None) -> bool:
        """Asks for a run of ``name`` under ``key``, now or not before ``at``. False: that key waits already, or ``slot`` was taken.

        ``slot`` names one firing of a clock (``sync:ID@2026-11-23T10:15``): however many clocks submit it, it runs once.
        """
        ...

    def start(self, handlers: Mapping[str, Handler]) -> None: ...

    def stop(self) -> None:
        """Takes no new jobs and waits for running ones to end."""
        ...
