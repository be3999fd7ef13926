"""``fold(text)`` in SQL: text made ready for a comparison that ignores case, beyond ASCII too.

SQLite's own lower() knows ASCII only; ``hub.db`` gives its connections a function ``fold``. PostgreSQL's lower() follows the database's locale.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import String


class fold(GenericFunction[str]):
    type = String()
    inherit_cache = True


@compiles(fold, "postgresql")
def _lower(element: fold, compiler: Any, **options: Any) -> str:
    return f"lower({compiler.process(element.clauses, **options)})"


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
