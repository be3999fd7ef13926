"""The address guard: which URLs and which network addresses a webhook may be sent to.

A webhook is a request that a user makes the hub send, from inside the hub's network. So every address that a name resolves to must be public, or lie
in a network that the operator allowed (``HUB_WEBHOOK_ALLOW``). Judged when an endpoint is saved and again at each connect, on the very address
dialled."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from hub.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LONGEST_URL = 2000
LOWEST_PORT = 1024
WEB_PORTS = (80, 443)

GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # shared by carriers (RFC 6598)
        "168.63.129.16/32",  # a cloud's own agent, on a public number
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "198.18.0.0/15",
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
    )
)


class TargetRefused(ValueError):
    """The hub will not send there; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows. ``proxy_hosts``: names that go through ``proxy``, which then finds the address itself."""

    allow: tuple[Network, ...] = ()
    proxy: str | None = None
    proxy_hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        return cls(tuple(ipaddress.ip_network(text) for text in settings.webhook_allow), settings.webhook_proxy, settings.webhook_proxy_hosts)

    def allows(self, address: Address) -> bool:
        return any(address in network for network in self.allow if network.version == address.version)

    def proxied(self, host: str) -> bool:
        return self.proxy is not None and any(host == one or (one[0] == "*" and host.endswith(one[1:])) for one in self.proxy_hosts)


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart once, so that what is judged is what is dialled. ``host``: lower case ASCII, an address without brackets."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse(url: str) -> Place:
    """Raises TargetRefused for anything but a plain http or https URL of one host."""
    if len(url) > LONGEST_URL or not re.fullmatch(r"[!-~]+", url) or re.search(r'[\\<>"^`{|}]', url):
        raise TargetRefused("the URL is too long or holds characters that have no place in one: encode them as %XX")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetRefused(f"this is not a URL: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise TargetRefused("the URL must begin with https://")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise TargetRefused("the URL must hold no user or password: give a static header instead")
    if "#" in url:
        raise TargetRefused("the URL must have no fragment (#...)")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(secure, _host(parts.hostname or "", "[" in parts.netloc), (443 if secure else 80) if port is None else port, path)


def _host(text: str, bracketed: bool) -> str:
    """A name, or an address in its one usual form: 2130706433, 0x7f.1 and 0177.0.0.1 mean 127.0.0.1 to some resolvers."""
    host = text.lower().removesuffix(".")
    if bracketed:
        try:
            return str(IPv6Address(host))  # one with a zone (%eth0) keeps it, and is refused as not public
        except ValueError as error:
            raise TargetRefused("the URL's host is not an address") from error
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", host) or len(host) > 253:
        raise TargetRefused("the URL's host is not a name: write names with other letters in their xn-- form")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", host.rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except ValueError as error:
            raise TargetRefused("the URL's host is a number: write the address as four decimal numbers, without leading zeros") from error
    return host


def judge(address: Address, rules: Rules) -> bool:
    """Whether the operator allowed the address expressly. Raises TargetRefused where it is neither that nor public."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise TargetRefused(f"{address} belongs to one network interface: only public addresses may be called")
    if rules.allows(address) or (isinstance(address, IPv6Address) and address.ipv4_mapped is not None and rules.allows(address.ipv4_mapped)):
        return True
    for each in _meanings(address):
        if not _is_public(each):
            raise TargetRefused(f"{address} is not a public address: the operator may allow its network in HUB_WEBHOOK_ALLOW")
    return False


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and each IPv4 address that it may be turned into on its way. One that is only a wrapping stands for its content alone."""
    if isinstance(address, IPv4Address):
        yield address
        return
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in NAT64:
        yield low
    else:
        yield address
        if address.sixtofour is not None:
            yield address.sixtofour
        if (int(address) >> 32) & 0xFFFFFFFF in (0x00005EFE, 0x02005EFE):  # ISATAP (RFC 5214): any prefix may hold one
            yield low


def _is_public(address: Address) -> bool:
    if any(address in network for network in NEVER if network.version == address.version):
        return False
    if (
        isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST
    ):  # loopback, ::a.b.c.d, local and link-local prefixes, whatever they are called
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, as the system finds them; blocks. Raises OSError."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def judge_all(place: Place, addresses: Sequence[str], rules: Rules) -> list[str]:
    """The addresses that may be dialled for a place: all of them, or none (TargetRefused)."""
    if not addresses:
        raise TargetRefused(f"{place.host} has no address")
    allowed = [judge(ipaddress.ip_address(text), rules) for text in addresses]
    if not all(allowed):
        if not place.secure:
            raise TargetRefused("the URL must begin with https://: plain http is for networks in HUB_WEBHOOK_ALLOW")
        _judge_port(place)
    return list(addresses)


def _judge_port(place: Place) -> None:
    if place.port not in WEB_PORTS and place.port < LOWEST_PORT:
        raise TargetRefused(f"port {place.port} is no web server's: use 443 or one from {LOWEST_PORT} up")


def check(url: str, rules: Rules, resolver: Callable[[str, int], list[str]] = resolve) -> Place:
    """Judges a URL as it is saved; looks its name up. Raises TargetRefused."""
    place = parse(url)
    if not 0 < place.port < 65536:
        raise TargetRefused(f"there is no port {place.port}")
    if rules.proxied(place.host):
        if not place.secure:
            raise TargetRefused("the URL must begin with https://: the proxy finds the address, so nobody here can say that it is an allowed one")
        _judge_port(place)
        return place
    if place.literal is not None:
        judge_all(place, [place.host], rules)
        return place
    try:
        found = resolver(place.host, place.port)
    except OSError as error:
        raise TargetRefused(f"the name {place.host} cannot be found now: check its spelling") from error
    judge_all(place, found, rules)
    return place
