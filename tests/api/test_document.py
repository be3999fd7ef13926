"""The OpenAPI document held against the service: whatever is asked, sensible or not, as whatever role, the answer is one that the document names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.requests import REQUESTS_TRANSPORT

from hub.access import keys
from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access import hostile
from tests.access.asked import operations
from tests.api.builders import NOW
from tests.api.conftest import Caller, Clock, NotedJobs, let_see

EXAMPLES = int(os.environ.get("HUB_EXAMPLES", "4"))
"""Questions to each operation, each asked by every role."""
QUARTERS = 4
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
SELF = "127.0.0.1:9"
"""Nobody listens there."""
asked_often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    derandomize="HUB_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
WIRE = ("method", "url", "params", "headers", "cookies", "data", "json")


class House:
    """One hub for all questions of a test run. ``callers``: a key of each role, a key that may only read, and none."""

    def __init__(self, url: str) -> None:
        self.database, self.vault = Database(url), Vault([b"k" * 32])
        asked = Settings(webhook_allow=("127.0.0.0/8",), key_rate=1_000_000)
        self.app = create_app(asked, self.database, self.vault, NotedJobs(), Clock())
        self.schema = schemathesis.openapi.from_dict(self.app.openapi())
        with self.database.writing() as session:
            self.ids = hostile.written(session)
            self.callers = {role: let_see(session, keys.create(session, f"a {role}", role, NOW)) for role in keys.Role}
            self.callers["reader"] = keys.create(session, "a reader", "admin", NOW, scope=keys.Scope.READ)
            self.callers["nobody"] = ""

    def operations(self, quarter: int) -> list[Any]:
        return [found.ok() for found in self.schema.get_all_operations()][quarter::QUARTERS]

    def fresh(self, caller: str) -> dict[str, UUID]:
        """Things that this question may change or remove."""
        with self.database.writing() as session:
            owner = keys.verify(session, self.callers[caller], NOW) or keys.verify(session, self.callers[keys.Role.ADMIN], NOW)
            assert owner is not None
            return hostile.staff(session, self.vault, owner)

    def ask(self, case: Any, caller: str, *, known: bool) -> httpx.Response:
        """``known``: about things that there are, as far as the question names any."""
        ids = {**self.ids, **(self.fresh(caller) if known and case.method != "GET" else {})}
        sent = REQUESTS_TRANSPORT.serialize_case(case, base_url=f"http://{SELF}")
        sent["params"] = {name: value for name, value in (sent["params"] or {}).items() if name != "wait"}  # nobody waits in a test
        if known:
            case.path_parameters = {name: str(ids.get(name, value)) for name, value in case.path_parameters.items()}
            sent["url"] = f"http://{SELF}{case.formatted_path}"
            if isinstance(sent.get("json"), dict):
                said = {
                    "url": f"http://{SELF}/",
                    "grants": [f"project:{ids['project_id']}"],
                    "owner_user_id": str(ids.get("user_id")),
                    "entity_id": None,
                }
                sent["json"] = {name: said.get(name) or value for name, value in sent["json"].items()}
        key = {"Authorization": f"Bearer {self.callers[caller]}"} if self.callers[caller] else {}  # wrong keys would make the address wait
        headers = {name: value for name, value in sent.pop("headers").items() if name.lower() != "authorization"} | key
        wire = requests.Request(headers=headers, **{name: value for name, value in sent.items() if name in WIRE}).prepare()
        content = wire.body.encode() if isinstance(wire.body, str) else wire.body
        raw = [(name, value.encode("latin-1", "replace") if isinstance(value, str) else value) for name, value in wire.headers.items()]
        request = httpx.Request(str(wire.method), str(wire.url), headers=raw, content=content)

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app, raise_app_exceptions=False)) as client:
                return await client.send(request)

        return anyio.run(send)


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    path = tmp_path_factory.mktemp("document") / "hub.db"
    path.write_bytes(sqlite_template.read_bytes())
    made = House(f"sqlite:///{path}")
    yield made
    made.database.dispose()


@pytest.mark.parametrize("quarter", range(QUARTERS))
def test_every_answer_is_one_that_the_document_names(house: House, quarter: int) -> None:
    wrong: dict[tuple[str, int], str] = {}
    good: dict[str, bool] = {}
    for operation in house.operations(quarter):

        @asked_often
        @given(case=st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)), known=st.sampled_from((True, True, True, False)))
        def held_against_it(case: Any, known: bool) -> None:
            for caller in house.callers:
                answer = house.ask(case, caller, known=known)
                good[case.operation.label] = good.get(case.operation.label, False) or answer.status_code < 300
                try:
                    case.validate_response(answer, checks=CHECKS)
                except FailureGroup as error:
                    said = "; ".join(f"{each.title}: {each.message}" for each in error.exceptions)
                    sent = f"{case.method} {answer.request.url} {answer.request.content!r:.400}"
                    wrong[case.operation.label, answer.status_code] = f"{sent} as {caller}: {answer.status_code} {answer.text:.400}: {said:.900}"

        held_against_it()
    assert not wrong, "\n\n".join(wrong.values())
    assert sum(good.values()) > len(good) * 0.6, f"little was proved: {[each for each, fine in good.items() if not fine]}"


def test_an_answer_with_a_tag_may_be_one_that_the_caller_has_and_the_document_says_which(house: House) -> None:
    admin, ids = Caller(house.app, house.callers[keys.Role.ADMIN]), house.ids | house.fresh(keys.Role.ADMIN)
    for operation in operations(house.app):
        if operation.method != "GET":
            continue
        needed = {each["name"]: str(house.ids["project_id"]) for each in operation.parameters if each["in"] == "query" and each.get("required")}
        tag = admin("GET", operation.address(ids), params=needed).headers.get("etag")
        named = "304" in house.app.openapi()["paths"][operation.path]["get"]["responses"]
        assert (tag is not None) == named, f"{operation.path} has {'a' if tag else 'no'} tag: include its router with CACHED, or not"
        if tag is not None:
            headers = {"Authorization": f"Bearer {admin.key}", "If-None-Match": tag}
            answer = admin("GET", operation.address(ids), params=needed, headers=headers)
            assert (answer.status_code, answer.content) == (304, b""), operation.path
