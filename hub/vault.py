"""Secrets at rest: AES-256-GCM, each ciphertext bound to the row and field it belongs to, prefixed with the id of its key so that keys can rotate.

Keys come from ``HUB_SECRET_KEYS`` (first = current; the others still open old rows) or from a key file beside the SQLite database, made on first
start with mode 0600. Sealed rows without their key are an error with the way out, never a reason to make a new key.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 4
VERSION = b"\x01"


class VaultError(Exception):
    """A secret cannot be sealed or opened; the message says what to do."""


class Vault:
    """Seals and opens. ``keys``: raw 32-byte keys, the first one seals."""

    def __init__(self, keys: list[bytes]) -> None:
        if not keys:
            raise VaultError("no secret key: set HUB_SECRET_KEYS")
        self._keys = {_key_id(key): AESGCM(key) for key in reversed(keys)}
        self._current = _key_id(keys[0])

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, secret: str, *, bound_to: str) -> bytes:
        """``bound_to`` names the row and field, such as ``connection:ID:secret``; the ciphertext opens nowhere else."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + self._current + nonce + self._keys[self._current].encrypt(nonce, secret.encode(), bound_to.encode())

    def open(self, sealed: bytes, *, bound_to: str) -> str:
        """Raises VaultError where no key fits or the ciphertext belongs elsewhere."""
        key_id, rest = sealed[1 : 1 + KEY_ID_BYTES], sealed[1 + KEY_ID_BYTES :]
        if sealed[:1] != VERSION or key_id not in self._keys:
            raise VaultError("a stored secret was sealed with a key that is not at hand: put that key (back) into HUB_SECRET_KEYS or its key file")
        try:
            return self._keys[key_id].decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], bound_to.encode()).decode()
        except InvalidTag as error:
            raise VaultError("a stored secret does not belong to its row: the database was altered; set the credential anew") from error


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
        return Vault([_decode(path.read_text(encoding="ascii").strip(), str(path))])
    if sealed_rows:
        raise VaultError(f"stored secrets cannot be opened: restore the key file {path} or set HUB_SECRET_KEYS to the key it held")
    return Vault([_decode(_make_key_file(path), str(path))])


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def _make_key_file(path: Path) -> str:
    text = new_key()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise VaultError(f"cannot make the key file {path} ({error.strerror}): make its folder writable or set HUB_SECRET_KEYS") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
    return text


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except ValueError as error:
        raise VaultError(f"{where} holds something that is not a key: each key is {KEY_BYTES} bytes in base64") from error
    if len(key) != KEY_BYTES:
        raise VaultError(f"{where} holds a key of {len(key)} bytes: each key is {KEY_BYTES} bytes in base64")
    return key
