"""Words of a vendor made fit for a log: without the credential, on one line, short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

LONGEST = 200
HIDDEN = "[redacted]"

_SECRET_WORDS = ("auth", "token", "key", "secret", "cookie", "password")
_WORD_FIELDS = ("error_message", "message", "err", "error_description", "error", "detail", "errors")


class Scrub:
    """Takes secrets and unprintable characters out of a text and cuts it. ``repr`` shows nothing of them."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {form for secret in secrets if len(secret) >= 4 for form in (secret, quote(secret, safe=""))}
        self._secrets = tuple(sorted(spellings, key=len, reverse=True))

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> Scrub:
        """Knows the values of all headers that authenticate: whole, and without the scheme (``Bearer``) before them."""
        values = [value for name, value in headers.items() if any(word in name.lower() for word in _SECRET_WORDS)]
        return cls([*values, *(value.rpartition(" ")[2] for value in values)])

    def also(self, secrets: Iterable[str]) -> Scrub:
        return Scrub([*self._secrets, *secrets])

    def __call__(self, text: str, longest: int = LONGEST) -> str:
        # Hidden before and after the cleaning: characters strewn into a token must not carry it through. Before the cut: no half is left at the edge.
        clean = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in self._hide(text))
        clean = self._hide(" ".join(clean.split()))
        return clean if len(clean) <= longest else clean[: longest - 1] + "…"

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def words_of(body: Any) -> str:
    """The sentence in an error body, wherever the usual places for it are; empty where there is none."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return words_of(body[0]) if body else ""
    if isinstance(body, dict):
        return next((words for name in _WORD_FIELDS if (words := words_of(body.get(name)))), "")
    return ""
