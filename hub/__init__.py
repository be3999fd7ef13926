"""The hub: one portfolio over several teams' work tools. See README.md for use; each room's docstring says what lives in it."""

__version__ = "0.1.0"
