"""What SQL says differently on the two databases about days, instants and the values of change rows."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Float, Integer, Uuid, case
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


def only(condition: ColumnElement[bool], value: Any) -> ColumnElement[Any]:
    """The value where the condition holds, else null: a cast of it then never meets what it cannot read. AND alone promises no order."""
    return case((condition, value))


class json_date(GenericFunction[date]):
    """The day that a change row's ``old`` or ``new`` holds; null where it holds null."""

    type = Date()
    inherit_cache = True


class json_uuid(GenericFunction[UUID]):
    """The id that a change row's ``old`` or ``new`` holds; null where it holds null."""

    type = Uuid()
    inherit_cache = True


class days_between(GenericFunction[int]):
    """Whole days from the second day to the first."""

    type = Integer()
    inherit_cache = True


class days_apart(GenericFunction[float]):
    """Days, with their fractions, from the second instant to the first."""

    type = Float()
    inherit_cache = True


@compiles(json_date, "sqlite")
def _date_sqlite(element: json_date, compiler: Any, **options: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **options)}, '$')"


@compiles(json_date, "postgresql")
def _date_postgresql(element: json_date, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} #>> '{{}}' AS DATE)"


@compiles(json_uuid, "sqlite")
def _uuid_sqlite(element: json_uuid, compiler: Any, **options: Any) -> str:
    return f"replace(json_extract({compiler.process(element.clauses, **options)}, '$'), '-', '')"


@compiles(json_uuid, "postgresql")
def _uuid_postgresql(element: json_uuid, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} #>> '{{}}' AS UUID)"


@compiles(days_between, "sqlite")
def _days_sqlite(element: days_between, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(each, **options) for each in element.clauses)
    return f"CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"


@compiles(days_between, "postgresql")
def _days_postgresql(element: days_between, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(each, **options) for each in element.clauses)
    return f"(CAST({later} AS DATE) - CAST({earlier} AS DATE))"


@compiles(days_apart, "sqlite")
def _apart_sqlite(element: days_apart, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(each, **options) for each in element.clauses)
    return f"(julianday({later}) - julianday({earlier}))"


@compiles(days_apart, "postgresql")
def _apart_postgresql(element: days_apart, compiler: Any, **options: Any) -> str:
    later, earlier = (compiler.process(each, **options) for each in element.clauses)
    return f"(EXTRACT(EPOCH FROM ({later} - {earlier})) / 86400.0)"
