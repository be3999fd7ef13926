"""Why a log-in by the provider came to nothing."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """As the audit log has it."""

    STATE = "state"
    CANCELLED = "cancelled"
    PROVIDER_ERROR = "provider_error"
    UNREACHABLE = "provider_unreachable"
    ANSWER = "provider_answer"
    CLIENT = "client_refused"
    CODE = "code_refused"
    TOKEN = "token"  # noqa: S105  the word for it, not one
    EMAIL = "email"
    ROLE = "no_role"
    TAKEN = "address_taken"
    DISABLED = "disabled"


class Refused(Exception):
    """``detail``: our own words on it, for the log; never the provider's, nor anything of a token."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason, self.detail = reason, detail
