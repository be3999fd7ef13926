"""The three pretend vendors behind one port of this machine, with the control desk beside them."""

from __future__ import annotations

import importlib
import socket
import threading
import time
from datetime import datetime
from types import TracebackType
from typing import Self

import orjson
import uvicorn

from hub.sandbox.consent import Office
from hub.sandbox.control import desk
from hub.sandbox.courier import Courier
from hub.sandbox.knobs import Knobs
from hub.sandbox.middleware import App, Log, Message, Receive, Send, Watched
from hub.sandbox.world import TOOLS, Tool, World

MOUNTS: dict[Tool, str] = {"asana": "/asana/api/1.0", "monday": "/monday/v2", "clickup": "/clickup/api"}
CONTROL = "/_sandbox"
DOORS: dict[str, Tool] = {"/asana/-": "asana", "/monday/oauth2": "monday", "/monday/oauth_ms": "monday"}
"""Where a person grants access, as far as that is not below the API."""
PATIENCE = 15.0


class Sandbox:
    """An ASGI app over one world; ``start`` serves it from a thread on 127.0.0.1. A vendor's package is loaded when it is
    first asked, so a broken one stops only itself."""

    def __init__(self, world: World, knobs: Knobs | None = None) -> None:
        self.world = world
        self.knobs = knobs or Knobs()
        self.log = Log()
        self.courier = Courier(self.world, self.knobs)
        self._desk: App = desk(self.world, self.knobs, self.log)
        self._vendors: dict[Tool, Watched] = {}
        self._doors: dict[Tool, Watched] = {}
        self.offices = {tool: Office(self.world, self.knobs, tool, time.time) for tool in TOOLS}
        self._server: _Announcing | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        for prefix, app in self._mounts():
            path = scope["path"]
            if path == prefix or path.startswith(prefix + "/"):
                # A vendor's root may be asked without a slash at its end (monday's only path is).
                inner = {**scope, "root_path": prefix, "path": path if path != prefix else prefix + "/"}
                await (self.vendor(app) if app in TOOLS else self._desk)(inner, receive, send)
                return
        for prefix, tool in DOORS.items():
            if scope["path"].startswith(prefix + "/"):
                await self.door(tool)({**scope, "root_path": f"/{tool}"}, receive, send)
                return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"The sandbox serves " + ", ".join(prefix for prefix, _ in self._mounts()).encode()})

    def _mounts(self) -> list[tuple[str, Tool | None]]:
        return [*((prefix, tool) for tool, prefix in MOUNTS.items()), (CONTROL, None)]

    def vendor(self, tool: Tool | None) -> App:
        """The pretend vendor of ``tool``, built once."""
        if tool is None:
            return self._desk
        if tool not in self._vendors:
            package = importlib.import_module(f"hub.sandbox.{tool}")
            error_body = getattr(package, "error_body", _plain_error)
            app = package.app(self.world, self.knobs, courier=self.courier, office=self.offices[tool])
            self._vendors[tool] = Watched(tool, app, self.world, self.knobs, self.log, error_body)
        return self._vendors[tool]

    def door(self, tool: Tool) -> App:
        """Where people grant access to ``tool``, built once."""
        if tool not in self._doors:
            package = importlib.import_module(f"hub.sandbox.{tool}")
            app = package.door(self.world, self.knobs, self.offices[tool])
            self._doors[tool] = Watched(tool, app, self.world, self.knobs, self.log, package.error_body)
        return self._doors[tool]

    def warm(self) -> None:
        """Builds all three vendors now, so that the first request is not the slow one."""
        for tool in TOOLS:
            self.vendor(tool)

    def base_url(self, tool: Tool) -> str:
        """What a connection takes as its base URL, while the sandbox runs."""
        return f"{self.origin}{MOUNTS[tool]}"

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> Self:
        """Serves from a daemon thread; ``port`` 0 takes a free one. Returns when it accepts connections; ``OSError`` where the port is taken."""
        listening = socket.create_server(("127.0.0.1", port), backlog=512)
        # Accepted connections inherit it. asyncio would set it only on sockets that name their protocol: without it each answer on a kept-alive
        # connection waits 40 ms for the client's delayed acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self,
            lifespan="off",
            log_level="critical",
            log_config=None,
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            date_header=False,  # the vendors date their answers by the world's clock
        )
        self._server = _Announcing(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="sandbox", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(PATIENCE):
            raise RuntimeError(f"the sandbox did not come up within {PATIENCE:.0f} s")
        return self

    def stop(self) -> None:
        """Ends the server and the courier and waits for their threads; safe to call twice."""
        self.courier.stop()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(PATIENCE)
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start() if self._server is None else self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Announcing(uvicorn.Server):
    """A server that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _plain_error(code: int, now: datetime) -> tuple[dict[str, str], bytes]:
    return {"content-type": "application/json"}, orjson.dumps({"error": f"sandbox: status {code} on request"})
