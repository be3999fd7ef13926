"""Webhooks out. An endpoint is a position in the log (``models.delivery``); everything follows from that.

- Pausing stops the reading, resuming goes on from the position, a replay is a second position that passes by, and pulling is the same reading by
  another.
- An event that is not taken is *parked*, with the later ones of its entity behind it, and the others go on. So a position always moves, and one bad
  event costs one row. Where the endpoint fails as a whole, nothing is parked: the circuit opens, the position stands, one trial at a time asks
  whether it is back.
- One process drains an endpoint at a time (a lease in its row). What became of many deliveries is written in one short transaction, after the
  fact: a process that is killed repeats the last moment (at least once), and the event's id, which is the message's id, tells the receiver so.
- A job (``deliver``) is only a bell that wakes the sender; without it the sender looks for itself every second.

Refused: one job or one row per delivery (20,000 changes to five endpoints would write 100,000 rows before the first is sent); a thread per endpoint;
httpx for the posts (redirects, cookies and environment proxies would have to be kept out of it, and a post alone costs it several times the CPU of a
whole delivery here, ``tests/bench/delivery.py``): ``target`` uses the connections beneath it, whose network backend may be given.
"""

from __future__ import annotations

from hub.jobs.base import Jobs

JOB = "deliver"


def ring(jobs: Jobs) -> None:
    """To be called after a commit that put events into the log; costs next to nothing, and many calls become one."""
    jobs.submit(JOB, "all", {})
