"""One attempt, whatever the other side does: it ends within its limits, and nothing is dialled but what was judged."""

from __future__ import annotations

import datetime as dt
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.delivery.address import Rules
from hub.delivery.target import MOST_ANSWER, Answer, Target, tls
from tests.delivery.receiver import Behaviour, Call, Receiver, Reply, receiving
from tests.delivery.test_address import HOSTILE

HERE = Rules(allow=(ip_network("127.0.0.0/8"),))
GENEROUS = 30.0


async def names_nothing(_host: str, _port: int) -> list[str]:
    raise AssertionError("a literal address needs no look-up")


def resolves_to(*answers: list[str]) -> Callable[..., object]:
    """A name server that gives these answers one after the other."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0)

    return resolve


async def post(url: str, *, rules: Rules = HERE, seconds: float = GENEROUS, resolver: object = names_nothing, bundle: str | None = None) -> Answer:
    target = Target(url, rules, tls(bundle), resolver, seconds=seconds)  # type: ignore[arg-type]
    try:
        return await target.post([(b"webhook-id", b"1")], b"{}", hide=["open sesame"])
    finally:
        await target.aclose()


@contextmanager
def answering(reply: Reply, **options: object) -> Iterator[Receiver]:
    behave: Behaviour = lambda _call: reply  # noqa: E731
    with receiving(behave, **options) as there:
        yield there


@pytest.mark.anyio
async def test_a_message_arrives_as_it_was_sent() -> None:
    with answering(Reply(202, body=b"taken: open sesame \x00 hub_abcdefgh_12345678")) as there:
        answer = await post(f"{there.url}?a=1")
    assert (answer.status, answer.error) == (202, None)
    assert answer.text == "taken: [redacted]   [redacted]"
    (call,) = there.calls
    assert (call.path, call.body, call.headers["host"]) == ("/hook?a=1", b"{}", f"127.0.0.1:{there.port}")


@pytest.mark.anyio
async def test_connections_are_used_again_and_a_dead_one_is_not() -> None:
    with receiving() as there:
        target = Target(there.url, HERE, tls(None), names_nothing)
        assert [(await target.post([], b"{}")).error for _ in range(3)] == [None] * 3
        assert there.connections == 1
    with receiving(port=there.port) as again:
        assert (await target.post([], b"{}")).error is None
        assert again.connections == 1
    await target.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("url", [url for url in HOSTILE if "[fe80::1%" not in url])
async def test_a_hostile_address_is_never_dialled(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had been saved before the guard knew it."""

    async def dialled(*_place: object, **_options: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr("asyncio.open_connection", dialled)
    try:
        answer = await post(url, rules=Rules())
    except ValueError:  # not even a place
        return
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("refused: ")


@pytest.mark.anyio
async def test_a_name_that_turns_to_a_private_address_is_refused_at_the_second_look() -> None:
    with receiving() as there:
        url = f"https://hooks.example.org:{there.port}/"
        answer = await post(url, rules=Rules(), resolver=resolves_to(["127.0.0.1"]))
        both = await post(url, rules=Rules(), resolver=resolves_to(["93.184.215.14", "127.0.0.1"]))
    assert "not a public address" in str(answer.error)
    assert "not a public address" in str(both.error)
    assert there.connections == 0


@pytest.mark.anyio
async def test_each_connect_looks_and_judges_anew() -> None:
    with answering(Reply(headers={"connection": "close"})) as there:
        resolver = resolves_to(["127.0.0.1"], ["10.0.0.1"])
        target = Target(f"http://hooks.example.org:{there.port}/", HERE, tls(None), resolver)  # type: ignore[arg-type]
        first, second = await target.post([], b"{}"), await target.post([], b"{}")
        await target.aclose()
    assert (first.error, first.status) == (None, 200)
    assert "not a public address" in str(second.error)
    assert there.connections == 1
    assert there.calls[0].headers["host"] == f"hooks.example.org:{there.port}"


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    with receiving() as inner, answering(Reply(status, {"location": inner.url})) as there:
        answer = await post(there.url)
    assert (answer.status, inner.connections) == (status, 0)
    assert "redirects are not followed" in str(answer.error)


@pytest.mark.anyio
async def test_a_body_that_drips_ends_with_the_attempts_time() -> None:
    with answering(Reply(body=b"x" * 1000, drip=0.05)) as there:
        answer = await post(there.url, seconds=0.4)
    assert (answer.status, answer.error) == (None, "no complete answer within 0.4 seconds")


@pytest.mark.anyio
async def test_silence_ends_with_the_attempts_time() -> None:
    with answering(Reply(delay=60)) as there:
        answer = await post(there.url, seconds=0.3)
    assert (answer.status, answer.error) == (None, "no complete answer within 0.3 seconds")


@pytest.mark.anyio
async def test_an_endless_body_is_cut_and_fails_the_attempt() -> None:
    with answering(Reply(endless=True)) as there:
        answer = await post(there.url)
    assert (answer.status, answer.error) == (200, f"the answer is longer than {MOST_ANSWER // 1024} kB")
    assert len(answer.text) == 1024


@pytest.mark.anyio
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x-bomb: " + b"b" * 10_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(100_000)) + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000 + b"nonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["long header", "many headers", "continue", "not http", "two lengths", "bad chunk"],
)
async def test_a_broken_answer_fails_the_attempt_alone(raw: bytes) -> None:
    with answering(Reply(raw=raw)) as there:
        answer = await post(there.url, seconds=5)
    assert "the answer is not HTTP, or its headers are too long" in str(answer.error)


