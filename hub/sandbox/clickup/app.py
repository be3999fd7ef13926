"""The routes of the pretend ClickUp: token, rate, then the answer. Only what the hub reads, and webhooks, are served; every other path is the
vendor's 404 page."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.sandbox.clickup import containers, errors, fields, oauth, people, stays, tasks
from hub.sandbox.clickup.gate import Gate
from hub.sandbox.clickup.search import Search, is_true
from hub.sandbox.clickup.shelf import Row, Shelf, Shelves
from hub.sandbox.clickup.webhooks import Webhooks
from hub.sandbox.consent import Office
from hub.sandbox.courier import Courier
from hub.sandbox.knobs import Knobs
from hub.sandbox.world import World

Answer = dict[str, Any]
Reading = Callable[[Request], Answer]
Writing = Callable[[Request, dict[str, Any]], Answer]
KIND = {"team": "workspace", "space": "space", "folder": "folder", "list": "list"}


def app(
    world: World, knobs: Knobs, clock: Callable[[], float] = time.time, courier: Courier | None = None, office: Office | None = None
) -> Starlette:
    """A Starlette app that serves ``/v2/...``. ``clock`` gives Unix seconds for the rate window; without a ``courier`` no webhook is ever called."""
    return serve(ClickUp(world, knobs, courier), world, knobs, clock, office)


def serve(vendor: ClickUp, world: World, knobs: Knobs, clock: Callable[[], float], office: Office | None = None) -> Starlette:
    """The routes of a vendor that the caller keeps hold of."""
    gate = Gate(world, knobs, clock, office)
    routes = [] if office is None else oauth.routes(office)
    routes += [Route(f"/v2{path}", _reading(gate, answer), methods=["GET"]) for path, answer in vendor.routes().items()]
    routes += [Route(f"/v2{path}", _writing(gate, answer), methods=[method]) for (method, path), answer in vendor.writes().items()]
    return Starlette(routes=routes, exception_handlers={404: _no_route, 405: _no_route})


def _reading(gate: Gate, answer: Reading) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return _answered(gate, request, lambda: answer(request))

    return endpoint


def _writing(gate: Gate, answer: Writing) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        return _answered(gate, request, lambda: answer(request, _object(request, body)))

    return endpoint


def _answered(gate: Gate, request: Request, answer: Callable[[], Answer]) -> Response:
    rates: dict[str, str] = {}
    try:
        gate.admit(request.headers.get("authorization"))
        rates, within = gate.count()
        if not within:
            raise errors.rate_limited()
        return Response(orjson.dumps(answer()), media_type=errors.JSON, headers=rates)
    except errors.VendorError as error:
        return Response(error.body, error.status, rates, errors.JSON)


def _object(request: Request, body: bytes) -> dict[str, Any]:
    """The JSON object that a write carries; a deletion carries none."""
    if request.method == "DELETE":
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise errors.not_json() from None
    if not isinstance(found, dict) or request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise errors.not_json()
    return found


async def _no_route(request: Request, error: Exception) -> Response:
    return Response(errors.page(404, "Not Found"), 404, media_type=errors.HTML)


class ClickUp:
    """What each path answers, from the world as it is at that moment."""

    def __init__(self, world: World, knobs: Knobs, courier: Courier | None = None) -> None:
        self._world = world
        self.webhooks = Webhooks(world, knobs, courier)
        self._renderer = tasks.Renderer(world)
        self._shelves = Shelves(world, knobs, self._renderer.forget)
        self._search = Search(world, knobs)

    def routes(self) -> dict[str, Reading]:
        """Paths under /v2, named as the vendor's specification names them."""
        return {
            "/user": lambda request: people.me(self._world),
            "/team": lambda request: {"teams": people.teams(self._world, self._shelves.now().atlas)},
            "/team/{team_id}/space": self.spaces,
            "/team/{team_id}/shared": self.shared,
            "/team/{team_id}/custom_item": self.task_types,
            "/team/{team_id}/plan": self.plan,
            "/team/{team_Id}/task": self.team_tasks,
            "/team/{team_id}/webhook": lambda request: self.webhooks.listed(self._id(request)),
            "/group": self.groups,
            "/space/{space_id}": self.space,
            "/space/{space_id}/folder": self.folders,
            "/space/{space_id}/list": self.folderless_lists,
            "/space/{space_id}/tag": self.tags,
            "/folder/{folder_id}": self.folder,
            "/folder/{folder_id}/list": self.folder_lists,
            "/list/{list_id}": self.single_list,
            "/list/{list_id}/task": self.list_tasks,
            "/list/{list_id}/field": self.list_fields,
            "/team/{team_id}/field": self.fields_made_here,
            "/space/{space_id}/field": self.fields_made_here,
            "/folder/{folder_id}/field": self.fields_made_here,
            "/task/{task_id}": self.task,
            "/task/{task_id}/time_in_status": self.time_in_status,
            "/task/bulk_time_in_status/task_ids": self.times_in_status,
        }

    def writes(self) -> dict[tuple[str, str], Writing]:
        """Method and path of everything that is no read."""
        hooks = self.webhooks
        return {
            ("POST", "/team/{team_id}/webhook"): lambda request, body: hooks.make(self._id(request), body, self._shelves.now().atlas),
            ("PUT", "/webhook/{webhook_id}"): lambda request, body: hooks.change(request.path_params["webhook_id"], body),
            ("DELETE", "/webhook/{webhook_id}"): lambda request, body: hooks.drop(request.path_params["webhook_id"]),
        }

    def _id(self, request: Request) -> str:
        """The id in the path, once it is known that the token may read what it names."""
        name, identifier = next(iter(request.path_params.items()))
        kind = KIND[re.sub("_[iI]d$", "", name)]
        return self._shelves.now().atlas.find(kind, identifier).id

    def spaces(self, request: Request) -> Answer:
        atlas = self._shelves.now().atlas
        found = atlas.spaces(self._id(request), is_true(request.query_params, "archived"))
        return {"spaces": [containers.space(self._world, atlas, node, listed=True) for node in found]}

    def shared(self, request: Request) -> Answer:
        shelf = self._shelves.now()
        lists = [containers.shared_list(shelf, project) for project in shelf.atlas.shared(self._id(request))]
        return {"shared": {"tasks": [], "lists": lists, "folders": []}}

    def task_types(self, request: Request) -> Answer:
        self._id(request)
        named = ((tasks.MILESTONE, "Milestone"), (tasks.BUG, "Bug"))
        return {"custom_items": [{"id": number, "name": name, "name_plural": f"{name}s", "description": ""} for number, name in named]}

    def plan(self, request: Request) -> Answer:
        self._id(request)
        return containers.plan(self._world)

    def groups(self, request: Request) -> Answer:
        workspace = request.query_params.get("team_id")
        if workspace is None:
            raise errors.bad_value("team_id", "missing")
        self._shelves.now().atlas.find("workspace", workspace)
        wanted = {key for value in request.query_params.getlist("group_ids") for key in value.split(",")}
        return {"groups": people.groups(self._world, workspace, wanted)}

    def space(self, request: Request) -> Answer:
        atlas = self._shelves.now().atlas
        return containers.space(self._world, atlas, atlas.nodes[self._id(request)], listed=False)

    def folders(self, request: Request) -> Answer:
        shelf = self._shelves.now()
        found = shelf.atlas.folders(self._id(request), is_true(request.query_params, "archived"))
        return {"folders": [containers.folder(shelf, node) for node in found]}

    def folder(self, request: Request) -> Answer:
        shelf = self._shelves.now()
        return containers.single_folder(shelf, shelf.atlas.nodes[self._id(request)], is_true(request.query_params, "include_subfolders"))

    def folderless_lists(self, request: Request) -> Answer:
        return self._lists(request)

    def folder_lists(self, request: Request) -> Answer:
        return self._lists(request)

    def _lists(self, request: Request) -> Answer:
        shelf = self._shelves.now()
        found = shelf.atlas.lists(self._id(request), is_true(request.query_params, "archived"))
        return {"lists": [containers.list_row(shelf, project) for project in found]}

    def tags(self, request: Request) -> Answer:
        """The tags in use in the space; a tag has no id."""
        shelf, space = self._shelves.now(), self._id(request)
        names = dict.fromkeys(name for row in shelf.rows.values() if row.place.space.id == space for name in row.task.tags)
        return {"tags": [tasks.tag_object(name) for name in names]}

    def single_list(self, request: Request) -> Answer:
        shelf = self._shelves.now()
        return containers.single_list(shelf, shelf.atlas.projects[self._id(request)])

    def list_fields(self, request: Request) -> Answer:
        project = self._shelves.now().atlas.projects[self._id(request)]
        return {"fields": [fields.definition(self._world.fields["clickup"][key]) for key in project.fields]}

    def fields_made_here(self, request: Request) -> Answer:
        return {"fields": fields.made_at(self._world, self._shelves.now().atlas, self._id(request))}

    def team_tasks(self, request: Request) -> Answer:
        return self._tasks(request, "team")

    def list_tasks(self, request: Request) -> Answer:
        return self._tasks(request, "list")

    def _tasks(self, request: Request, kind: str) -> Answer:
        shelf, query = self._shelves.now(), request.query_params
        rows, last = self._search.page(shelf, kind, self._id(request), query)
        markdown = is_true(query, "include_markdown_description")
        return {"tasks": [self._renderer.fragment(row, shelf, markdown) for row in rows], "last_page": last}

    def task(self, request: Request) -> Answer:
        """One task; deleted 404, out of sight 401. No task here has a custom id, so a read by custom id finds none."""
        shelf, query = self._shelves.now(), request.query_params
        row = self._row(shelf, request)
        return self._renderer.single(row, shelf, is_true(query, "include_markdown_description"), is_true(query, "include_subtasks"))

    @staticmethod
    def _row(shelf: Shelf, request: Request) -> Row:
        custom = is_true(request.query_params, "custom_task_ids")
        row = None if custom else shelf.rows.get(request.path_params["task_id"])
        if row is None:
            raise errors.task_gone()
        row.place.require()
        return row

    def time_in_status(self, request: Request) -> Answer:
        shelf = self._shelves.now()
        return stays.of_one(self._world, shelf, self._row(shelf, request))

    def times_in_status(self, request: Request) -> Answer:
        return stays.of_many(self._world, self._shelves.now(), request.query_params.getlist("task_ids"))
