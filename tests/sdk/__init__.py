"""The vendors' own Python SDKs (and one widely used third-party one), pointed at the sandbox: a second witness that it speaks the vendors' protocols.

Each lists all the tasks that it can; what it does not ask for is named in its test with the reason.
"""
