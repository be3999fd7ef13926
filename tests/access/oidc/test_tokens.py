"""ID tokens: only what the provider itself signed, for this hub and this log-in, proves anything."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jws import JWSRegistry

from hub.db import Database
from hub.models import User
from tests.access.conftest import Browser
from tests.access.oidc.issuer import CLIENT, Issuer, key, part, signed
from tests.access.oidc.stage import HERE, count, log_in, refused, why
from tests.api.conftest import Clock


def unsigned(claims: dict[str, Any]) -> str:
    return f"{part({'alg': 'none'})}.{part(claims)}."


def with_the_public_key(claims: dict[str, Any]) -> str:
    """The classic: HS256, with the text of the public key for a secret. Made by hand, for a good library refuses to."""
    said = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    seal = hmac.digest(key("one").as_pem(private=False), said.encode(), "sha256")
    return f"{said}.{urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def stripped(claims: dict[str, Any]) -> str:
    return signed(claims).rpartition(".")[0] + "."


def altered(claims: dict[str, Any]) -> str:
    head, _, signature = signed(claims).split(".")
    return f"{head}.{part({**claims, 'groups': ['pmo-admins']})}.{signature}"


def by_a_stranger(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key("stranger"), algorithms=["RS256"])


def with_its_own_key(claims: dict[str, Any]) -> str:
    header = {"alg": "RS256", "kid": "one", "jwk": key("stranger").as_dict(private=False)}
    return jwt.encode(header, claims, key("stranger"), algorithms=["RS256"], registry=ROOMY)


ROOMY = JWSRegistry(algorithms=["RS256"])
ROOMY.max_header_length = 2_000


@pytest.mark.parametrize(
    ("sign", "detail"),
    [
        (unsigned, "algorithm"),
        (with_the_public_key, "algorithm"),
        (stripped, "signature"),
        (altered, "signature"),
        (with_its_own_key, "signature"),
        (by_a_stranger, "signature"),
        (lambda claims: signed(claims, b64=True, crit=["b64"]), "header"),
        (lambda _claims: "not.a token", "form"),
        (lambda _claims: "a.b.c.d.e", "form"),
        (lambda claims: signed(claims) + "." + "x" * 200_000, "form"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_nothing(
    database: Database, visitor: Browser, issuer: Issuer, sign: Callable[[dict[str, Any]], str], detail: str
) -> None:
    issuer.sign = sign
    refused(database, visitor, log_in(visitor, issuer), 502)
    assert why(database) == ("token", detail)
    assert count(database, User) == 0


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": ["x"]}, "nonce"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"aud": [CLIENT], "azp": "another"}, "azp"),
        ({"iss": "https://evil.example.org"}, "iss"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": 7}, "sub"),
        ({"exp": 1}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": 10**11}, "iat"),
        ({"nbf": 10**11}, "nbf"),
        *(({name: None}, name) for name in ("nonce", "aud", "iss", "sub", "exp", "iat")),
    ],
)
def test_a_token_for_somebody_or_something_else_is_refused(
    database: Database, visitor: Browser, issuer: Issuer, claims: dict[str, Any], detail: str
) -> None:
    issuer.claims = claims
    refused(database, visitor, log_in(visitor, issuer), 502)
    assert why(database) == ("token", detail)
    assert count(database, User) == 0


def test_a_token_s_algorithm_must_be_one_that_the_provider_says_it_uses(database: Database, visitor: Browser, issuer: Issuer) -> None:
    issuer.metadata["id_token_signing_alg_values_supported"] = ["ES256", "HS256"]
    refused(database, visitor, log_in(visitor, issuer), 502)
    assert why(database) == ("token", "algorithm")


def test_clocks_may_differ_by_a_minute_and_no_more(app: FastAPI, issuer: Issuer, clock: Clock) -> None:
    at = int(clock.now.timestamp())
    issuer.claims = {"exp": at - 59, "iat": at + 60}
    assert log_in(Browser(app, HERE), issuer).status_code == 303
    issuer.claims = {"exp": at - 60}
    assert log_in(Browser(app, HERE), issuer).status_code == 502
