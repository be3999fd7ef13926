"""Who really calls, under which name, over what; and what browsers are told."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request

from hub.settings import Settings
from tests.access.conftest import Browser


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What these tests are about does not depend on the database; what does is tested on both beside them."""
    return sqlite_url


@pytest.fixture
def echo(app: FastAPI) -> FastAPI:
    """The app with a page that tells whom it takes the caller for."""

    @app.get("/echo")
    def told(request: Request) -> dict[str, str]:
        return {"address": request.client.host if request.client else "", "scheme": request.url.scheme}

    return app


PROXY = Settings(trusted_proxies=("10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.parametrize("settings", [PROXY])
@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7", "192.0.2.7"),  # what the caller put in front counts for nothing
        ("10.0.0.1", "192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "[2001:4860::1]", "2001:4860::1"),
        ("10.0.0.1", "127.0.0.1, garbage", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.66", "127.0.0.1", "192.0.2.66"),
        ("127.0.0.1", "192.0.2.7", "127.0.0.1"),
    ],
)
def test_a_forwarded_address_is_believed_from_trusted_proxies_only(echo: FastAPI, peer: str, forwarded: str, address: str) -> None:
    answer = Browser(echo, address=peer)("GET", "/echo", headers={"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"})
    believed = peer not in ("192.0.2.66", "127.0.0.1")
    assert answer.json() == {"address": address, "scheme": "https" if believed else "http"}
    assert ("strict-transport-security" in answer.headers) is believed


KNOWN = Settings(public_url="https://hub.example.org", allowed_hosts=("hub.internal", "*.apps.example.org"))


@pytest.mark.parametrize("settings", [KNOWN])
@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("hub.example.org", True),
        ("HUB.example.org:443", True),
        ("hub.internal:8000", True),
        ("a.apps.example.org", True),
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("10.1.2.3", True),
        ("evil.example.org", False),
        ("hub.example.org.evil.net", False),
        ("apps.example.org", False),
        ("evil.net#hub.example.org", False),
        ("hub.example.org@evil.net", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_a_page_of_another_name_is_refused(app: FastAPI, host: str, fine: bool) -> None:
    answer = Browser(app)("GET", "/healthz", headers={"Host": host})
    assert answer.status_code == (200 if fine else 421)
    assert host == "" or host not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline(visitor: Browser) -> None:
    headers = visitor.get("/login").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert "strict-transport-security" not in headers, "plain http: a browser would refuse the next visit"


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/static/../hub/vault.py", "/static/%2e%2e/pages.py", "/static/..%2fpages.py"])
def test_no_path_leads_out_of_the_static_files(visitor: Browser, path: str) -> None:
    assert "import" not in visitor.get(path).text


def test_a_form_of_a_megabyte_is_refused(visitor: Browser) -> None:
    answer = visitor(
        "POST", "/login", content=b"csrf=" + b"a" * 1_000_001, headers={"Origin": visitor.origin, "Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"csrf=%zz&a=\xff", b"&" * 6_000 + b"a=b", b"a=" + "\u00e9".encode() * 10])
def test_what_is_no_form_is_refused_without_words_of_the_inside(visitor: Browser, body: bytes) -> None:
    visitor.get("/login")
    answer = visitor("POST", "/login", content=body, headers={"Origin": visitor.origin, "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code in (400, 403)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("name", ["hub_session", "hub_form", "hub_tz"])
@pytest.mark.parametrize("value", ["x" * 5_000, "%00", '"; DROP TABLE user; --', "hub_session_" + "é" * 43])
def test_a_cookie_may_say_what_it_will(visitor: Browser, name: str, value: str) -> None:
    assert visitor("GET", "/login", headers={"Cookie": f"{name}={value}".encode()}).status_code == 200
