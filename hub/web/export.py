"""What is seen, as a file: the rows of the page's filter in the page's order, as CSV, JSON, XLSX, or as calendar entries where rows have dates."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import xlsxwriter
from fastapi import Response
from icalendar import Calendar, Event

MOST = 10_000
"""Rows in a file; a longer list is cut and the file's last row says so."""
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet takes a text that begins so for a formula; a task's title may come from anybody. The last four are their wide forms."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """``of``: the value in a row: a number, a day, an instant or a text."""

    title: str
    of: Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to be sent. ``said``: the answer's meta; ``cut``: there were more rows than a file holds."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    said: Mapping[str, Any]
    cut: bool = False


def send(sheet: Sheet, form: str) -> Response:
    """The file; ``form`` is csv, json, xlsx or ics."""
    made, media = WRITERS[form]
    headers = {"Content-Disposition": f'attachment; filename="{sheet.name}.{form}"', "Cache-Control": "no-store"}
    return Response(made(sheet), media_type=media, headers=headers)


def harmless(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ").startswith(RISKY):
        return f"'{value}"
    return value


def _csv(sheet: Sheet) -> bytes:
    out = io.StringIO()
    write = csv.writer(out).writerow
    write([column.title for column in sheet.columns])
    for row in sheet.rows:
        write([harmless(_plain(column.of(row))) for column in sheet.columns])
    if sheet.cut:
        write([f"only the first {MOST} rows are here: narrow the filters"])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return "" if value is None else value


def _json(sheet: Sheet) -> bytes:
    rows = [{column.title: column.of(row) for column in sheet.columns} for row in sheet.rows]
    return orjson.dumps({"data": rows, "meta": {**sheet.said, "cut": sheet.cut}})


def _xlsx(sheet: Sheet) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True})
    page, bold = book.add_worksheet(sheet.name[:31]), book.add_format({"bold": True})
    days, instants = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for place, column in enumerate(sheet.columns):
        page.write_string(0, place, column.title, bold)
        for line, row in enumerate(sheet.rows, 1):
            value = column.of(row)
            if isinstance(value, datetime):
                page.write_datetime(line, place, value, instants)
            elif isinstance(value, date):
                page.write_datetime(line, place, value, days)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                page.write_number(line, place, value)
            elif value is not None:
                page.write_string(line, place, str(value)[:32_767])
    page.freeze_panes(1, 0)
    if sheet.cut:
        page.write_string(len(sheet.rows) + 1, 0, f"only the first {MOST} rows are here: narrow the filters")
    book.close()
    return out.getvalue()


def _ics(sheet: Sheet) -> bytes:
    """Rows with a day, each as an entry of its days."""
    calendar = Calendar()
    calendar.add("prodid", "-//hub//portfolio//EN")
    calendar.add("version", "2.0")
    stamp = sheet.said["data_as_of"]
    for row in sheet.rows:
        days = [row[name] for name in ("start_on", "due_on") if row.get(name) is not None]
        if not days:
            continue
        entry = Event()
        entry.add("uid", f"{row['id']}@hub")
        entry.add("summary", row.get("title") or row.get("name") or "(no title)")
        entry.add("dtstart", min(days))
        entry.add("dtend", max(days) + timedelta(days=1))
        entry.add("dtstamp", stamp or datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
        calendar.add_component(entry)
    return bytes(calendar.to_ical())


WRITERS: Mapping[str, tuple[Callable[[Sheet], bytes], str]] = {
    "csv": (_csv, "text/csv; charset=utf-8"),
    "json": (_json, "application/json"),
    "xlsx": (_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "ics": (_ics, "text/calendar; charset=utf-8"),
}
