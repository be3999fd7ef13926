"""How results are written on stdout: aligned columns for people, one JSON line for programs."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson


def line(text: str) -> None:
    sys.stdout.write(text + "\n")


def json(value: Any) -> None:
    """One line of JSON; instants end with Z."""
    line(orjson.dumps(value, option=orjson.OPT_UTC_Z, default=str).decode())


def columns(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Left-aligned columns, two spaces apart; the last one takes what it needs."""
    table = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads))]
    for row in table:
        line("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def facts(values: Mapping[str, Any]) -> None:
    """``name: value`` lines; those without a value are left out."""
    for name, value in values.items():
        if value not in (None, "", [], ()):
            line(f"  {name}: {_cell(value)}")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M:%S}Z" if isinstance(value, datetime) else " ".join(str(value).split())


def word(name: str) -> str:
    """A name as one word of a command to copy: in quotes where a shell would take it apart."""
    return name if re.fullmatch(r"[\w.@:+-]+", name) else shlex.quote(name)
