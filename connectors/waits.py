"""How long a vendor asks to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

LONGEST_SAID = 86_400.0
"""Seconds. No vendor's window is longer than a day; a larger figure is a defect and must not stop a connection for good."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds, from a figure or an HTTP date (measured on the vendor's clock where it tells it).

    A wait of nothing is made one second: to ask at once is to be refused again.
    """
    said = headers.get("Retry-After")
    if said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        until, its_now = _http_date(said), _http_date(headers.get("Date", "")) or now
        if until is None:
            return None
        seconds = (until - its_now).total_seconds()
    return min(seconds, LONGEST_SAID) if isfinite(seconds) and seconds > 0 else 1.0


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
