"""The read side: functions that take a session first and return plain rows, for the API, the pages and the reports alike.

A view costs a fixed number of statements, whatever its size. What is shown: rows of connections that were not removed; deleted rows and tasks that
the tool refuses now only where asked for.
"""
