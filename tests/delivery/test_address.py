"""The address guard refuses what is not public, however it is written, and says what would help."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery.address import Rules, TargetRefused, check, parse

HOSTILE = [
    "https://127.0.0.1/",
    "https://127.0.0.1.:443/",
    "https://127.8.9.1/",
    "https://[::1]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7F.1/",
    "https://127.1/",
    "https://017700000001/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2a00::5efe:10.0.0.1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://168.63.129.16/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    "https://100.64.0.1/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://203.0.113.5/",
    "https://[2001:db8::1]/",
    "https://224.0.0.1/",
    "https://[ff02::1]/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
]
MALFORMED = [
    "ftp://93.184.215.14/",
    "93.184.215.14",
    "https:///x",
    "https://user@93.184.215.14/",
    "https://user:word@93.184.215.14/",
    "https://@93.184.215.14/",
    "https://93.184.215.14/#part",
    "https://93.184.215.14\\@127.0.0.1/",
    "https://93.184.215.14/ space",
    "https://93.184.215.14/\r\nhost: other",
    "https://93.184.215.14:99999/",
    "https://93.184.215.14:0/",
    "https://93.184.215.14:22/",
    "https://93.184.215.14:x/",
    "https://example.org%00.evil.test/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://[93.184.215.14]/",
    "https://[v1.x]/",
    "https://a..b/",
    "https://" + "a" * 3000,
]


def never(_host: str, _port: int) -> list[str]:
    raise AssertionError("a literal address needs no look-up")


@pytest.mark.parametrize("url", HOSTILE + MALFORMED)
def test_a_hostile_address_is_refused_in_every_spelling(url: str) -> None:
    with pytest.raises(TargetRefused) as refusal:
        check(url, Rules(), never)
    assert len(str(refusal.value)) > 10


@pytest.mark.parametrize("url", ["https://93.184.215.14/", "https://[2606:4700::1111]:8443/x?y=1", "https://[64:ff9b::5db8:d70e]/"])
def test_a_public_address_may_be_called(url: str) -> None:
    check(url, Rules(), never)


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["2606:4700::1111", "::ffff:10.0.0.1"], []])
def test_a_name_is_refused_unless_all_its_addresses_are_public(answers: list[str]) -> None:
    with pytest.raises(TargetRefused):
        check("https://hooks.example.org/", Rules(), lambda _host, _port: answers)


def test_a_name_that_is_not_found_is_refused_with_that_reason() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(TargetRefused, match="cannot be found"):
        check("https://hooks.example.org/", Rules(), unknown)


def test_plain_http_and_any_port_are_for_allowed_networks_only() -> None:
    allowed = Rules(allow=(ip_network("10.20.0.0/16"),))
    check("http://10.20.0.1:81/", allowed, never)
    check("http://[::ffff:10.20.0.1]/", allowed, never)
    check("http://inside.example.org/", allowed, lambda _host, _port: ["10.20.0.1", "10.20.3.4"])
    for url in ("http://93.184.215.14/", "https://10.21.0.1/", "https://[64:ff9b::10.20.0.1]/"):
        with pytest.raises(TargetRefused):
            check(url, allowed, never)
    with pytest.raises(TargetRefused, match="https"):
        check("http://mixed.example.org/", allowed, lambda _host, _port: ["10.20.0.1", "93.184.215.14"])


def test_hosts_behind_the_proxy_are_named_and_need_https() -> None:
    rules = Rules(proxy="http://proxy.example.org:3128", proxy_hosts=("hooks.example.org", "*.example.net"))
    check("https://hooks.example.org/", rules, never)
    check("https://a.b.example.net/", rules, never)
    for url in ("http://hooks.example.org/", "https://hooks.example.org:25/"):
        with pytest.raises(TargetRefused):
            check(url, rules, never)
    with pytest.raises(TargetRefused):
        check("https://example.net/", rules, lambda _host, _port: ["10.0.0.1"])


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}@93.184.215.14/", f"https://93.184.215.14/{text}"):
        try:
            place = parse(url)
        except TargetRefused:
            continue
        assert place.host.isascii()
        assert not any(char.isspace() for char in place.authority + place.path)


@given(st.integers(0, 2**32 - 1))
def test_no_number_is_taken_for_an_ipv4_address(number: int) -> None:
    for spelling in (str(number), hex(number), f"0{number:o}"):
        with pytest.raises(TargetRefused):
            parse(f"https://{spelling}/")
