"""``hub serve`` and ``hub worker``: the long-running processes. Ctrl-C and SIGTERM end them in order, with exit code 0."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Annotated, Any

import typer

from hub.cli import house, show, users
from hub.cli.failures import CannotGoOn, say
from hub.cli.house import House
from hub.jobs.embedded import EmbeddedJobs

HOST, PORT = "127.0.0.1", 8000
GRACE_SECONDS = 5
"""How long open requests may take to end once the service is told to."""


def serve(
    host: Annotated[str, typer.Option(help="the address to listen on; 0.0.0.0 opens it to the network")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = PORT,
) -> None:
    """Serve the API and keep all connections up to date."""
    with house.opened(quiet=False, may_migrate=True) as hub, listening(host, port) as door, receiving(hub) as side_door:
        address = f"http://{_shown(host)}:{door.getsockname()[1]}"

        def ready() -> None:
            say(f"hub: {address} answers; Ctrl-C ends it")
            first_admin(hub, address)

        run(hub, door, side_door=side_door, ready=ready)


def first_admin(hub: House, address: str) -> None:
    """Prints the first admin's one-time link, where nobody could log in else and a person, not a log, reads what is printed."""
    if sys.stdout.isatty() and (link := users.first_admin_link(hub, address)) is not None:
        show.line(f"Become the first admin, once, within an hour:\n{link}")
        sys.stdout.flush()


def worker() -> None:
    """Keep all connections up to date, without the API."""
    from hub.worker import run_worker

    with house.opened(quiet=False) as hub:
        say("hub: the worker keeps the connections up to date; Ctrl-C ends it")
        run_worker(hub.settings)


def listening(host: str, port: int, *, setting: str | None = None) -> socket.socket:
    """A socket that accepts connections; raises CannotGoOn where it cannot be had. ``setting``: what both were set with, if not the options."""
    try:
        door = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer on a kept connection waits 40 ms for an acknowledgement
        return door
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotGoOn(f"port {port} of {host} is in use by another program: choose another one with {setting or '--port'}") from error
        raise CannotGoOn(f"cannot listen on {host} port {port} ({error.strerror or error}): choose another with {setting or '--host'}") from error


@contextmanager
def receiving(hub: House) -> Iterator[socket.socket | None]:
    """The socket that HUB_RECEIVER_BIND asks for; none where the tools call the same address as everyone."""
    if hub.settings.receiver_bind is None:
        yield None
        return
    with listening(*hub.settings.receiver_bind, setting="HUB_RECEIVER_BIND") as door:
        say(f"hub: {_shown(hub.settings.receiver_bind[0])}:{door.getsockname()[1]} takes the tools' webhooks")
        yield door


def run(hub: House, door: socket.socket, *, side_door: socket.socket | None = None, ready: Callable[[], None] = lambda: None, **how: Any) -> None:
    """Serves until told to end. ``side_door``: takes webhooks only. ``ready`` is called once requests are answered; ``how`` goes to
    ``create_app``."""
    import uvicorn

    from hub.app import create_app

    jobs = EmbeddedJobs(house.now)
    app = create_app(hub.settings, hub.database, hub.vault, jobs, house.now, **how)

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                ready()

    server = Announcing(
        uvicorn.Config(app, log_config=None, access_log=False, proxy_headers=False, lifespan="on", timeout_graceful_shutdown=GRACE_SECONDS)
    )
    try:
        with at_the_side(hub, side_door, jobs):
            server.run(sockets=[door])
    except KeyboardInterrupt:  # uvicorn hands the signal on once it has ended in order
        say("hub: ended")
        return
    if not server.started:
        raise CannotGoOn("the service could not start; the lines above say why")


@contextmanager
def at_the_side(hub: House, door: socket.socket | None, jobs: EmbeddedJobs) -> Iterator[None]:
    """Serves webhooks at a door of their own, from a thread, while the block lasts."""
    if door is None:
        yield
        return
    import uvicorn

    from hub.app import create_receiver_app

    app = create_receiver_app(hub.settings, hub.database, hub.vault, jobs, house.now)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE_SECONDS))
    thread = Thread(target=server.run, args=([door],), name="receivers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(2 * GRACE_SECONDS)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
