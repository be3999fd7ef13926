"""From when on a poll asks for what changed: arithmetic on the vendor's own instants alone, never on our clock. Pure functions.

Marks are ``{"from": instant}``. The newest change seen says how far the vendor has told; as its index trails the truth by 10 to 60 seconds, and
longer in bad hours, a poll begins ``OVERLAP`` before that. Once the vendor's clock is ``SETTLED`` past it nothing can come in late any more: then a
poll begins behind the change itself, so that a quiet workspace does not read its last busy minutes again for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.asana.client import Raw
from connectors.asana.windows import MILLISECOND, instant, spoken

OVERLAP: Final = timedelta(minutes=5)
SETTLED: Final = timedelta(minutes=20)
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before the vendor was: where there is no task at all, whatever comes is new."""


def newest(rows: Sequence[Raw]) -> datetime | None:
    """The latest change among the rows."""
    return max((instant(row, "modified_at") for row in rows), default=None)


def from_newest(last: datetime | None, date: datetime | None) -> str:
    """Where the next poll begins; ``date``: the vendor's clock as of the read."""
    if last is None:
        return spoken(BEGINNING)
    return spoken(last + MILLISECOND if date is not None and date - last >= SETTLED else last - OVERLAP)


def moved(since: str, last: datetime | None, date: datetime | None) -> str:
    """The same after a poll that began at ``since``: never back."""
    return since if last is None else max(since, from_newest(last, date))
