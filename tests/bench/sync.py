"""``python -m tests.bench.sync --tasks 20000``: what a first and a second, unchanged sync cost, beside a bare reader and the fewest possible
requests.

Per tool: requests against ``minimum.py``; CPU a task, and as a ratio to a bare reader that sends the same requests in the same run; wall; database
bytes a task; and the largest resident
memory of the hub's process. The pretend vendors run in a process of their own, without limits unless ``--limits``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from tests.bench.minimum import MINIMUM, terms
from tests.bench.pretend import Pretend, pretend

HEADERS = {
    "asana": lambda token: {"Authorization": f"Bearer {token}"},
    "clickup": lambda token: {"Authorization": token},
    "monday": lambda token: {"Authorization": token, "API-Version": "2026-10", "Content-Type": "application/json"},
}
WIDTHS = {
    "turn": 7,
    "tool": 9,
    "tasks": 7,
    "requests": 9,
    "minimum": 9,
    "x": 7,
    "ms/task": 9,
    "bare": 9,
    "times": 7,
    "wall s": 8,
    "MB": 7,
    "B/task": 8,
}


def child(module: str, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs a bench module in a process of its own; its JSON lines."""
    done = subprocess.run([sys.executable, "-m", module], input=json.dumps(job), stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def bare(vendors: Pretend, tool: str, requests: list[dict[str, Any]]) -> float:
    """CPU seconds of the bare reader over these requests; the better of two, since the first also warms the vendor's caches."""
    job = {"base_url": vendors.base_urls[tool], "headers": HEADERS[tool](vendors.tokens[tool]), "requests": requests}
    return min(float(child("tests.bench.bare", job)[0]["cpu"]) for _ in range(2))


def measure(options: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    with pretend(options.tasks, options.seed, now.isoformat(), options.latency, limits=options.limits) as vendors:
        job = {"tools": {tool: {"token": vendors.tokens[tool], "base_url": vendors.base_urls[tool]} for tool in options.tools}}
        rows = child("tests.bench.hub_side", job | {"database_url": options.database_url})
        costs = {}
        for tool in options.tools:
            first = next(row["requests"] for row in rows if row["tool"] == tool)
            log = vendors.log(tool)
            costs[tool] = bare(vendors, tool, log[first:]) if len(log) > first else bare(vendors, tool, log)
    print("".join(f"{name:>{width}}" for name, width in WIDTHS.items()))
    for row in rows:
        tell(row, sum(terms(row["tool"], options.tasks, options.seed, now).values()), costs[row["tool"]])
    for turn in ("first", "second"):
        together(turn, [row for row in rows if row["turn"] == turn], costs)


def tell(row: dict[str, Any], minimum: int, cost: float) -> None:
    count = max(1, row["tasks"])
    shown = {
        "turn": row["turn"],
        "tool": row["tool"],
        "tasks": row["tasks"],
        "requests": row["requests"],
        "minimum": minimum,
        "x": f"{row['requests'] / minimum:.2f}",
        "ms/task": f"{1000 * row['cpu'] / count:.3f}",
        "bare": f"{1000 * cost / count:.3f}",
        "times": f"{row['cpu'] / cost:.1f}",
        "wall s": f"{row['wall']:.1f}",
        "MB": f"{row['rss_mb']:.0f}",
        "B/task": f"{row['bytes'] / count:.0f}",
    }
    print("".join(f"{shown[name]!s:>{width}}" for name, width in WIDTHS.items()), row["state"])
    for error in row["errors"]:
        print(f"        {error}")


def together(turn: str, rows: list[dict[str, Any]], costs: dict[str, float]) -> None:
    cpu, cost, count = sum(row["cpu"] for row in rows), sum(costs.values()), sum(row["tasks"] for row in rows)
    memory = max(row["rss_mb"] for row in rows)
    print(f"{turn}, together: {count} tasks, {1000 * cpu / count:.3f} ms CPU a task, {cpu / cost:.1f} times the bare reader, {memory:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=20_000, help="in each tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer waits")
    parser.add_argument("--limits", action="store_true", help="let the pretend vendors enforce their limits")
    parser.add_argument("--tools", nargs="+", default=list(MINIMUM), choices=list(MINIMUM))
    parser.add_argument("--database-url", help="instead of a temporary SQLite file")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
