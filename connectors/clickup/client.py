"""Calls to ClickUp: one method per address, the vendor's raw dicts out, its error codes sorted.

Facts: the vendor's OpenAPI file v2 and its pages on rate limits and common errors; what others saw live is marked "seen".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import anyio

from connectors.base import Sight
from connectors.errors import AuthFailed, BadResponse, ConnectorError, NotFound, RateLimited, Refused

if TYPE_CHECKING:
    from connectors.http import Http

T = TypeVar("T")
Raw: TypeAlias = dict[str, Any]
Params: TypeAlias = Sequence[tuple[str, str]]

CALLS_A_MINUTE: Final = 100  # the smallest plan's limit; X-RateLimit-Limit raises it
AT_ONCE: Final = 6  # the vendor documents no limit; four to six is what careful clients use
ROWS_A_PAGE: Final = 100  # fixed by the vendor, no parameter
EVERYTHING: Final = (("subtasks", "true"), ("include_closed", "true"))  # both are false by default: subtasks and closed tasks missing without a word
WINDOW_SECONDS: Final = 60.0  # the limit's window: a wait of all of it is enough whatever was used
LONGEST_SAID_WAIT: Final = 3600.0  # a Reset further off than that is no time in seconds

REFUSED_CODES: Final = frozenset({"OAUTH_023", "OAUTH_026", "OAUTH_027", *(f"OAUTH_{number:03}" for number in range(29, 46))})
"""401 codes that mean "this workspace, or the thing named by this id, is not open to the token": the credential itself is fine."""


def classify(status: int, headers: Mapping[str, str], body: object) -> ConnectorError | None:
    """The error that a ClickUp answer means, null where the status code alone says it (5xx) or where all is well."""
    if status < 400 or status >= 500:
        return None
    code, text = _error(body)
    message = " ".join(word for word in (code, text) if word)
    if status == 429:
        return RateLimited(message, retry_after=_seconds_to_reset(headers), code=code, status=status)
    if status == 401:
        kind = Refused if code in REFUSED_CODES else AuthFailed
        return kind(message, code=code, status=status)
    if status in (402, 403):
        return Refused(message, code=code, status=status)
    if status == 404 and code is not None and code.startswith("ITEM_"):
        return NotFound(message, code=code, status=status)
    if status == 404:
        # An unknown route answers 404 with HTML: our mistake (or a proxy's), no proof that anything is gone.
        return BadResponse(message or "no such address", code=code, status=status)
    return BadResponse(message, code=code, status=status) if status == 400 and code is not None else None


def _error(body: object) -> tuple[str | None, str]:
    if not isinstance(body, Mapping):
        return None, ""
    code = body.get("ECODE")
    text = next((body[key] for key in ("err", "error", "message") if isinstance(body.get(key), str)), "")
    return code if isinstance(code, str) else None, " ".join(text.split())[:200]


def _seconds_to_reset(headers: Mapping[str, str]) -> float:
    """X-RateLimit-Reset (Unix seconds) against the answer's own Date, so that a wrong clock on this machine does not matter."""
    try:
        reset = int(headers.get("X-RateLimit-Reset") or "")
    except ValueError:
        return WINDOW_SECONDS
    sent = _date(headers)
    wait = WINDOW_SECONDS if sent is None else reset - sent
    return max(wait, 1.0) if wait <= LONGEST_SAID_WAIT else WINDOW_SECONDS


def _date(headers: Mapping[str, str]) -> float | None:
    """When the answer was sent, Unix seconds by the vendor's own clock."""
    try:
        return parsedate_to_datetime(headers.get("Date") or "").timestamp()
    except (ValueError, TypeError):
        return None


async def together(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T | Refused | NotFound]:
    """The results of several calls in the order given. A refusal or absence is a result; any other error ends all of them and is raised."""
    results: dict[int, T | Refused | NotFound] = {}
    fatal: list[ConnectorError] = []
    gate = anyio.CapacityLimiter(AT_ONCE)

    async def run(position: int, call: Callable[[], Awaitable[T]]) -> None:
        async with gate:
            try:
                results[position] = await call()
            except (Refused, NotFound) as error:
                results[position] = error
            except ConnectorError as error:
                fatal.append(error)
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for position, call in enumerate(calls):
            group.start_soon(run, position, call)
    if fatal:
        raise fatal[0]
    return [results[position] for position in range(len(calls))]


