"""``hub endpoint listen``: events as they come, printed, and posted to a program on this machine as an endpoint would be sent them. Reads the log, or
the feed of a hub that runs elsewhere; nothing is stored, and nobody's position moves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import orjson
import typer

from hub.cli import house, show
from hub.cli.failures import CannotGoOn, WrongUsage, say
from hub.db import Database
from hub.delivery import address, catalogue, envelope, pull, signing
from hub.delivery.address import Rules, TargetRefused
from hub.delivery.filter import Filter
from hub.delivery.pull import Cursor, Lost
from hub.delivery.target import Answer, Target, tls

EVERY = 0.5
"""Seconds between two looks at the log."""
WAIT = 5
"""Seconds that a feed is asked to wait: Ctrl-C is obeyed after that at the latest."""
HERE = Rules(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
LOCAL = ("127.0.0.1", "localhost", "::1")


class Source(Protocol):
    def next(self) -> Sequence[bytes]:
        """Messages that came since; may wait a little, and may find none. Raises CannotGoOn."""
        ...


def listen(
    forward: Annotated[str | None, typer.Option(metavar="URL", help="post each event there, signed: a program on this machine")] = None,
    types: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="such as task.*; repeatable; none: all")] = None,
    begin: Annotated[str, typer.Option("--from", help="now, or start for all that is kept")] = "now",
    url: Annotated[str | None, typer.Option("--hub", metavar="URL", help="a running hub, instead of the database; its key in HUB_KEY")] = None,
    count: Annotated[int, typer.Option(min=0, help="end after so many; 0: never")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="the whole message, one line each")] = False,
) -> None:
    """Print events as they come; with --forward also post them, signed with a throw-away secret."""
    if begin not in ("now", "start"):
        raise WrongUsage("--from is now or start")
    if problem := catalogue.unknown(types or []):
        raise WrongUsage(problem)
    post = poster(forward) if forward else None
    show_one = _whole if as_json else _line
    if url:
        asyncio.run(_follow(Feed.open(url, os.environ.get("HUB_KEY", ""), begin, types or []), show_one, post, count))
        return
    with house.opened() as hub:
        asyncio.run(_follow(Log.open(hub.database, begin, types or []), show_one, post, count))


async def _follow(source: Source, show_one: Callable[[dict[str, Any], bytes], None], post: Poster | None, count: int) -> None:
    seen = 0
    while True:
        for body in await asyncio.to_thread(source.next):
            message = orjson.loads(body)
            show_one(message, body)
            if post is not None:
                answer = await post(message["id"], body)
                became = "taken" if answer.error is None else f"not taken: {answer.error}"
                say(f"hub: {became} ({answer.status or 'no answer'}, {answer.milliseconds} ms)")
            seen += 1
            if seen == count:
                return


def _whole(_message: dict[str, Any], body: bytes) -> None:
    show.line(body.decode())


def _line(message: dict[str, Any], _body: bytes) -> None:
    entity, data = message["entity"], message.get("data") or {}
    name = (data.get("object") or {}).get("title") or (data.get("object") or {}).get("name") or entity["id"]
    show.line(f"{message['recorded_at']}  {message['type']}  {entity['tool'] or 'hub'}  {name}  {', '.join(data.get('changed', ()))}".rstrip())


@dataclass(slots=True)
class Log:
    """The database's own log."""

    database: Database
    wanted: Filter
    cursor: Cursor
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def open(cls, database: Database, begin: str, types: Sequence[str]) -> Log:
        with database.reading() as session:
            return cls(database, Filter(types=frozenset(types)), pull.now(session) if begin == "now" else pull.start(session))

    def next(self) -> Sequence[bytes]:
        with self.database.reading() as session:
            try:
                found = pull.page(session, self.cursor, self.wanted, 100)
            except Lost as error:
                raise CannotGoOn(str(error)) from error
        self.cursor = found.cursor
        if found.exhausted and not found.lines:
            self.sleep(EVERY)
        return [envelope.body(line, thin=False) for line in found.lines]


@dataclass(slots=True)
class Feed:
    """The feed of a running hub."""

    url: str
    key: str
    query: dict[str, Any]

    @classmethod
    def open(cls, url: str, key: str, begin: str, types: Sequence[str]) -> Feed:
        if urlsplit(url).scheme not in ("http", "https"):
            raise WrongUsage("--hub is an address such as http://127.0.0.1:8000")
        if not key:
            raise WrongUsage("put a key of that hub into HUB_KEY: hub key create --name listen --role consumer")
        return cls(url.rstrip("/"), key, {"from": begin, "type": list(types)})

    def next(self) -> Sequence[bytes]:
        asked = Request(  # noqa: S310  the scheme was checked
            f"{self.url}/api/v1/events?{urlencode(self.query | {'wait': WAIT}, doseq=True)}", headers={"Authorization": f"Bearer {self.key}"}
        )
        try:
            with urlopen(asked, timeout=WAIT + 30) as answer:  # noqa: S310  likewise
                body = orjson.loads(answer.read())
        except HTTPError as error:
            raise CannotGoOn(f"the hub refuses: {_detail(error)}") from error
        except (URLError, OSError, orjson.JSONDecodeError) as error:
            raise CannotGoOn(f"the hub at {self.url} does not answer: {getattr(error, 'reason', error)}") from error
        self.query = {"after": body["next_cursor"], "type": self.query["type"]}
        return [orjson.dumps(message) for message in body["data"]]


def _detail(error: HTTPError) -> str:
    try:
        return str(orjson.loads(error.read())["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"status {error.code}"


class Poster:
    """Posts as an endpoint is posted to. Belongs to the loop of its first post."""

    def __init__(self, url: str, secret: str) -> None:
        self.url, self.keys = url, [signing.key(secret)]
        self._target: Target | None = None

    async def __call__(self, message_id: str, body: bytes) -> Answer:
        if self._target is None:
            self._target = Target(self.url, HERE, tls(None), _resolve)
        return await self._target.post(signing.sign(self.keys, message_id, house.now(), body), body, [])


async def _resolve(host: str, port: int) -> list[str]:
    return await asyncio.to_thread(address.resolve, host, port)


def poster(url: str) -> Poster:
    """Raises WrongUsage for what is not on this machine: what is sent elsewhere is an endpoint's, with all its guards."""
    if urlsplit(url).hostname not in LOCAL:
        raise WrongUsage("--forward is for a program on this machine, such as http://127.0.0.1:9000/hooks; for others: hub endpoint add")
    try:
        address.check(url, HERE)
    except TargetRefused as error:
        raise WrongUsage(f"--forward: {error}") from error
    secret = signing.new_secret()
    say(f"hub: signed with {secret}, for as long as this command runs")
    return Poster(url, secret)
