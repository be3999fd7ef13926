"""``python -m tests.story.dies WHEN COUNT WORDS...``: the command ``hub WORDS``, killed (SIGKILL) by itself in the midst of its work.

WHEN is ``commit`` (the moment before a transaction's commit: its rows are written, none is kept) or a pattern (the moment before a statement that
begins like it); COUNT says at which time. The product knows nothing of this.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from hub.cli import run


def die_at(when: str, count: int) -> None:
    left = [count]

    def tick() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_commit(_connection: Any) -> None:
        tick()

    def on_statement(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if re.match(when, " ".join(statement.split())):
            tick()

    if when == "commit":
        event.listen(Engine, "commit", on_commit)
    else:
        event.listen(Engine, "before_cursor_execute", on_statement)


if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]))
    sys.exit(run(sys.argv[3:]))
