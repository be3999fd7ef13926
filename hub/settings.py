"""All settings, read once at the edge from ``HUB_*`` and passed on as one frozen value.

Every secret has a ``..._FILE`` variant naming a file that holds it. A malformed value is a ``SettingsError`` that names the variable and an example.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


class SettingsError(ValueError):
    """A setting cannot be used; the message says which, why and what to write instead."""


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Settings:
    """``sync_interval``: shortest pause between two polls of a connection; ``structure_interval`` and ``sweep_interval``: longest between two walks
    through its containers, and between two full readings. ``budget_share``: the part of a credential's calls that the hub uses (0 to 1).
    ``tombstone_share``: largest share of a connection's tasks that one run may mark as deleted (0 to 1). ``webhook_allow``: networks that webhooks
    may reach although they are not public. ``retention_*``: how long events, attempts to deliver them and sync runs are kept. ``allowed_hosts``:
    names under which the hub may be called beside the public URL's; ``trusted_proxies``: networks whose X-Forwarded-* are believed. ``key_rate``:
    calls a minute and API key, in each process."""

    database_url: str = "sqlite:///hub.db"
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    public_url: str | None = None
    receiver_bind: tuple[str, int] | None = None
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    session_idle: timedelta = timedelta(hours=12)
    session_longest: timedelta = timedelta(days=14)
    key_rate: int = 6000
    sync_interval: timedelta = timedelta(minutes=2)
    structure_interval: timedelta = timedelta(minutes=15)
    sweep_interval: timedelta = timedelta(hours=24)
    budget_share: float = 0.5
    timezone: str = "UTC"
    proxy: str | None = None
    ca_bundle: str | None = None
    keep_raw: bool = True
    tombstone_share: float = 0.2
    webhook_allow: tuple[str, ...] = ()
    webhook_proxy: str | None = None
    webhook_proxy_hosts: tuple[str, ...] = ()
    retention_events: timedelta = timedelta(days=30)
    retention_attempts: timedelta = timedelta(days=14)
    retention_runs: timedelta = timedelta(days=30)
    log_format: str = "console"
    log_level: str = "INFO"

    @property
    def sqlite_path(self) -> Path | None:
        url = make_url(self.database_url)
        return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in ``environ``; raises SettingsError."""
    defaults = Settings()
    return Settings(
        database_url=_database_url(_read(environ, "DATABASE_URL") or defaults.database_url),
        secret_keys=tuple(key.strip() for key in (_read(environ, "SECRET_KEYS") or "").split(",") if key.strip()),
        public_url=_public_url(_read(environ, "PUBLIC_URL")),
        receiver_bind=_bind(environ, "RECEIVER_BIND"),
        allowed_hosts=_hosts(environ, "ALLOWED_HOSTS"),
        trusted_proxies=_networks(environ, "TRUSTED_PROXIES"),
        session_idle=_duration(environ, "SESSION_IDLE", defaults.session_idle),
        session_longest=_duration(environ, "SESSION_LONGEST", defaults.session_longest),
        key_rate=_whole(environ, "KEY_RATE", defaults.key_rate),
        sync_interval=_duration(environ, "SYNC_INTERVAL", defaults.sync_interval),
        structure_interval=_duration(environ, "STRUCTURE_INTERVAL", defaults.structure_interval),
        sweep_interval=_duration(environ, "SWEEP_INTERVAL", defaults.sweep_interval),
        budget_share=_share(environ, "BUDGET_SHARE", defaults.budget_share),
        timezone=_timezone(_read(environ, "TIMEZONE") or defaults.timezone),
        proxy=_proxy(environ, "PROXY"),
        ca_bundle=_ca_bundle(_read(environ, "CA_BUNDLE")),
        keep_raw=_switch(environ, "KEEP_RAW", defaults.keep_raw),
        tombstone_share=_share(environ, "TOMBSTONE_SHARE", defaults.tombstone_share),
        webhook_allow=_networks(environ, "WEBHOOK_ALLOW"),
        webhook_proxy=_proxy(environ, "WEBHOOK_PROXY"),
        webhook_proxy_hosts=_hosts(environ, "WEBHOOK_PROXY_HOSTS"),
        retention_events=_duration(environ, "RETENTION_EVENTS", defaults.retention_events),
        retention_attempts=_duration(environ, "RETENTION_ATTEMPTS", defaults.retention_attempts),
        retention_runs=_duration(environ, "RETENTION_RUNS", defaults.retention_runs),
        log_format=_choice(environ, "LOG_FORMAT", defaults.log_format, ("console", "json")),
        log_level=_choice(environ, "LOG_LEVEL", defaults.log_level, ("DEBUG", "INFO", "WARNING", "ERROR")),
    )


