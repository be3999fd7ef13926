"""What can go wrong at a vendor, sorted by who must act.

A person: ``AuthFailed`` (the whole connection), ``Refused`` (one container or object; the others go on). Time: ``Transient``, ``RateLimited``.
Us: ``BadResponse`` (the vendor's answer is not what its specification says, or our question was wrong). Nobody: ``NotFound`` (gone).
The engine: ``CursorExpired`` (read that slice again from its start).

Messages never hold a token, a header or a body longer than a line.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of all; ``code`` is the vendor's own error code where it gives one."""

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class AuthFailed(ConnectorError):
    """The credential is missing, wrong, expired or revoked: never retried."""


class Refused(ConnectorError):
    """The credential may not read this one thing, or the plan lacks it (402, 403)."""


class Transient(ConnectorError):
    """A fault that time may heal; raised after the bounded retries are used up."""


class RateLimited(Transient):
    """The vendor asks to wait ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: float, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message, code=code, status=status)
        self.retry_after = retry_after


class BadResponse(ConnectorError):
    """An answer that cannot be understood, or a request that the vendor calls malformed."""


class NotFound(ConnectorError):
    """The object does not exist (any more)."""


class CursorExpired(ConnectorError):
    """The position in a list is no longer valid."""
