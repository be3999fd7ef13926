"""ClickUp: the connector class, which ties the files beside it together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from connectors.base import (
    STRUCTURE,
    Cadence,
    Capabilities,
    Chapter,
    Check,
    Context,
    Credential,
    Held,
    Item,
    Json,
    Known,
    Looked,
    Page,
    Scope,
    Slice,
    Workspace,
)
from connectors.calls import Call, Hook, Received
from connectors.clickup import client, days, lean, mapping, marks, oauth, past, webhooks
from connectors.clickup.client import Client, together
from connectors.clickup.feeds import Feeds
from connectors.clickup.met import Met
from connectors.clickup.tasks import Tasks, left_out
from connectors.clickup.walk import Walk, ident
from connectors.clickup.webhooks import Hooks
from connectors.errors import ConnectorError, NotFound, Refused
from connectors.http import Http, Lane
from connectors.oauth import OAuth
from connectors.records import Record, Ref

ONLY_BY_ID = ("attachments", "subtasks")


class ClickUpConnector:
    """One ClickUp account (a personal token or an OAuth token): every workspace that it may see.

    ``options``: ``timezone`` (IANA name that outranks the token user's), ``timezones`` (further ones in which 04:00 means a date without a time).
    """

    tool: ClassVar[str] = "clickup"
    default_base_url: ClassVar[str] = "https://api.clickup.com/api"
    mapping_version: ClassVar[int] = 1
    capabilities = Capabilities(concurrency=client.AT_ONCE, counts_children=False, lookup_batch=1, hooks=True, past=past.WORDS)
    hooks: ClassVar[Sequence[str]] = webhooks.PATHS
    """What it may send besides reads."""
    choices: ClassVar[Mapping[str, str]] = {
        "timezone": "the zone to read dates in, in place of the token user's",
        "timezones": "[further zones in which 04:00 means a date without a time]",
    }
    lanes: ClassVar[Mapping[str, Lane]] = {"default": Lane(per_minute=client.CALLS_A_MINUTE, at_once=client.AT_ONCE)}

    def __init__(self, http: Http, *, options: Mapping[str, Json], now: Callable[[], datetime]) -> None:
        days.require_zones(options)
        self.http = http
        self._client = Client(http)
        self._options = options
        self._me: tuple[str, Context] | None = None
        self._known = Known()
        met = Met()
        self._walk = Walk(self._client, met, self._zones)
        self._tasks = Tasks(self._client, met, self._zones)
        self._feeds = Feeds(self._client, self._walk, self._zones)
        self._hooks = Hooks(self._client)

    @staticmethod
    def classify(status: int, headers: Mapping[str, str], body: object) -> ConnectorError | None:
        """The vendor's own word on an answer, before the status code is looked at."""
        return client.classify(status, headers, body)

    @classmethod
    def http_headers(cls, credential: Credential) -> Mapping[str, str]:
        """A personal token goes bare (a Bearer prefix is refused like a wrong token), an OAuth token as Bearer."""
        return {"Authorization": f"Bearer {credential.token}" if credential.kind == "oauth" else credential.token}

    @classmethod
    def oauth(cls, base_url: str) -> Mapping[str, OAuth]:
        return oauth.flows(base_url)

    async def check(self) -> Check:
        """The token's user, workspaces, plan and limit. Raises AuthFailed where the credential is no good."""
        user = await self._client.user()
        teams = await self._client.teams()
        plans = await together([partial(self._client.plan, ident(team, "a workspace")) for team in teams])
        missing = [
            f"The plan of workspace {team.get('name')} cannot be read."
            for team, plan in zip(teams, plans, strict=True)
            if isinstance(plan, ConnectorError)
        ]
        if not teams:
            missing.append("No workspace is open to this token.")
        if not user.get("timezone") and not self._options.get("timezone"):
            missing.append("The user has no time zone: dates are read as UTC until the option 'timezone' is set.")
        self._zones(user.get("timezone"))
        named = sorted({plan for plan in plans if isinstance(plan, str)})
        return Check(
            user_external_id=ident(user, "the token's user"),
            user_name=user.get("username"),
            user_email=user.get("email"),
            account="",
            workspaces=tuple(Workspace(ident(team, "a workspace"), str(team.get("name"))) for team in teams),
            plan=", ".join(named) or None,
            limits={"calls a minute": self._client.limit or client.CALLS_A_MINUTE},
            missing=tuple(missing),
        )

    async def discover(self) -> Sequence[Item]:
        """Workspaces, spaces, folders and lists, without the archived lists of folders (one call per folder: left to the sync).

        What lies in a workspace or space that is closed to the token is not shown; all else is.
        """
        found: dict[Ref, Item] = {}
        waiting = list(self.roots(Scope()))
        walk = Walk(self._client, Met(), self._zones, glance=True)  # of its own: what is met here is handed to nobody, so a later read must bring it
        while waiting:
            try:
                page = await _walked(walk, waiting.pop(0))
            except (Refused, NotFound):
                continue
            found |= {item.id: item for item in page.items if item.id.startswith(("container:", "project:"))}
            waiting += [one for one in page.opens if one.phase == STRUCTURE and not one.key.startswith("folders:")]
        return list(found.values())

    def know(self, known: Known) -> None:
        """Marks, the lists read so far, and the way to what is stored; without it every reading is a full one."""
        self._known = self._walk.known = self._tasks.known = self._hooks.known = known
        self._feeds.know(known)

    def roots(self, scope: Scope) -> Sequence[Slice]:
        return [_root(scope)]

    def feeds(self, cadence: Cadence, scope: Scope) -> Sequence[Slice]:
        """Poll: two slices for each workspace. Structure: the walk of the full reading, which opens what is new to the hub."""
        return self._feeds.slices(scope) if cadence == Cadence.POLL else [_root(scope, feed=True)]

    async def read(self, piece: Slice, cursor: Json | None) -> AsyncIterator[Page]:
        """The slice's pages. Raises Refused or NotFound where the slice is one container and that is closed or gone."""
        word = piece.key.partition(":")[0]
        if word == "updated":
            pages = self._feeds.changes(piece, cursor)
        elif word in ("list", "lists"):
            pages = self._tasks.lists(piece, cursor)
        elif word in ("tasks", "archived"):
            pages = self._tasks.workspace(piece, cursor, archived=word == "archived")
        else:
            yield await _walked(self._walk, piece)
            return
        async for page in pages:
            yield page

    def children(self, parent: Ref) -> Slice:
        """ClickUp states no counts of children (``capabilities.counts_children`` is false): subtasks come as rows of the workspace-wide read."""
        raise NotImplementedError("ClickUp states no counts of children")

    async def lookup(self, refs: Sequence[Ref]) -> Looked:
        """Tasks and lists by id, one call each: 404 with a code of its own is gone, 401 OAUTH_027 and 403 are lost access.

        A task outside the scope that the hub does not hold (a webhook tells of the whole workspace) is in none of the three answers.
        """
        wrong = [ref for ref in refs if not ref.startswith(("task:", "project:"))]
        if wrong:
            raise ValueError(f"{wrong[0]}: only tasks and projects can be looked up")
        owner, context = await self._whose()
        answers = await together([partial(self._one, ref, owner, context) for ref in refs])
        pairs = list(zip(refs, answers, strict=True))
        return Looked(
            found=await self._in_scope({ref: answer for ref, answer in pairs if isinstance(answer, Item)}),
            gone=frozenset(ref for ref, answer in pairs if isinstance(answer, NotFound)),
            refused=frozenset(ref for ref, answer in pairs if isinstance(answer, Refused)),
        )

    async def _in_scope(self, found: Mapping[Ref, Item]) -> Mapping[Ref, Item]:
        outside = marks.left_out(self._known.marks)
        strange = [ref for ref, item in found.items() if ref.startswith("task:") and left_out(item.raw, outside)]
        held = await self._known.recall(strange) if strange else {}
        return {ref: item for ref, item in found.items() if ref not in strange or ref in held}

    async def _one(self, ref: Ref, owner: Ref, context: Context) -> Item:
        kind, _, key = ref.partition(":")
        if kind == "task":
            return Item(ref, _as_listed(await self._client.task(key)), context, owner)
        raw = await self._client.one_list(key)
        space = raw.get("space")
        home = str(space["id"]) if isinstance(space, dict) and space.get("id") else None
        return Item(ref, lean.list_(raw, folder=raw.get("folder"), space=home, workspace=None, archived=False), context, owner)

    async def _whose(self) -> tuple[Ref, Context]:
        if self._me is None:
            me = marks.me(self._known.marks)
            held = {} if me is None else await self._known.recall([f"identity:{me}"])
            user = next(iter(held.values()), None) or await self._client.user()
            self._me = (f"identity:{ident(user, 'the token user')}", self._zones(user.get("timezone")))
        return self._me

    def context(self, owner: Mapping[str, Json] | None) -> Context | None:
        """The zones to read dates in, from the stored body of the token's user."""
        return None if owner is None else self._zones(owner.get("timezone"))

    def _zones(self, timezone: str | None) -> Context:
        return days.context(timezone, self._options)

    def lean(self, item: Item) -> Mapping[str, Json]:
        """A task comes with far more than is mapped (the API takes no field list); everything else was cut when its item was made."""
        return lean.task(item.raw) if item.id.startswith("task:") else item.raw

    def map(self, item: Item) -> Record:
        """Pure. Raises BadResponse naming the object where the raw body is not what the specification says."""
        return mapping.record(item)

    # -- webhooks --------------------------------------------------------------------------------------------------------------

    def chapters(self, held: Held, since: datetime) -> Sequence[Slice]:
        return past.chapters(held, since)

    def past(self, piece: Slice) -> AsyncIterator[Chapter]:
        return past.read(self._client, piece)

    def hooks_wanted(self, scope: Scope) -> Sequence[Hook]:
        """One for each workspace."""
        return self._hooks.wanted(scope)

    async def hooks_held(self) -> Sequence[Hook]:
        return await self._hooks.held()

    async def subscribe(self, hook: Hook, target: str) -> Hook:
        """The answer holds the secret; the vendor does not call the address before it has something to tell."""
        return await self._hooks.subscribe(hook, target)

    async def revive(self, hook: Hook, target: str) -> Hook:
        return await self._hooks.revive(hook, target)

    async def unsubscribe(self, hook: Hook) -> None:
        await self._hooks.unsubscribe(hook)

    @classmethod
    def receive(cls, call: Call, hook: Hook, *, signing_secret: str | None, now: datetime) -> Received:
        """Pure. Every webhook has a secret of its own, so the app's is not asked for. Raises Forged."""
        return webhooks.receive(call, hook, now)


def _root(scope: Scope, *, feed: bool = False) -> Slice:
    args = {"workspaces": sorted(scope.workspaces), "excluded": sorted(scope.excluded)}
    return Slice("structure", "workspaces and people", STRUCTURE, args | ({"feed": True} if feed else {}))


def _as_listed(raw: client.Raw) -> client.Raw:
    """A task read by id as a list shows it, so that an unchanged one has the same body: without what only this read adds."""
    return {name: value for name, value in raw.items() if name not in ONLY_BY_ID}


async def _walked(walk: Walk, piece: Slice) -> Page:
    """The only page of a structure slice. Raises ValueError for a slice that is none of this connector's."""
    word = piece.key.partition(":")[0]
    read = {"structure": walk.structure, "workspace": walk.workspace, "space": walk.space, "folders": walk.folders}.get(word)
    if read is None:
        raise ValueError(f"{piece.key}: no slice of this connector")
    return await read(piece)
