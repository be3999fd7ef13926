"""Texts that people send, as far as every database can hold them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

NUL = "\x00"
"""The one character that PostgreSQL keeps in no text."""


def storable(text: str) -> str:
    """The text itself; raises ValueError for one that cannot be kept."""
    if NUL in text:
        raise ValueError("must not hold the character NUL")
    return text


Text = Annotated[str, Field(max_length=500), AfterValidator(storable)]
