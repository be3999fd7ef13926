"""Passwords: what is a good one, and argon2id. No rules of composition, which only make passwords that are written down; length, and none of those
that attackers try first (NIST SP 800-63B, section 5.1.1)."""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import pairwise
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

SHORTEST, LONGEST = 12, 1_000
HASHER = PasswordHasher()
"""The library's parameters are RFC 9106's second recommendation (64 MiB, 3 passes)."""
AT_ONCE = BoundedSemaphore(2)
"""Each takes 64 MiB: a crowd of strangers at the log-in page must wait, not fill the memory."""
COMMON = frozenset(
    """
    password1234 password12345 password123456 passwordpassword password1password 123456789012 1234567890123 12345678901234
    123456789123 111111111111 000000000000 qwertyuiop12 qwertyuiop123 qwertyuiop[] qwertyuiop1234 qwertyqwerty qwerty123456
    qwerty1234567 1q2w3e4r5t6y 1qaz2wsx3edc 1qaz2wsx3edc4rfv q1w2e3r4t5y6 zaq12wsxcde3 abcdefghijkl abcd1234abcd abc123abc123
    iloveyou1234 iloveyouforever welcome12345 welcome123456 letmein12345 letmeinletmein administrator admin1234567 admin12345678
    adminadminadmin changeme1234 changemechangeme changemenow123 trustno1trustno1 correcthorsebatterystaple dragondragon monkeymonkey
    sunshine1234 princess1234 football1234 baseball1234 superman1234 mustang12345 master123456 michael12345 asdfghjkl123 asdfasdfasdf
    asdfghjkl;'# zxcvbnmasdfg thisisapassword mypassword123 mypassword1234 secretsecret secret123456 p@ssw0rd1234 passw0rd1234
    summer202020 winter202020 companyname1 projectmanager portfolio123 harbourmaster
    """.split()  # noqa: SIM905  a list of a hundred quoted words would be nobody's gain
)


class WeakPassword(ValueError):
    """The password will not do; the message says why."""


def _check(password: str, *known: str) -> None:
    """Whether it will do for somebody of whom these words (name, e-mail) are known."""
    if len(password) < SHORTEST:
        raise WeakPassword(f"A password needs at least {SHORTEST} characters; a few words in a row are easy to remember.")
    if len(password) > LONGEST:
        raise WeakPassword(f"A password may have at most {LONGEST} characters.")
    folded = _normal(password).casefold()
    if folded in COMMON or len(set(folded)) < 5 or _is_run(folded):
        raise WeakPassword("This password is one of the first that anybody would try. Take a few words that do not belong together.")
    if any(len(word) > 3 and len(folded) - len(word) < 6 and word in folded for word in _words(known)):
        raise WeakPassword("This password is little more than your own name or address. Take a few words that do not belong together.")


def _words(known: tuple[str, ...]) -> set[str]:
    whole = {_normal(each).casefold() for each in known}
    return whole | {each.partition("@")[0] for each in whole}


def _is_run(text: str) -> bool:
    """Neighbouring characters all the way, such as 123456789012 or lkjihgfedcba."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1})


def made(password: str, *known: str) -> str:
    """The hash to keep. Slow on purpose: not for within a transaction. Raises WeakPassword."""
    _check(password, *known)
    with AT_ONCE:
        return HASHER.hash(_normal(password))


def matches(held: str | None, password: str) -> bool:
    """Whether it is this password. Nobody's password (``held`` None) takes as long to refuse as somebody's."""
    with AT_ONCE:
        try:
            return HASHER.verify(held or _nobodys(), _normal(password[: LONGEST + 1])) and held is not None
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


@cache
def _nobodys() -> str:
    return HASHER.hash("the password of nobody, which no one is let in with")


def _normal(text: str) -> str:
    """The same password, however a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", text)
