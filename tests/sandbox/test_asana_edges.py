"""The pretend Asana at its edges: mounted below a path, fed with nonsense, and told of changes between two calls."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from hub.sandbox import seed
from hub.sandbox.asana import app
from hub.sandbox.asana.routes import ROUTES
from hub.sandbox.asana.site import Asked, Site
from hub.sandbox.knobs import Knobs
from tests.sandbox.asana_caller import Caller

WORLD = seed.build(tasks=60)
SITE = Site(WORLD, Knobs(limits=False), lambda: 0.0)
TOKEN = {"authorization": f"Bearer {WORLD.tokens['asana']}"}
IDS = [*list(WORLD.projects["asana"])[:5], *list(WORLD.tasks["asana"])[:5], *list(WORLD.nodes["asana"]), "me", "0", "\u0661", "x"]
NAMES = sorted({name for route in ROUTES for name in route.accepted} | {"custom_fields.1.value", "nonsense"})
VALUES = st.one_of(
    st.sampled_from([*IDS, "true", "now", "null", "2026-11-23", "0001-01-01T00:00:00+14:00", "created_at", "a.(b|c)", "1"]), st.text(max_size=12)
)


@settings(max_examples=300, deadline=None, database=None)
@given(template=st.sampled_from([route.template for route in ROUTES]), gid=VALUES, query=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
def test_nothing_a_client_sends_breaks_the_server(template: str, gid: str, query: dict[str, str]) -> None:
    path = "/".join(gid if part.startswith("{") else part for part in template.split("/"))
    answer = SITE.answer(Asked("GET", path, query, "http://asana.test", TOKEN))
    assert answer.status in (200, 400, 402, 403, 404, 412)
    assert answer.body[:1] == b"{"


@settings(max_examples=100, deadline=None, database=None)
@given(body=st.one_of(st.binary(max_size=20), st.sampled_from([b"[]", b'{"data": {"actions": [{"method": "get"}]}}', b'{"data": {"actions": [1]}}'])))
def test_no_body_breaks_a_batch(body: bytes) -> None:
    assert SITE.answer(Asked("POST", "/batch", {}, "http://asana.test", TOKEN, body)).status in (200, 400)


@pytest.mark.parametrize("text", ["a" + ".a" * 1000, "(" * 1000 + "a" + ")" * 1000])
def test_absurd_field_paths_are_refused(text: str) -> None:
    assert SITE.answer(Asked("GET", "/users/me", {"opt_fields": text}, "http://asana.test", TOKEN)).status == 400


@pytest.mark.anyio
async def test_below_a_mount_the_next_page_names_the_whole_address() -> None:
    outer = Starlette(routes=[Mount("/asana/api/1.0", app(WORLD, Knobs(limits=False)))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://asana.test/asana/api/1.0", headers=TOKEN) as client:
        page = (await client.get("/projects", params={"limit": 2})).json()["next_page"]
        assert page["path"].startswith("/projects?")
        assert page["uri"] == "http://asana.test/asana/api/1.0" + page["path"]
        assert (await client.get(page["uri"])).status_code == 200


@pytest.mark.anyio
async def test_a_change_of_the_world_shows_in_the_next_answer() -> None:
    asana = Caller()
    project, world = asana.largest(), asana.world
    task = next(task for task in asana.tasks if task.homes[0][0] == project.id and task.values)
    enum = next(field for field in world.fields["asana"].values() if field.type == "enum" and field.id in project.fields)
    fields = "name,custom_fields.(display_value|name),memberships.section.name"
    await asana.data("/tasks", project=project.id, opt_fields=fields)
    world.set_value("asana", task.id, enum.id, enum.options[1][0])
    world.rename_status("asana", project.id, project.sections[0].id, "Renamed")
    world.move("asana", task.id, project.id, project.sections[0].id)
    rows = {row["gid"]: row for row in await asana.data("/tasks", project=project.id, opt_fields=fields)}
    shown = {field["gid"]: field["display_value"] for field in rows[task.id]["custom_fields"]}
    assert shown[enum.id] == enum.options[1][1]
    assert "Renamed" in [home["section"]["name"] for home in rows[task.id]["memberships"]]
    world.hide_project("asana", project.id)
    assert (await asana.get("/tasks", project=project.id)).status_code == 403
