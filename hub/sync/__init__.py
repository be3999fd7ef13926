"""Pages become rows. One run reads one connection: ``engine.py`` starts and stops it, ``run.py`` drives it, ``reader.py`` fetches,
``write.py`` keeps a page, ``finish.py`` closes a pass.

A page, the ids seen on it, its change rows, its events and its cursor are one transaction. The network side is async, the database side is not: a
page is carried across in a worker thread, one at a time, while the next pages are being fetched.
"""
