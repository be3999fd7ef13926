"""Signatures after the Standard Webhooks specification (https://www.standardwebhooks.com): HMAC-SHA256 over ``id.timestamp.body``.

During a rotation a delivery carries two signatures, the new secret's first: a receiver that holds either one accepts it.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key(secret: str) -> bytes:
    """The bytes that a secret's text stands for."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def sign(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> list[tuple[bytes, bytes]]:
    """The three headers of one delivery. ``keys``: one, or two during a rotation."""
    stamp = b"%d" % int(at.timestamp())
    name = message_id.encode()
    signed = b"%b.%b.%b" % (name, stamp, body)
    signatures = b" ".join(b"v1," + base64.b64encode(hmac.digest(one, signed, "sha256")) for one in keys)
    return [(b"webhook-id", name), (b"webhook-timestamp", stamp), (b"webhook-signature", signatures)]
