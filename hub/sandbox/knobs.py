"""What a test or a person may turn in the sandbox while it runs: latency, limits, lag, and faults on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

FaultKind = Literal["status", "html", "empty", "truncated", "not_json", "reset", "timeout"]


@dataclass(slots=True)
class Fault:
    """The next ``times`` requests whose ``METHOD path?query`` (and body) contains ``match`` go wrong, after ``skip`` good ones.

    ``status``: answer with ``code`` in the vendor's error shape (429 with its headers). ``html``: a gateway's page with 502. ``empty``: 200
    with no body. ``truncated``: 200, body cut in half. ``not_json``: 200 with prose. ``reset``: the connection is cut in the middle of the
    answer. ``timeout``: no answer for ``seconds``.
    """

    tool: str
    match: str
    kind: FaultKind
    times: int = 1
    skip: int = 0
    code: int = 500
    seconds: float = 60.0


@dataclass(slots=True)
class Knobs:
    """``limits``: enforce the vendors' rate, concurrency and complexity limits. ``rates``: calls a minute by tool in place of the plan's.

    ``revoked``: tools whose token no longer works. ``refused``: {container or project id: status code it answers}. ``cursor_life``: seconds that
    a paging token lives (None: the vendor's own). ``repeat_cursor``: tools that hand out the same next-page token twice. ``partial_errors``:
    monday board ids that come as null beside ``errors``. ``lag``: seconds by which searches, logs and filtered reads trail the truth.
    ``page_size``: smaller pages than the vendor's own maximum, for tests with little data. ``hide_pages``: {tool: n}: leave out the nth task page
    silently (to prove that the hub's check notices).

    Webhooks out: ``hosts``: {public host name: loopback port}: ``https://NAME/...`` goes as plain http to that port, with its own Host header.
    Shares from 0 to 1 of the calls: ``drop`` (lost, though the vendor takes them for delivered), ``double`` (arrive twice), ``shuffle`` (come late,
    behind others). ``hold``: tools whose calls lie here until they are taken off again. ``pace``: what a vendor's waits before a repeated call are
    multiplied by. ``app_secrets``: {tool: signing secret}: the token is an app's, so that monday's calls are signed.

    OAuth: ``apps``: {tool: its registered app: client_id, client_secret, redirects, and Asana's mode or monday's flow} in place of the one that is
    there. ``denied``: tools where the person says no. ``access_life``: {tool: seconds that an access token lives}. ``later``: seconds by which the
    tools' clocks for codes and tokens have gone on.
    """

    latency: float = 0.0
    limits: bool = True
    rates: dict[str, int] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    cursor_life: float | None = None
    repeat_cursor: set[str] = field(default_factory=set)
    partial_errors: set[str] = field(default_factory=set)
    lag: float = 0.0
    page_size: int | None = None
    hide_pages: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)
    drop: float = 0.0
    double: float = 0.0
    shuffle: float = 0.0
    hold: set[str] = field(default_factory=set)
    pace: float = 1.0
    app_secrets: dict[str, str] = field(default_factory=dict)
    apps: dict[str, dict[str, Any]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    access_life: dict[str, float] = field(default_factory=dict)
    later: float = 0.0
    faults: list[Fault] = field(default_factory=list)
