"""``query_params``: which of a board's items a page is about, and in which order (fact sheet, section 7).

Rules compare what the columns' typed values say. ``__last_updated__`` and ``__creation_log__`` need no column; they
trail the truth by the lag that the knobs set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hub.sandbox.monday.account import Account
from hub.sandbox.monday.columns import Column
from hub.sandbox.monday.errors import Failure
from hub.sandbox.monday.values import values_of
from hub.sandbox.world import Project, Task

Params = Mapping[str, Any]
MAX_IDS = 100
LOGS = {"__last_updated__": "updated_at", "last_updated": "updated_at", "__creation_log__": "created_at", "creation_log": "created_at"}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "greater_than": lambda left, right: bool(left > right),
    "greater_than_or_equals": lambda left, right: bool(left >= right),
    "lower_than": lambda left, right: bool(left < right),
    "lower_than_or_equal": lambda left, right: bool(left <= right),
}


def chosen(account: Account, board: Project, tasks: list[Task], params: Params) -> list[Task]:
    """The tasks that ``params`` let through, ordered where they ask for it. Raises Failure for what the vendor would not understand."""
    ids = params.get("ids")
    if ids is not None:
        if len(ids) > MAX_IDS:
            raise Failure(f"query_params.ids may hold {MAX_IDS} at most", "InvalidArgumentException", status=400)
        tasks = [task for task in tasks if task.id in ids]
    sieve = Sieve(account, board)
    passes = sieve.group(params)
    tasks = [task for task in tasks if passes(task)]
    for order in reversed(params.get("order_by") or []):
        tasks.sort(key=sieve.sort_key(order["column_id"]), reverse=order.get("direction") == "desc")
    return tasks


Test = Callable[[Task], bool]


class Sieve:
    """Turns the rules for one board into tests of a task."""

    def __init__(self, account: Account, board: Project) -> None:
        self.account = account
        self.columns = {column.id: column for column in account.columns(board)}

    def group(self, params: Params) -> Test:
        tests = [self.rule(rule) for rule in params.get("rules") or ()]
        tests += [self.group(inner) for inner in params.get("groups") or ()]
        if not tests:
            return lambda task: True
        if params.get("operator") == "or":
            return lambda task: any(test(task) for test in tests)
        return lambda task: all(test(task) for test in tests)

    def rule(self, rule: Params) -> Test:
        log = self._log(rule["column_id"])
        if log is not None:
            return self._log_rule(log, rule)
        column = self._column(rule["column_id"])
        operator = rule.get("operator") or "any_of"
        given = rule["compare_value"] if isinstance(rule["compare_value"], list) else [rule["compare_value"]]
        if operator in ("any_of", "not_any_of"):
            wanted = {self._word(value) for value in given}
            return lambda task: bool(self._said(task, column) & wanted) is (operator == "any_of")
        if operator in ("is_empty", "is_not_empty"):
            return lambda task: (not self._said(task, column)) is (operator == "is_empty")
        if operator in ("contains_text", "contains_terms", "not_contains_text"):
            part = str(given[0]).casefold()
            return lambda task: (part in self._text(task, column).casefold()) is (operator != "not_contains_text")
        if operator in COMPARISONS:
            return self._comparison(column, COMPARISONS[operator], given)
        raise Failure(f"operator {operator} is not supported for column type {column.type}", "InvalidArgumentException", status=400)

    def _comparison(self, column: Column, compare: Callable[[Any, Any], bool], given: list[Any]) -> Test:
        if column.type == "numbers":
            bound: Any = float(given[-1])
            field = "number"
        elif column.type == "date":
            bound, field = str(given[-1]), "date"
        else:
            raise Failure(f"column type {column.type} cannot be compared", "InvalidArgumentException", status=400)

        def test(task: Task) -> bool:
            value = values_of(self.account, task)[column.id][field]
            return value is not None and compare(value, bound)

        return test

    def _log(self, column_id: str) -> str | None:
        """The item's own field that a log column (or the pseudo column) tells of."""
        column = self.columns.get(column_id)
        return LOGS.get(column.type if column else column_id)

    def _log_rule(self, field: str, rule: Params) -> Test:
        """Always with ``compare_attribute: "UPDATED_AT"``."""
        operator, given = rule.get("operator") or "any_of", rule["compare_value"]
        if rule.get("compare_attribute") != "UPDATED_AT" or not isinstance(given, list) or not given:
            raise Failure('a rule on a log column needs compare_attribute "UPDATED_AT" and a list', "InvalidArgumentException", status=400)
        caught_up = self.account.lagging()
        if operator in ("any_of", "not_any_of"):
            spans = [self._span(str(word)) for word in given]
            return lambda task: any(start <= self._moment(task, field) < end for start, end in spans) is (operator == "any_of")
        if operator not in COMPARISONS or given[0] != "EXACT" or len(given) != 2:
            raise Failure(f"operator {operator} with {given} is not supported on a log column", "InvalidArgumentException", status=400)
        compare, bound = COMPARISONS[operator], _instant(str(given[1]))
        return lambda task: self._moment(task, field) <= caught_up and compare(self._moment(task, field), bound)

    def _span(self, word: str) -> tuple[datetime, datetime]:
        today = self.account.world.now.astimezone(UTC).date()
        monday = today - timedelta(days=today.weekday())
        first = today.replace(day=1)
        before = (first - timedelta(days=1)).replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        day, week = timedelta(days=1), timedelta(days=7)
        spans = {
            "TODAY": (today, today + day),
            "YESTERDAY": (today - day, today),
            "THIS_WEEK": (monday, monday + week),
            "LAST_WEEK": (monday - week, monday),
            "THIS_MONTH": (first, after),
            "LAST_MONTH": (before, first),
        }
        if word not in spans:
            raise Failure(f"{word} is not a period", "InvalidArgumentException", status=400)
        start, end = spans[word]
        return _midnight(start), _midnight(end)

    @staticmethod
    def _moment(task: Task, field: str) -> datetime:
        moment: datetime | None = getattr(task, field)
        return moment or datetime.min.replace(tzinfo=UTC)

    def _column(self, column_id: str) -> Column:
        if column_id not in self.columns:
            raise Failure(f"Column not found: {column_id}", "InvalidColumnIdException", status=400)
        return self.columns[column_id]

    def _word(self, value: Any) -> str:
        return f"person-{self.account.me.id}" if value == "assigned_to_me" else str(value)

    def _said(self, task: Task, column: Column) -> set[str]:
        """The words that ``any_of`` knows the column's content by: label ids, ``person-1`` and ``team-2``, dates, the text itself."""
        if column.type == "name":
            return {task.title}
        value = values_of(self.account, task)[column.id]
        by_type: dict[str, Callable[[], set[str]]] = {
            "StatusValue": lambda: set() if value["index"] is None else {str(value["index"])},
            "DropdownValue": lambda: {row["id"] for row in value["values"]},
            "PeopleValue": lambda: {f"{row['kind']}-{row['id']}" for row in value["persons_and_teams"]},
            "DateValue": lambda: set() if value["date"] is None else {value["date"]},
        }
        say = by_type.get(value["__typename"])
        return say() if say else {value["text"]} if value["text"] else set()

    def _text(self, task: Task, column: Column) -> str:
        return task.title if column.type == "name" else values_of(self.account, task)[column.id]["text"] or ""

    def sort_key(self, column_id: str) -> Callable[[Task], Any]:
        log = self._log(column_id)
        if log is not None:
            return lambda task: self._moment(task, log)
        column = self._column(column_id)
        return lambda task: self._text(task, column)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Failure(f"{text} is not a date", "InvalidArgumentException", status=400) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
