"""``python -m hub.sandbox``: the pretend vendors as a process of their own. Prints one JSON line and serves until it is told to end."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import UTC, datetime

import orjson

from hub.sandbox import seed
from hub.sandbox.knobs import Knobs
from hub.sandbox.server import Sandbox
from hub.sandbox.world import TOOLS, Tool


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, or until stdin closes with ``--until-eof``. Returns the exit code; 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    world = seed.build(options.seed, options.tasks, options.now or datetime.now(UTC), dict(options.plan))
    sandbox = Sandbox(world, Knobs(limits=not options.no_limits, latency=options.latency))
    sandbox.warm()
    sandbox.start(options.port)
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: told.set())
    if options.until_eof:
        threading.Thread(target=_wait_for_end, args=(told,), daemon=True).start()
    line = {"port": sandbox.port, "base_urls": {tool: sandbox.base_url(tool) for tool in TOOLS}, "tokens": world.tokens}
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()
    told.wait()
    sandbox.stop()
    return 0


def _wait_for_end(told: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    told.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub.sandbox", description="Pretend Asana, monday.com and ClickUp on one port of this machine.")
    parser.add_argument("--tasks", type=int, default=300, help="tasks that the token can list, in each tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--no-limits", action="store_true", help="no rate, concurrency or complexity limits")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each answer waits")
    parser.add_argument("--plan", type=_plan, action="append", default=[], metavar="TOOL=PLAN", help="for instance asana=free")
    parser.add_argument(
        "--now", type=_instant, help="the world's clock as ISO text with a zone; default: now. The same seed, size and clock give the same world"
    )
    parser.add_argument("--until-eof", action="store_true", help="end when stdin closes")
    return parser


def _plan(text: str) -> tuple[Tool, str]:
    name, _, plan = text.partition("=")
    for tool in TOOLS:
        if tool == name and plan:
            return tool, plan
    raise argparse.ArgumentTypeError(f"{text!r} is not TOOL=PLAN with one of {', '.join(TOOLS)}")


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("say the zone, for instance 2026-11-23T09:00:00Z")
    return moment


if __name__ == "__main__":
    sys.exit(main())
