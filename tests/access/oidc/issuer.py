"""A log-in provider of our own, for what a decent one never does. Until a test says otherwise it is stricter than most: client, redirect address,
PKCE and code are checked to the letter."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "hub-client", "c4nary: the client's +secret"
REDIRECT = "http://127.0.0.1:8000/login/oidc/callback"
ADA = {"sub": "ada-1", "email": "Ada@Example.org", "email_verified": True, "name": "Ada L.", "groups": ["pmo", "staff"]}
Answer = tuple[int, dict[str, str], bytes]


@cache
def key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"}, private=True)


def signed(claims: dict[str, Any], by: str = "one", **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": by, **header}, claims, key(by), algorithms=["RS256"])


def part(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@dataclass
class Issuer:
    """``claims``: what the ID token says beside the usual; null takes a claim out. ``sign``: makes the token. ``answers``: what a path answers
    instead. ``held``: while it is not set, nothing is answered. ``asked``: paths in the order of the questions."""

    url: str
    now: Callable[[], datetime]
    person: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    at_userinfo: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] = signed
    served: list[str] = field(default_factory=lambda: ["one"])
    answers: dict[str, Answer] = field(default_factory=dict)
    held: Event | None = None
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)

    def authorize(self, url: str) -> str:
        """What the browser is sent back with, after the person has logged in."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        asked = dict(parse_qsl(parts.query, strict_parsing=True))
        assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", CLIENT, REDIRECT)
        assert asked["code_challenge_method"] == "S256"
        assert {"openid", "email", "profile"} <= set(asked["scope"].split())
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) == 43
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{REDIRECT}?{urlencode({'code': code, 'state': asked['state']})}"

    def document(self) -> dict[str, Any]:
        usual = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "scopes_supported": ["openid", "email", "profile", "groups"],
        }
        return {name: value for name, value in (usual | self.metadata).items() if value is not None}

    def redeem(self, form: dict[str, list[str]], authorization: str) -> tuple[int, dict[str, Any]]:
        pair = b64decode(authorization.removeprefix("Basic ")).decode()
        if [*parse_qs(f"a={pair.partition(':')[0]}")["a"], *parse_qs(f"a={pair.partition(':')[2]}")["a"]] != [CLIENT, SECRET]:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"][0], None)
        proof = urlsafe_b64encode(sha256(form["code_verifier"][0].encode()).digest()).rstrip(b"=").decode()
        if asked is None or proof != asked["code_challenge"] or form["redirect_uri"] != [asked["redirect_uri"]]:
            return 400, {"error": "invalid_grant", "error_description": "c4nary: an inside of the provider's"}
        now = int(self.now().timestamp())
        usual = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.person}
        token = self.sign({name: value for name, value in (usual | self.claims).items() if value is not None})
        self.given += [token, "c4nary-access"]
        return 200, {"id_token": token, "access_token": "c4nary-access", "token_type": "Bearer"}

    def answer(self, path: str, body: bytes, authorization: str) -> Answer:
        self.asked.append(path)
        if self.held is not None:
            self.held.wait(30)
        if path in self.answers:
            return self.answers[path]
        status, found = 200, self.document()
        if path == "/jwks":
            found = {"keys": [key(name).as_dict(private=False) for name in self.served]}
        elif path == "/token":
            status, found = self.redeem(parse_qs(body.decode()), authorization)
        elif path == "/userinfo":
            status, found = (200, {"sub": self.person["sub"], **self.at_userinfo}) if authorization == "Bearer c4nary-access" else (401, {})
        return status, {"Content-Type": "application/json"}, json.dumps(found).encode()


@contextmanager
def running(now: Callable[[], datetime]) -> Iterator[Issuer]:
    """Serves from a thread while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, found = issuer.answer(self.path, body, self.headers.get("authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(found))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(found)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked had enough

        do_POST = do_GET

        def log_message(self, *_words: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}", now)
    key("one")  # made before several threads ask for it, who would each make their own
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        if issuer.held is not None:
            issuer.held.set()
        server.shutdown()
        server.server_close()
        thread.join()
