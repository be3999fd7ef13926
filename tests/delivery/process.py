"""``python -m tests.delivery.process DATABASE_URL TICK``: a process that only delivers, to be killed."""

from __future__ import annotations

import sys
from threading import Event

from hub.db import Database
from hub.delivery.sender import Sender
from hub.vault import Vault
from tests.delivery.stage import HERE, KEY, now

if __name__ == "__main__":
    Sender(Database(sys.argv[1]), Vault([KEY]), HERE, now, tick=float(sys.argv[2])).start()
    Event().wait()
