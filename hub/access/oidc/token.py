"""Is this ID token the provider's word, for this hub, on this very log-in? (OpenID Connect Core 1.0, section 3.1.3.7)

Only signatures that the provider alone can make: what is not signed, or signed with a secret (which might be the public key's own text), is nothing.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Any, Protocol

import orjson

from hub.access.oidc.refusal import Reason, Refused

KINDS = {f"{family}{bits}": kind for family, kind in (("RS", "RSA"), ("PS", "RSA"), ("ES", "EC")) for bits in (256, 384, 512)}
"""The algorithms that are taken, and the kind of key that each needs: one key's algorithm is never the token's to choose."""
LEEWAY = 60
"""Seconds by which two clocks may differ."""
SHORTEST_RSA = 256
"""Bytes of a modulus."""
LONGEST_SUBJECT = 255


class Keys(Protocol):
    def __call__(self, *, anew: bool = False) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must say. ``algorithms``: those that the provider says it uses; None: it says nothing."""

    issuer: str
    client_id: str
    algorithms: frozenset[str] | None
    nonce: str = field(repr=False)


def claims(token: str, keys: Keys, expected: Expected, now: datetime) -> dict[str, Any]:
    """What the token says, once it is proved. Raises Refused(TOKEN), its detail one or two words."""
    from joserfc import jws, jwt  # here: it takes a fifth of a second, which nobody needs who logs in by password
    from joserfc.errors import JoseError

    header = _header(token)
    algorithm = header.get("alg")
    if algorithm not in KINDS or (expected.algorithms is not None and algorithm not in expected.algorithms):
        raise Refused(Reason.TOKEN, "algorithm")
    if "crit" in header:  # demands that we understand something beyond; we do not
        raise Refused(Reason.TOKEN, "header")
    key = _key(header, algorithm, keys)
    try:
        found = jwt.decode(token, key, algorithms=[algorithm], registry=jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)).claims
    except (JoseError, ValueError):
        raise Refused(Reason.TOKEN, "signature") from None
    _judge(found, expected, now)
    return found


def _header(token: str) -> dict[str, Any]:
    parts = token.split(".")
    try:
        found = orjson.loads(_decoded(parts[0]))
    except (ValueError, NotBase64):
        found = None
    if len(parts) != 3 or not isinstance(found, dict):
        raise Refused(Reason.TOKEN, "form")
    return found


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _key(header: Mapping[str, Any], algorithm: str, keys: Keys) -> Any:
    """The one key that can have signed it. A name that is not known yet is looked for once more, for providers change their keys."""
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    fit = [each for each in keys() if _fits(each, header, algorithm)]
    if not fit:
        fit = [each for each in keys(anew=True) if _fits(each, header, algorithm)]
    if len(fit) != 1:
        raise Refused(Reason.TOKEN, "key")
    try:
        return import_key({name: value for name, value in fit[0].items() if name in ("kty", "n", "e", "crv", "x", "y")})
    except (JoseError, ValueError, TypeError, KeyError):
        raise Refused(Reason.TOKEN, "key") from None


def _fits(key: Mapping[str, Any], header: Mapping[str, Any], algorithm: str) -> bool:
    right = key.get("kty") == KINDS[algorithm] and key.get("use") in (None, "sig") and key.get("alg") in (None, algorithm)
    if not right or (header.get("kid") is not None and key.get("kid") != header["kid"]):
        return False
    try:
        return key["kty"] != "RSA" or len(_decoded(str(key.get("n"))).lstrip(b"\0")) >= SHORTEST_RSA
    except (ValueError, NotBase64):
        return False


def _judge(found: Mapping[str, Any], expected: Expected, now: datetime) -> None:
    from joserfc.errors import ClaimError
    from joserfc.jwt import JWTClaimsRegistry

    needed = {"exp": {}, "iat": {}, "sub": {}, "iss": {"value": expected.issuer}, "aud": {"value": expected.client_id}, "nonce": {}}
    registry = JWTClaimsRegistry(int(now.timestamp()), LEEWAY, **{name: {"essential": True, **more} for name, more in needed.items()})  # type: ignore[arg-type]  # literals, put together
    try:
        registry.validate(dict(found))
    except ClaimError as error:
        raise Refused(Reason.TOKEN, error.claim) from None
    if not isinstance(found["nonce"], str) or not compare_digest(found["nonce"].encode(), expected.nonce.encode()):
        raise Refused(Reason.TOKEN, "nonce")
    several = isinstance(found["aud"], list) and len(found["aud"]) > 1
    if (several or "azp" in found) and found.get("azp") != expected.client_id:
        raise Refused(Reason.TOKEN, "azp")
    if not 0 < len(found["sub"]) <= LONGEST_SUBJECT or not found["sub"].isprintable():
        raise Refused(Reason.TOKEN, "sub")