@pytest.mark.anyio
async def test_a_closed_door_is_named() -> None:
    with receiving() as there:
        pass
    answer = await post(there.url)
    assert answer.status is None
    assert "cannot connect" in str(answer.error)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("in an hour", 3500, 3600),
        ("99999999999999999999", 12 * 3600, 12 * 3600),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 0),
    ],
    ids=["seconds", "none", "date", "longest", "past"],
)
async def test_retry_after_is_read_in_both_forms_and_capped(text: str, least: int, most: int) -> None:
    if text == "in an hour":  # from now on, not from when the tests were collected
        text = format_datetime(dt.datetime.now(dt.UTC) + timedelta(seconds=3600), usegmt=True)
    with answering(Reply(503, {"retry-after": text})) as there:
        answer = await post(there.url)
    assert answer.wait is not None
    assert least <= answer.wait.total_seconds() <= most


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "Fri, 99 Foo", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"])
async def test_a_retry_after_that_says_nothing_is_none(text: str) -> None:
    with answering(Reply(503, {"retry-after": text})) as there:
        assert (await post(there.url)).wait is None


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's context with a certificate that nobody signed but itself, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime.now(dt.UTC) - timedelta(days=1)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(start).not_valid_after(start + timedelta(days=9))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = built.sign(key, hashes.SHA256())
    path = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, str(path)


@pytest.mark.anyio
async def test_a_certificate_that_nobody_vouches_for_fails_the_attempt(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "hooks.example.org")
    with receiving(ssl=context) as there:
        answer = await post(there.url.replace("http:", "https:"))
    assert answer.status is None
    assert "TLS failed: self" in str(answer.error)
    assert there.calls == []


@pytest.mark.anyio
async def test_the_certificate_is_judged_by_name_although_the_address_is_dialled(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path, "hooks.example.org")
    with receiving(ssl=context) as there:
        right = await post(f"https://hooks.example.org:{there.port}/", resolver=resolves_to(["127.0.0.1"]), bundle=trusted)
        wrong = await post(f"https://other.example.org:{there.port}/", resolver=resolves_to(["127.0.0.1"]), bundle=trusted)
    assert (right.status, right.error) == (200, None)
    assert "TLS failed: Hostname mismatch" in str(wrong.error)


@pytest.mark.anyio
async def test_a_listed_host_goes_through_the_proxy_and_no_other() -> None:
    def behave(_call: Call) -> Reply:
        return Reply(403)

    with receiving(behave) as proxy:
        rules = Rules(HERE.allow, f"http://127.0.0.1:{proxy.port}", ("hooks.example.org",))
        listed = await post("https://hooks.example.org/", rules=rules)
        other = await post(f"http://other.example.org:{proxy.port}/x", rules=rules, resolver=resolves_to(["127.0.0.1"]))
    assert listed.error is not None
    assert "403" in listed.error
    assert [call.path for call in proxy.calls] == ["hooks.example.org:443", "/x"]
    assert other.status == 403


@pytest.mark.anyio
async def test_a_proxy_is_told_who_asks_and_the_receiver_is_not() -> None:
    with receiving(lambda _call: Reply(407)) as proxy:
        rules = Rules(HERE.allow, f"http://hub:p%40ss@127.0.0.1:{proxy.port}", ("hooks.example.org",))
        answer = await post("https://hooks.example.org/", rules=rules)
    (call,) = proxy.calls
    assert call.headers["proxy-authorization"] == f"Basic {b64encode(b'hub:p@ss').decode()}"
    assert "p@ss" not in str(answer.error)
