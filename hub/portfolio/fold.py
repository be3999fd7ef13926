"""Whether a text holds another, whatever the case, beyond ASCII too (``hub.db.fold``)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import String

from hub.db import fold


class _Place(GenericFunction[Any]):
    """Where the second text begins in the first; 0 where it does not occur."""

    name = "instr"
    inherit_cache = True


@compiles(_Place, "postgresql")
def _strpos(element: _Place, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def holds(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a column contains a text, whatever its case; no character of the text is a wildcard."""
    found: ColumnElement[bool] = _Place(fold(column), fold(literal(text, String()))) > 0
    return found
