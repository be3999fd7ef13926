"""The bare reader: sends the very requests that the hub sent, unpacks and parses the answers, keeps nothing. What reading costs at the least.

``python -m tests.bench.bare`` reads a JSON job on stdin (base URL, headers, requests) and
prints ``{"cpu": seconds, "wall": seconds, "bytes": parsed}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx
import orjson

AT_ONCE = 6


async def read(job: dict[str, Any]) -> int:
    """Bytes parsed."""
    waiting = iter(job["requests"])
    total = 0
    headers = {"Accept-Encoding": "gzip", **job["headers"]}
    async with httpx.AsyncClient(headers=headers, timeout=70, trust_env=False) as client:

        async def work() -> None:
            nonlocal total
            for request in waiting:
                url = job["base_url"] + request["path"].rstrip("/") + (f"?{request['query']}" if request["query"] else "")
                answer = await client.request(request["method"], url, content=request["body"].encode() if request["body"] else None)
                orjson.loads(answer.content)
                total += len(answer.content)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return total


def main() -> None:
    job = json.load(sys.stdin)
    cpu, wall = time.process_time(), time.perf_counter()
    total = asyncio.run(read(job))
    print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "bytes": total}))


if __name__ == "__main__":
    main()
