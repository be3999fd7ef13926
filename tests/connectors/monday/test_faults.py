"""Every spelling of an error means who must act, and how long to wait."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import AuthFailed, BadResponse, CursorExpired, NotFound, RateLimited, Refused, Transient
from connectors.monday import MondayConnector

classify = MondayConnector.classify


def coded(code: str, message: str = "words", **more: Any) -> dict[str, Any]:
    return {"data": None, "errors": [{"message": message, "extensions": {"code": code, **more}}]}


FLAT = {
    "error_code": "ComplexityException", "status_code": 429, "error_data": {}, "account_id": 1,
    "error_message": "Complexity budget exhausted, query cost 222080 budget remaining 747 out of 10000000 reset in 16 seconds",
    "errors": ["Complexity budget exhausted, query cost 222080 budget remaining 747 out of 10000000 reset in 16 seconds"],
}  # fmt: skip
FIELD = {
    "error_message": "Concurrency limit exceeded for the field",
    "error_code": "FIELD_LIMIT_EXCEEDED",
    "error_data": {"retry_in_seconds": 15},
    "status_code": 429,
}


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {}, coded("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=7), 7),
        (200, {}, coded("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=0), 1),
        (200, {}, FLAT, 16),
        (200, {}, {"error_code": "complexityBudgetExhausted", "error_message": "Complexity budget exhausted"}, 60),
        (429, {"Retry-After": "99"}, FIELD, 15),
        (200, {}, coded("FIELD_LIMIT_EXCEEDED", error_data={"retry_in_seconds": 4}), 4),
        (429, {"retry-after": "12"}, {"error_message": "Minute limit rate exceeded"}, 12),
        (429, {"Retry-After": "12"}, {"errors": ["Rate Limit Exceeded"]}, 12),
        (429, {}, coded("maxConcurrencyExceeded", "Concurrency limit exceeded"), 60),
        (429, {}, coded("IP_RATE_LIMIT_EXCEEDED", retry_in_seconds=3), 3),
        (429, {"Retry-After": "5"}, None, 5),
        (200, {"Date": "Mon, 04 May 2026 22:30:00 GMT"}, coded("DAILY_LIMIT_EXCEEDED"), 5_400),
        (429, {"date": "Mon, 04 May 2026 00:00:00 GMT", "Retry-After": "60"}, coded("DAILY_LIMIT_EXCEEDED", retry_in_seconds=60), 86_400),
    ],
)
def test_a_limit_is_waited_out_exactly(status: int, headers: dict[str, str], body: Any, seconds: float) -> None:
    error = classify(status, headers, body)
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


def test_the_daily_limit_without_a_date_still_waits_for_midnight() -> None:
    error = classify(200, {"Date": "yesterday"}, coded("DAILY_LIMIT_EXCEEDED"))
    assert isinstance(error, RateLimited)
    assert 1 <= error.retry_after <= 86_400


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"errors": ["Not Authenticated"]}, AuthFailed),
        (401, {"error_message": "Not Authenticated"}, AuthFailed),
        (401, {"errors": [{"message": "Your ip is restricted"}]}, AuthFailed),
        (401, None, AuthFailed),
        (200, {"errors": ["Not Authenticated"]}, AuthFailed),
        (403, coded("USER_ACCESS_DENIED"), AuthFailed),
        (403, coded("missingRequiredPermissions"), Refused),
        (200, coded("UserUnauthorizedException"), Refused),
        (200, coded("USER_UNAUTHORIZED"), Refused),
        (403, {"error_message": "No"}, Refused),
        (200, coded("CursorException", "CursorExpiredError: The cursor provided for pagination has expired."), CursorExpired),
        (200, {"error_code": "CursorException", "error_message": "expired"}, CursorExpired),
        (200, coded("InvalidBoardIdException"), NotFound),
        (404, coded("ResourceNotFoundException"), NotFound),
        (200, coded("undefinedField"), BadResponse),
        (400, coded("GRAPHQL_VALIDATION_FAILED"), BadResponse),
        (200, coded("ComplexityException", maxComplexity=5_000_000, complexity=6_000_000), BadResponse),
        (200, coded("INTERNAL_SERVER_ERROR"), Transient),
        (500, coded("INTERNAL_SERVER_ERROR"), Transient),
        (423, {"error_message": "locked"}, Transient),
    ],
)
def test_an_error_is_sorted_by_who_must_act(status: int, body: Any, kind: type) -> None:
    assert type(classify(status, {}, body)) is kind


def test_a_query_above_the_cap_is_not_a_wait() -> None:
    error = classify(429, {}, coded("COMPLEXITY_BUDGET_EXHAUSTED", maxComplexity=5_000_000))
    assert not isinstance(error, Transient)


@pytest.mark.parametrize("code", ["USER_UNAUTHORIZED", "INTERNAL_SERVER_ERROR", "InvalidBoardIdException"])
def test_an_error_beside_data_belongs_to_its_field_and_fails_nothing_else(code: str) -> None:
    body = {"data": {"boards": [{"id": "1"}, None]}, "errors": [{"message": "no", "path": ["boards", 1], "extensions": {"code": code}}]}
    assert classify(200, {}, body) is None


@pytest.mark.parametrize("code", ["COMPLEXITY_BUDGET_EXHAUSTED", "FIELD_LIMIT_EXCEEDED", "CursorException"])
def test_a_limit_or_a_dead_cursor_beside_data_counts_for_the_whole_request(code: str) -> None:
    body = {"data": {"n0": {"items": []}, "n1": None}, "errors": [{"message": "no", "path": ["n1"], "extensions": {"code": code}}]}
    assert isinstance(classify(200, {}, body), (RateLimited, CursorExpired))


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_page_of_html_is_left_to_the_general_reading(status: int) -> None:
    assert classify(status, {}, None) is None


def test_a_good_answer_is_no_error() -> None:
    assert classify(200, {}, {"data": {"boards": []}, "extensions": {"request_id": "r"}}) is None
