"""What a person may be shown while a run goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """``stage``: a word for what is being done. Slices grow as they are found."""

    connection: str
    stage: str
    tasks: int
    slices_done: int
    slices: int
