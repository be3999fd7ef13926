"""The rules that hold the house together, each a check with a message that says what to do instead.

The linters run from here too, so that one command, `pytest`, is the whole truth. The drift between models and migrations is in `test_migrations.py`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted(path for room in ("hub", "connectors") for path in (ROOT / room).rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 60  # lines; STYLE aims at 40, a table of fields may be longer

VENDOR = re.compile(r"(?<![a-z])(asana|monday|clickup)(?![a-z])", re.IGNORECASE)
MAY_NAME_VENDORS = {
    "hub/cli/__init__.py": "the program's one-line description",
    "hub/cli/connections.py": "the help text that lists what may be typed for TOOL",
    "hub/cli/demo.py": "what the demo tells the person who watches it",
    "hub/cli/vendors.py": "the demo's three pretend vendors",
}
MAY_CATCH_ALL = {
    "hub/jobs/embedded.py": "a job's edge: one job's error must not end the worker",
    "hub/cli/failures.py": "the program's edge: every error becomes one line and an exit code",
}
NAMELESS_ROOMS = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
MACHINE = re.compile(r"(?<![\w.:/-])/(opt|work|root|home|Users)/\w|pypi\.org|pythonhosted|--(extra-)?index-url")


def run(*command: str) -> tuple[int, str]:
    """A tool of this environment, run at the top of the tree: its exit code and all it printed."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_files() -> Iterator[Path]:
    """What the repository holds as text; things that tools leave behind (folders with a dot, but for .ci) are not ours."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1]) or "dist" in parts or "build" in parts
        if path.is_file() and not hidden and (path.suffix in SUFFIXES or path.name in NAMES):
            yield path


SUFFIXES = {".py", ".md", ".toml", ".txt", ".ini", ".mako", ".graphql", ".json", ".html", ".css", ".js", ".svg", ".yml", ".yaml"}
NAMES = {"Dockerfile", "run", ".gitignore", ".dockerignore"}


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        (("ruff", "check", "--no-cache", "--output-format", "concise", "."), "run `ruff check --fix .`, then mend the rest by hand"),
        (("ruff", "format", "--no-cache", "--check", "."), "run `ruff format .`"),
        (("mypy", "--strict", "hub", "connectors"), "give the types that are missing; no `Any` to silence it"),
    ],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_the_linters_have_nothing_to_say(command: Sequence[str], remedy: str) -> None:
    code, said = run(*command)
    assert code == 0, f"{remedy}\n{said}"


def test_imports_flow_only_downwards() -> None:
    script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"a room imports upwards or sideways: move what is shared down a layer (pyproject.toml, importlinter)\n{done.stdout}{done.stderr}"
    )


def test_no_vendors_name_is_known_to_the_hub() -> None:
    found = []
    for path in sorted((ROOT / "hub").rglob("*")):
        name = name_of(path)
        if path.suffix not in {".py", ".html", ".js", ".css"} or name.startswith("hub/sandbox/") or name in MAY_NAME_VENDORS:
            continue
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        found += [f"{name}:{number}: {line.strip()}" for number, line in lines if VENDOR.search(line)]
    assert not found, "say what differs as a capability in connectors/base.py, or write 'the tool':\n" + "\n".join(found)


def test_files_stay_small() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    long = {name: lines for name, lines in lengths.items() if lines >= LONGEST_FILE}
    assert not long, f"divide by what the parts do: {long}"


def functions() -> Iterator[tuple[str, int]]:
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(path)}: {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_stay_small() -> None:
    long = {name: lines for name, lines in functions() if lines >= LONGEST_FUNCTION}
    assert not long, f"divide by what the parts do: {long}"


def test_files_are_named_for_what_they_do() -> None:
    nameless = [name_of(path) for path in CODE if NAMELESS_ROOMS & {path.stem, *path.parent.parts[len(ROOT.parts) :]}]
    assert not nameless, f"name the thing it does: {nameless}"


def test_nothing_is_swallowed_below_an_edge() -> None:
    handlers = [
        (f"{name_of(path)}:{node.lineno}", node)
        for path in CODE
        if name_of(path) not in MAY_CATCH_ALL
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
    ]
    found = [place for place, node in handlers if catches_all(node) and not any(isinstance(inside, ast.Raise) for inside in ast.walk(node))]
    assert not found, f"name the errors that can happen, or raise again: {found}"


def catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)


def test_every_exception_to_a_linter_carries_its_reason() -> None:
    bare = re.compile(r"#\s*(noqa(: [A-Z0-9, ]+)?|type: ignore(\[[\w, -]+\])?)\s*(#\s*)?$")
    found = [
        f"{name_of(path)}:{number}"
        for path in CODE
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert not found, f"write why on the same line: {found}"


def test_the_allow_lists_name_files_that_exist() -> None:
    gone = [name for name in {**MAY_NAME_VENDORS, **MAY_CATCH_ALL} if not (ROOT / name).is_file()]
    assert not gone, f"remove from the allow-list: {gone}"


def test_no_file_names_the_machine_it_was_written_on() -> None:
    found = []
    for path in text_files():
        if path != Path(__file__):
            lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            found += [f"{name_of(path)}:{number}: {line.strip()[:120]}" for number, line in lines if MACHINE.search(line)]
    assert not found, "paths are relative to the repository, packages come from wherever the reader's tools take them:\n" + "\n".join(found)


def test_every_pinned_package_has_its_hashes() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    unhashed = [entry.splitlines()[0] for entry in entries if not entry.startswith("#") and "--hash=sha256:" not in entry]
    assert not unhashed, f"make the file as its first lines say: {unhashed}"


def test_every_dependency_is_pinned() -> None:
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = declared[declared.index("dependencies = [") : declared.index("[project.scripts]")]
    wanted = {match.lower() for match in re.findall(r'^  "([A-Za-z0-9_-]+)', block, re.MULTILINE)}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    assert wanted, "pyproject.toml lists no dependency"
    assert not wanted - pinned, f"make constraints.txt again, as its first lines say: {wanted - pinned} is missing"