class Client:
    """ClickUp's reads. ``limit``: calls a minute as the last answer stated them, null before the first one that did."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.limit: int | None = None
        http.on_headers = self._learn  # every answer's, refusals included: a 429 states the limit for sure

    async def _object(self, path: str, params: Params = ()) -> Raw:
        return _whole(path, (await self._http.get(path, params)).body)

    async def _rows(self, path: str, key: str, params: Params = ()) -> list[Raw]:
        return _list_of_objects(await self._object(path, params), key, path)

    def _learn(self, headers: Mapping[str, str]) -> None:
        stated = headers.get("X-RateLimit-Limit")
        if stated is None or not stated.isdigit() or int(stated) == 0 or int(stated) == self.limit:
            return
        self.limit = int(stated)
        self._http.limiter.set_rate("default", self.limit)

    async def user(self) -> Raw:
        """The token's user, with its time zone."""
        user = (await self._object("/v2/user")).get("user")
        if not isinstance(user, dict):
            raise BadResponse("/v2/user: the answer has no user")
        return user

    async def teams(self) -> list[Raw]:
        """All workspaces of the token with all their members; one call, not paged."""
        return await self._rows("/v2/team", "teams")

    async def plan(self, workspace: str) -> str | None:
        name = (await self._object(f"/v2/team/{workspace}/plan")).get("plan_name")
        return name if isinstance(name, str) else None

    async def groups(self, workspace: str) -> list[Raw]:
        return await self._rows("/v2/group", "groups", [("team_id", workspace)])

    async def shared(self, workspace: str) -> tuple[list[Raw], list[Raw]]:
        """Lists and folders shared with the user from places that the walk does not reach."""
        path = f"/v2/team/{workspace}/shared"
        shared = (await self._object(path)).get("shared")
        if not isinstance(shared, dict):
            raise BadResponse(f"{path}: the answer has no shared")
        return _list_of_objects(shared, "lists", path), _list_of_objects(shared, "folders", path)

    async def spaces(self, workspace: str, *, archived: bool) -> list[Raw]:
        return await self._rows(f"/v2/team/{workspace}/space", "spaces", _archived(archived))

    async def folders(self, space: str, *, archived: bool) -> list[Raw]:
        return await self._rows(f"/v2/space/{space}/folder", "folders", _archived(archived))

    async def folderless_lists(self, space: str, *, archived: bool) -> list[Raw]:
        return await self._rows(f"/v2/space/{space}/list", "lists", _archived(archived))

    async def folder_lists(self, folder: str, *, archived: bool) -> list[Raw]:
        return await self._rows(f"/v2/folder/{folder}/list", "lists", _archived(archived))

    async def one_list(self, key: str) -> Raw:
        return await self._object(f"/v2/list/{key}")

    async def task(self, key: str) -> Raw:
        return await self._object(f"/v2/task/{key}")

    async def tasks(self, path: str, params: Params, sight: Sight | None = None) -> tuple[list[Raw], bool]:
        """One page of a task list, and whether it is the last.

        Says ``last_page``, which the specification has for list reads only; where it is missing, a page that is not full is the last.
        """
        rows, last, _ = await self.dated_tasks(path, params, sight)
        return rows, last

    async def dated_tasks(self, path: str, params: Params, sight: Sight | None = None) -> tuple[list[Raw], bool, float | None]:
        """The same, and when it was answered (Unix seconds by the answer's own Date; null where it has none). No rows where ``sight`` knows it."""
        answer = await self._http.get(path, params, instead=None if sight is None else lambda content: {} if sight.of(content) else None)
        if sight is not None and sight.found is not None:
            return [], True, _date(answer.headers)
        body = _whole(path, answer.body)
        rows, last, date = _list_of_objects(body, "tasks", path), body.get("last_page"), _date(answer.headers)
        if last is None:
            return rows, len(rows) < ROWS_A_PAGE, date
        if not isinstance(last, bool):
            raise BadResponse(f"{path}: last_page is neither true nor false")
        if not rows and not last:
            raise BadResponse(f"{path}: an empty page that says it is not the last")
        return rows, last, date

    async def times_in_status(self, keys: Sequence[str]) -> dict[str, Raw]:
        """By task id, of at most 100; those that cannot be read are missing. The read of many takes two at least."""
        if len(keys) == 1:
            return {keys[0]: await self._object(f"/v2/task/{keys[0]}/time_in_status")}
        return await self._object("/v2/task/bulk_time_in_status/task_ids", [("task_ids", key) for key in keys])

    async def one_folder(self, key: str) -> Raw:
        return await self._object(f"/v2/folder/{key}")

    async def hooks(self, workspace: str) -> list[Raw]:
        """The webhooks that this user (and app) made in a workspace, with health and secret."""
        return await self._rows(f"/v2/team/{workspace}/webhook", "webhooks")

    async def make_hook(self, workspace: str, body: Raw) -> Raw:
        """Registers a webhook; the answer's ``webhook``, its secret in it."""
        return _hook((await self._http.register_hook("POST", f"/v2/team/{workspace}/webhook", body)).body)

    async def change_hook(self, key: str, body: Raw) -> Raw:
        """Sets a webhook's endpoint, events and status, all three at once as the vendor wants."""
        return _hook((await self._http.register_hook("PUT", f"/v2/webhook/{key}", body)).body)

    async def drop_hook(self, key: str) -> None:
        await self._http.register_hook("DELETE", f"/v2/webhook/{key}")


def _archived(archived: bool) -> Params:
    # A switch, not a widening: true gives the archived ones only. So both are asked for.
    return [("archived", "true" if archived else "false")]


def _whole(path: str, body: Any) -> Raw:
    if not isinstance(body, dict):
        raise BadResponse(f"{path}: the answer is not a JSON object")
    return body


def _hook(body: Any) -> Raw:
    hook = body.get("webhook") if isinstance(body, dict) else None
    if not isinstance(hook, dict) or not isinstance(hook.get("id"), str) or not hook["id"]:
        raise BadResponse("the answer to a registration has no webhook with an id")
    return hook


def _list_of_objects(body: Raw, key: str, path: str) -> list[Raw]:
    rows = body.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadResponse(f"{path}: the answer has no list of {key}")
    return rows