def _read(environ: Mapping[str, str], name: str) -> str | None:
    if path := environ.get(f"HUB_{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise SettingsError(f"HUB_{name}_FILE names a file that cannot be read ({error.strerror}): correct the path or its rights") from error
    return environ.get(f"HUB_{name}", "").strip() or None


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError("HUB_DATABASE_URL is not a URL: write sqlite:///hub.db or postgresql://user:password@host/name") from error
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return text
    raise SettingsError("HUB_DATABASE_URL must be sqlite:///FILE or postgresql://user:password@host/name")


def _public_url(text: str | None) -> str | None:
    """Without its last slash."""
    if text is None:
        return None
    wrong = f"HUB_PUBLIC_URL={text} is not an address for others to call: write https://HOST, or http://127.0.0.1:PORT for trying out"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingsError(wrong) from error
    odd = not text.isascii() or not text.isprintable() or any(char in text for char in " ?#@\\")
    if odd or not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise SettingsError(wrong)
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(environ: Mapping[str, str], name: str) -> tuple[str, int] | None:
    if (text := _read(environ, name)) is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"HUB_{name}={text} is not HOST:PORT: write 0.0.0.0:8443, or [::]:8443")
    return host.strip("[]"), int(port)


def _duration(environ: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = _read(environ, name)
    return default if text is None else duration(f"HUB_{name}", text)


def duration(name: str, text: str) -> timedelta:
    """``15m`` and the like; ``name`` is for the SettingsError."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.isdecimal() or not 0 < int(number) < 10**6:
        raise SettingsError(f"{name}={text} is not a duration: write a whole number with s, m, h or d, such as 15m")
    return timedelta(seconds=int(number) * UNITS[unit])


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    if (text := _read(environ, name)) is None:
        return default
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise SettingsError(f"HUB_{name}={text}: write a whole number from 1 on, such as {default}")
    return int(text)


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"HUB_TIMEZONE={text} is not a time zone: write a name such as Europe/Berlin") from error
    return text


def _proxy(environ: Mapping[str, str], name: str) -> str | None:
    text = _read(environ, name)
    if text is not None and not re.fullmatch(r"https?://[^\s/]+(:\d+)?/?", text):
        raise SettingsError(f"HUB_{name} is not a proxy's URL: write http://HOST:PORT")
    return text


def _networks(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = []
    for text in (_read(environ, name) or "").replace(",", " ").split():
        try:
            found.append(str(ip_network(text)))
        except ValueError as error:
            raise SettingsError(f"HUB_{name}: {text} is not a network: write it like 10.20.0.0/16, several divided by commas") from error
    return tuple(found)


def _hosts(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = tuple((_read(environ, name) or "").lower().replace(",", " ").split())
    for text in found:
        if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*", text):
            raise SettingsError(f"HUB_{name}: {text} is not a host: write hooks.example.org or *.example.org, several divided by commas")
    return found


def _ca_bundle(text: str | None) -> str | None:
    if text is not None and not Path(text).is_file():
        raise SettingsError(f"HUB_CA_BUNDLE={text} is not a file: name a PEM file of certificates")
    return text


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = _read(environ, name)
    if text is None:
        return default
    if text not in ("0", "1"):
        raise SettingsError(f"HUB_{name}={text}: write 1 or 0")
    return text == "1"


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    text = _read(environ, name)
    if text is None:
        return default
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingsError(f"HUB_{name}={text}: write a share between 0 and 1, such as 0.2")
    return share


def _choice(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    text = _read(environ, name) or default
    if text not in allowed:
        raise SettingsError(f"HUB_{name}={text}: write one of {', '.join(allowed)}")
    return text
