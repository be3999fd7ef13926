"""Which addresses a credential may be sent to."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def check_base_url(url: str) -> str:
    """The URL without its last slash. Raises ValueError, saying what to do, unless it is https, or plain http to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises on a port that is none
    except ValueError as error:
        raise ValueError(f"the base URL is not a URL ({error}): write https://HOST/PATH") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("the base URL holds a user or password: take it out, the credential is given apart")
    if "?" in url or "#" in url:
        raise ValueError("the base URL holds a query or fragment: end it with the path")
    if not url.isprintable() or " " in url or "\\" in url or not host:
        raise ValueError("the base URL has no host or holds characters that no URL has: write https://HOST/PATH")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(
            "the base URL must begin with https:// (plain http is for 127.0.0.1 and localhost only): the credential would travel in the open"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
