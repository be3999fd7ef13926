"""Secrets at rest: AES-256-GCM, each ciphertext bound to the row and field it belongs to, prefixed with the id of its key so that keys can rotate.

Keys come from ``HUB_SECRET_KEYS`` (first = current; the others still open old rows) or from a key file beside the SQLite database, made on first
start with mode 0600, one key a line in the same order. A key that is put into the file takes effect in every running process at once: the file is
looked at again before something is sealed and when a key is missing. Sealed rows without their key are an error with the way out, never a reason to
make a new key.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 4
VERSION = b"\x01"
PREFIX_BYTES = len(VERSION) + KEY_ID_BYTES
"""What a ciphertext begins with: it names the key."""


class VaultError(Exception):
    """A secret cannot be sealed or opened; the message says what to do."""


class Vault:
    """Seals and opens. ``keys``: raw 32-byte keys, the first one seals. ``again``: gives the keys anew where their source has changed since it was
    last read, else None."""

    def __init__(self, keys: list[bytes], again: Callable[[], list[bytes] | None] = lambda: None) -> None:
        self._again = again
        self._keys: dict[bytes, AESGCM] = {}
        self._take(keys)

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def _take(self, keys: list[bytes]) -> None:
        if not keys:
            raise VaultError("no secret key: set HUB_SECRET_KEYS")
        self._keys = self._keys | {_key_id(key): AESGCM(key) for key in reversed(keys)}
        self._current = _key_id(keys[0])

    def look_again(self) -> None:
        """Keys only come to it while a process lives: what another thread is about to open stays open."""
        if (keys := self._again()) is not None:
            self._take(keys)

    def seal(self, secret: str, *, bound_to: str) -> bytes:
        """``bound_to`` names the row and field, such as ``connection:ID:secret``; the ciphertext opens nowhere else."""
        self.look_again()
        current, nonce = self._current, os.urandom(NONCE_BYTES)
        return VERSION + current + nonce + self._keys[current].encrypt(nonce, secret.encode(), bound_to.encode())

    def open(self, sealed: bytes, *, bound_to: str) -> str:
        """Raises VaultError where no key fits or the ciphertext belongs elsewhere."""
        if not self.knows(sealed):
            raise VaultError("a stored secret was sealed with a key that is not at hand: put that key (back) into HUB_SECRET_KEYS or its key file")
        key, rest = self._keys[sealed[len(VERSION) : PREFIX_BYTES]], sealed[PREFIX_BYTES:]
        try:
            return key.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], bound_to.encode()).decode()
        except InvalidTag as error:
            raise VaultError("a stored secret does not belong to its row: the database was altered; set the credential anew") from error

    def knows(self, sealed: bytes) -> bool:
        """Whether the key of a ciphertext (or of its first bytes) is at hand."""
        key_id = sealed[len(VERSION) : PREFIX_BYTES]
        if sealed[: len(VERSION)] == VERSION and key_id not in self._keys:
            self.look_again()
        return sealed[: len(VERSION)] == VERSION and key_id in self._keys

    def seals_like(self, sealed: bytes) -> bool:
        """Whether a ciphertext (or its first bytes) comes from the key that seals now."""
        return sealed[:PREFIX_BYTES] == VERSION + self._current


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"hub key id" + key).digest()[:KEY_ID_BYTES]


def key_file(settings: Settings) -> Path | None:
    """The key file beside the SQLite database; None on PostgreSQL."""
    path = settings.sqlite_path
    return None if path is None else path.with_name(path.name + ".key")


def open_vault(settings: Settings, *, sealed_rows: bool) -> Vault:
    """The vault of this installation. ``sealed_rows``: whether the database already holds secrets; then a missing key is an error."""
    if settings.secret_keys:
        return Vault([_decode(text, "HUB_SECRET_KEYS") for text in settings.secret_keys])
    path = key_file(settings)
    if path is None:
        what = "set it to the key that the stored secrets were sealed with" if sealed_rows else "make one with: openssl rand -base64 32"
        raise VaultError(f"HUB_SECRET_KEYS is not set: {what}")
    if path.exists():
        return _from_file(path)
    if sealed_rows:
        raise VaultError(f"stored secrets cannot be opened: restore the key file {path} or set HUB_SECRET_KEYS to the key it held")
    _make_key_file(path)
    return _from_file(path)


def _from_file(path: Path) -> Vault:
    stamp = _stamp(path)

    def again() -> list[bytes] | None:
        nonlocal stamp
        if (found := _stamp(path)) == stamp:
            return None
        keys, stamp = _read(path), found
        return keys

    return Vault(_read(path), again)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise VaultError(f"the key file {path} cannot be read ({error.strerror}): put it back") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> list[bytes]:
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"the key file {path} cannot be read ({type(error).__name__}): it holds keys, one a line") from error
    if not lines:
        raise VaultError(f"the key file {path} is empty: restore it from a backup; a new key would open nothing that is stored")
    return [_decode(line, str(path)) for line in lines]


def add_key(settings: Settings) -> Path:
    """Makes a key and puts it first in the key file, whose other keys go on opening what they sealed. Raises VaultError where keys come from the
    settings, where there is no file yet, and where another process is at it."""
    path = key_file(settings)
    if settings.secret_keys or path is None:
        raise VaultError("the keys come from HUB_SECRET_KEYS: make one with: openssl rand -base64 32, and put it there before the others")
    if not path.exists():
        raise VaultError(f"there is no key file {path} yet: nothing is to be rotated")
    new = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise VaultError(f"a new key is being made by another process, or that was interrupted: if none is at it, delete {new}") from error
    except OSError as error:
        raise VaultError(f"cannot write {new} ({error.strerror}): make its folder writable") from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("\n".join([new_key(), *path.read_text(encoding="ascii").split()]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return path


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def _make_key_file(path: Path) -> None:
    """Whole or not at all: another process must never read half a key."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
        os.link(new, path)
    except FileExistsError:  # another process was first, and its key counts
        return
    except OSError as error:
        raise VaultError(f"cannot make the key file {path} ({error.strerror}): make its folder writable or set HUB_SECRET_KEYS") from error
    finally:
        new.unlink(missing_ok=True)


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except ValueError as error:
        raise VaultError(f"{where} holds something that is not a key: each key is {KEY_BYTES} bytes in base64") from error
    if len(key) != KEY_BYTES:
        raise VaultError(f"{where} holds a key of {len(key)} bytes: each key is {KEY_BYTES} bytes in base64")
    return key
