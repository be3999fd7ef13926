"""README is true: its commands and options exist, its paths and parameters are the API's, its tables are the code's, and CI runs what it says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import typer

from connectors import registry
from hub.access.keys import Role
from hub.app import create_app
from hub.cli import app as commands
from hub.db import Database
from hub.events import EventType
from hub.jobs.embedded import EmbeddedJobs
from hub.settings import load
from hub.vault import Vault

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
PREFIX = "/api/v1"


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the tables under a heading, without their header rows."""
    part = re.split(r"^## ", README, flags=re.MULTILINE)
    section = next(each for each in part if each.startswith(heading))
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.fixture
def specification(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The OpenAPI document that the hub serves."""
    database = Database(f"sqlite:///{tmp_path}/hub.db")

    def now() -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    yield create_app(load({}), database, Vault([bytes(32)]), EmbeddedJobs(now), now).openapi()
    database.dispose()


def commands_in(line: str) -> Iterator[list[str]]:
    """The calls of ``hub`` in a line of shell, as words."""
    for part in re.split(r"&&|;", line):
        call = shlex.split(re.split(r"[<>]", part)[0])
        at = next((place for place, word in enumerate(call) if word == "hub" or word.endswith("bin/hub")), None)
        if at is not None and call[0] != "docker":
            yield call[at + 1 :]


def command_of(call: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that a call names and what follows it; fails where there is none."""
    command: Any = typer.main.get_command(commands)
    rest = list(call)
    while hasattr(command, "commands"):
        assert rest, f"hub {' '.join(call)} names a group, not a command"
        assert rest[0] in command.commands, f"hub {' '.join(call)}: there is no {rest[0]!r}; there are {sorted(command.commands)}"
        command = command.commands[rest.pop(0)]
    return command, rest


def options_of(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")} | {"--help"}


def calls() -> list[list[str]]:
    found = [call for line in LINES for call in commands_in(line)]
    return found + [shlex.split(span)[1:] for span in SPANS if span.startswith("hub ")]


def test_every_command_in_the_readme_exists_with_its_options() -> None:
    assert len(calls()) > 20, "the README's commands were not found: has its form changed?"
    for call in calls():
        command, rest = command_of(call)
        unknown = {word for word in rest if word.startswith("--")} - options_of(command)
        assert not unknown, f"hub {' '.join(call)}: {unknown} is no option of it; there are {sorted(options_of(command))}"


def test_every_command_is_in_the_readme() -> None:
    group: Any = typer.main.get_command(commands)
    documented = "\n".join(cell for row in rows("Commands") for cell in row)
    for name, command in group.commands.items():
        assert f"`hub {name}" in documented, f"add hub {name} to README's table of commands"
        for below in getattr(command, "commands", {}):
            assert re.search(rf"[` ]{below}[` ]", documented), f"add hub {name} {below} to README's table of commands"


def test_every_api_path_and_parameter_in_the_readme_exists(specification: dict[str, Any]) -> None:
    templates = {re.compile(re.sub(r"\{\w+\}", r"[^/]+", path) + "$"): operations for path, operations in specification["paths"].items()}
    addresses = re.findall(r"(/api/v1/[\w/{}?&=.,-]+)", README)
    assert addresses, "the README shows no address of the API"
    for address in addresses:
        parts = urlsplit(address)
        known = next((operations for template, operations in templates.items() if template.match(parts.path)), None)
        assert known, f"{parts.path} is not in the API"
        allowed = {parameter["name"] for operation in known.values() for parameter in operation.get("parameters", [])}
        unknown = {name for name, _ in parse_qsl(parts.query)} - allowed
        assert not unknown, f"{address}: {unknown} is no parameter of it"


def test_the_table_of_paths_is_the_api(specification: dict[str, Any]) -> None:
    documented: set[str] = set()
    for cells in rows("API"):
        paths = [word for word in words(cells[0]) if word.startswith("/")]
        whole = paths[1] if "and below it" in cells[0] else ""
        documented |= {PREFIX + path for path in paths[:2]} if whole else {PREFIX + path for path in paths}
        documented |= {PREFIX + whole + path for path in paths[2:]} if whole else set()
    served = {path for path in specification["paths"] if path.startswith(PREFIX)}
    assert documented == served, f"README lacks {served - documented}, or names what is gone: {documented - served}"


def test_the_table_of_events_is_the_code() -> None:
    documented = [word for cells in rows("Changes") for word in words(cells[0])]
    assert sorted(documented) == sorted(kind.value for kind in EventType)


def test_the_table_of_roles_is_the_code() -> None:
    documented = {word for cells in rows("API") for word in words(cells[0]) if not word.startswith("/")}
    assert documented == {role.value for role in Role}


class Asked(dict[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def test_the_table_of_settings_is_the_code() -> None:
    environ = Asked()
    load(environ)
    read = {name for name in environ.names if not name.endswith("_FILE")}
    assert {f"{name}_FILE" for name in read} <= environ.names, "README says that each setting has a _FILE variant"
    documented = {word for cells in rows("Settings") for word in words(cells[0])}
    assert documented == read, f"README lacks {read - documented}, or names what is gone: {documented - read}"


def test_the_defaults_in_the_table_of_settings_are_used() -> None:
    stated = {words(cells[0])[0]: words(cells[1])[0] for cells in rows("Settings") if words(cells[1])}
    assert stated, "the README states no default"
    assert load(stated) == load({})


def test_every_tool_is_in_the_readme() -> None:
    assert all(re.search(rf"\b{tool}\b", README, re.IGNORECASE) for tool in registry.names())


def test_every_file_that_the_readme_names_exists() -> None:
    named = [span for span in SPANS if re.match(r"(tests|connectors|hub|migrations)/", span)] + re.findall(r"\]\(([\w/.-]+)\)", README)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert named, "the README names no file"
    assert not missing, f"README names what is not there: {missing}"


def test_ci_runs_the_readmes_test_command_word_for_word() -> None:
    commands_of_ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    (command,) = [line for line in LINES if line.startswith("python3 -m venv") and "pytest" in line]
    assert command in commands_of_ci, f"README and .ci/run must have this same line:\n{command}"


def test_the_changelog_starts_with_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert first is not None
    assert version[1] == first[1]
