"""Pretend Asana, monday.com and ClickUp over one deterministic world, for the demo and the tests.

The rooms: ``things`` (what the world is made of), ``world`` (it all together), ``changes`` (what can happen to it), ``seed`` and ``seed_*`` (how it
begins), ``live`` (a day at the office), ``truth`` (what a hub must hold of it), ``meaning`` (what a status' name suggests); ``asana``, ``monday``,
``clickup`` (the vendors' own protocols); ``middleware``, ``control`` and ``server`` (log, faults, control desk, the port).

Decision: nothing here imports the hub or the connectors, not even for the rules that both must follow. A witness
that shares the defendant's notes proves nothing.
"""
