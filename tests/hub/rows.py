"""Rows for tests of the hub's lower rooms."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from hub.models import ApiKey


def api_key(*, created_at: datetime, prefix: str = "abcdefgh") -> ApiKey:
    return ApiKey(id=uuid4(), name="a program", prefix=prefix, hash=b"0" * 32, role="viewer", created_at=created_at)
