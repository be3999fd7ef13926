"""A small pretend world on a port of this machine, without limits: the SDKs know of no virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)  # a proxy would be asked even for this machine
    with Sandbox(seed.build(seed=6, tasks=150), Knobs(limits=False, page_size=20)) as running:
        yield running
