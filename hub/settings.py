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


ROLES = ("admin", "pmo", "viewer", "consumer")
"""As ``access.keys.Role`` has them, which lies above this room."""


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """What a tool knows this hub as. ``flow``: which of the tool's ways it is registered for, null for the usual one; ``base_url``: where, null for
    the tool itself."""

    client_id: str
    client_secret: str = field(repr=False)
    flow: str | None = None
    base_url: str | None = None


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Settings:
    """``sync_interval``: shortest pause between two polls of a connection; ``structure_interval`` and ``sweep_interval``: longest between two walks
    through its containers, and between two full readings. ``budget_share``: the part of a credential's calls that the hub uses (0 to 1).
    ``tombstone_share``: largest share of a connection's tasks that one run may mark as deleted (0 to 1). ``webhook_allow``: networks that webhooks
    may reach although they are not public. ``retention_*``: how long events, attempts to deliver them and sync runs are kept. ``allowed_hosts``:
    names under which the hub may be called beside the public URL's; ``trusted_proxies``: networks whose X-Forwarded-* are believed. ``key_rate``:
    calls a minute and API key, in each process. ``oidc_roles``: (group at the log-in provider, role), of which the first that fits holds; ``*`` fits
    everybody. ``oidc_trust_email``: the provider's e-mail addresses count as verified where it says nothing of that. ``local_login``: people may log
    in with a password. ``oauth``: by tool, where the hub is registered as an app."""

    database_url: str = "sqlite:///hub.db"
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    oauth: Mapping[str, OAuthApp] = field(default_factory=dict)
    public_url: str | None = None
    receiver_bind: tuple[str, int] | None = None
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    session_idle: timedelta = timedelta(hours=12)
    session_longest: timedelta = timedelta(days=14)
    key_rate: int = 6000
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    oidc_groups_claim: str = "groups"
    oidc_roles: tuple[tuple[str, str], ...] = ()
    oidc_trust_email: bool = False
    local_login: bool = True
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

    @property
    def oidc_missing(self) -> tuple[str, ...]:
        """The variables without which nobody can log in by a provider; all three where none was meant."""
        needed = {"HUB_OIDC_ISSUER": self.oidc_issuer, "HUB_OIDC_CLIENT_ID": self.oidc_client_id, "HUB_OIDC_ROLES": self.oidc_roles}
        return tuple(name for name, value in needed.items() if not value)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in ``environ``; raises SettingsError."""
    defaults = Settings()
    found = Settings(
        database_url=_database_url(_read(environ, "DATABASE_URL") or defaults.database_url),
        secret_keys=tuple(key.strip() for key in (_read(environ, "SECRET_KEYS") or "").split(",") if key.strip()),
        oauth=_oauth(environ),
        public_url=_public_url(_read(environ, "PUBLIC_URL")),
        receiver_bind=_bind(environ, "RECEIVER_BIND"),
        allowed_hosts=_hosts(environ, "ALLOWED_HOSTS"),
        trusted_proxies=_networks(environ, "TRUSTED_PROXIES"),
        session_idle=_duration(environ, "SESSION_IDLE", defaults.session_idle),
        session_longest=_duration(environ, "SESSION_LONGEST", defaults.session_longest),
        key_rate=_whole(environ, "KEY_RATE", defaults.key_rate),
        oidc_issuer=_issuer(_read(environ, "OIDC_ISSUER")),
        oidc_client_id=_read(environ, "OIDC_CLIENT_ID"),
        oidc_client_secret=_read(environ, "OIDC_CLIENT_SECRET"),
        oidc_groups_claim=_read(environ, "OIDC_GROUPS_CLAIM") or defaults.oidc_groups_claim,
        oidc_roles=_roles(environ, "OIDC_ROLES"),
        oidc_trust_email=_switch(environ, "OIDC_TRUST_EMAIL", defaults.oidc_trust_email),
        local_login=_choice(environ, "LOCAL_LOGIN", "on", ("on", "off")) == "on",
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
    if not found.local_login and found.oidc_missing:
        raise SettingsError(f"HUB_LOCAL_LOGIN=off, and nobody could log in otherwise: set {', '.join(found.oidc_missing)} too, or HUB_LOCAL_LOGIN=on")
    return found


def _read(environ: Mapping[str, str], name: str) -> str | None:
    if path := environ.get(f"HUB_{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise SettingsError(f"HUB_{name}_FILE names a file that cannot be read ({error.strerror}): correct the path or its rights") from error
    return environ.get(f"HUB_{name}", "").strip() or None


OAUTH = re.compile(r"HUB_OAUTH_([A-Z0-9]\w*?)_(CLIENT_ID|CLIENT_SECRET|FLOW|BASE_URL)(_FILE)?")


def _oauth(environ: Mapping[str, str]) -> dict[str, OAuthApp]:
    """``HUB_OAUTH_<TOOL>_CLIENT_ID`` and the like, for whatever tools there are: their names are not known here."""
    found = {}
    for tool in sorted({match[1] for name in environ if (match := OAUTH.fullmatch(name))}):
        known = {part: _read(environ, f"OAUTH_{tool}_{part}") for part in ("CLIENT_ID", "CLIENT_SECRET", "FLOW", "BASE_URL")}
        client_id, secret = known["CLIENT_ID"], known["CLIENT_SECRET"]
        if client_id is None and secret is None:
            continue
        if client_id is None or secret is None:
            lacks = "CLIENT_SECRET" if secret is None else "CLIENT_ID"
            raise SettingsError(f"HUB_OAUTH_{tool}_{lacks} is not set: the tool gives a client id and a client secret, and needs both")
        found[tool.lower()] = OAuthApp(client_id, secret, known["FLOW"], known["BASE_URL"])
    return found


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
    if not _is_safe_address(text):
        raise SettingsError(
            f"HUB_PUBLIC_URL={text} is not an address for others to call: write https://HOST, or http://127.0.0.1:PORT for trying out"
        )
    return text.rstrip("/")


def _is_safe_address(text: str) -> bool:
    """https, or http on this machine; host and path, nothing else."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    odd = not text.isascii() or not text.isprintable() or any(char in text for char in " ?#@\\")
    return not odd and bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _issuer(text: str | None) -> str | None:
    """To the letter: tokens name it, and a slash too many is another one."""
    if text is None:
        return None
    if not _is_safe_address(text):
        raise SettingsError(f"HUB_OIDC_ISSUER={text} is not a log-in provider's address: write https://HOST/..., to the letter as it gives it")
    return text


def _roles(environ: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    """Divided by commas, or by semicolons where there is one, because the names of some directories' groups hold commas."""
    text = _read(environ, name) or ""
    found = []
    for part in text.split(";" if ";" in text else ","):
        group, _, role = (each.strip() for each in part.rpartition("="))
        if not part.strip():
            continue
        if not group or role not in ROLES:
            example = "pmo-admins=admin,pmo=pmo,*=viewer"
            raise SettingsError(f"HUB_{name}: {part.strip()} is not GROUP=ROLE: write {example}; the roles are {', '.join(ROLES)}")
        found.append((group, role))
    return tuple(found)


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
