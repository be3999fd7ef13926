"""What is installed is whole: the wheel holds code, migrations and data, and its command works where no checkout is near."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import hub

ROOT = Path(__file__).parent.parent
DATA = {".graphql", ".html", ".css", ".js", ".svg", ".json", ".typed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, which is all that installing a pure wheel does but for the script of its entry point."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed hub, far from the checkout: PYTHONPATH comes before whatever this environment has installed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PYTHON", "COV_"))}
    environ |= {"PYTHONPATH": str(installed), "HUB_DATABASE_URL": f"sqlite:///{folder}/hub.db"}
    return subprocess.run([sys.executable, "-P", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_the_wheel_holds_every_module_and_every_data_file(wheel: Path) -> None:
    files = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        path.relative_to(ROOT).as_posix()
        for room in ("hub", "connectors")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and (path.suffix == ".py" or path.suffix in DATA)
    }
    migrations = {f"hub/_{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "migrations").rglob("*") if path.suffix in {".py", ".mako"}}
    assert "hub/sandbox/monday/schema.graphql" in ours
    assert any(name.startswith("hub/_migrations/versions/") for name in migrations)
    assert ours | migrations <= files, f"the wheel lacks {sorted((ours | migrations) - files)}"


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    files = zipfile.ZipFile(wheel).namelist()
    strange = [name for name in files if name.split("/")[0] not in {"hub", "connectors"} and ".dist-info/" not in name]
    left_behind = [name for name in files if "__pycache__" in name or name.endswith((".pyc", ".db", ".key"))]
    assert not strange + left_behind


def test_the_wheel_brings_the_command_hub(wheel: Path, installed: Path) -> None:
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    declared = configparser.ConfigParser()
    declared.read(entry_points)
    assert declared["console_scripts"]["hub"] == "hub.cli:main"
    assert wheel.name.startswith(f"pmo_hub-{hub.__version__}-")


def test_an_installed_hub_migrates_where_no_checkout_is_near(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import hub.db; print(hub.db.migrations_folder())")
    assert Path(where.stdout.strip()) == installed / "hub" / "_migrations", where.stderr
    done = run(installed, tmp_path, "-m", "hub", "migrate")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hub.db").is_file()
    looked = run(installed, tmp_path, "-m", "hub", "connection", "list", "--json")
    assert (looked.returncode, looked.stdout) == (0, ""), looked.stderr


def test_an_installed_hub_explains_itself(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "-m", "hub", "--help")
    assert done.returncode == 0, done.stderr
    assert "connection" in done.stdout


def test_the_pins_are_what_the_tests_run_with() -> None:
    """Versions in this environment and in constraints.txt agree, for what the hub itself needs."""
    pinned = dict(line.split(" ")[0].split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line[:60])
    for name in ("fastapi", "httpx", "pydantic", "sqlalchemy", "alembic", "uvicorn"):
        assert version(name) == pinned[name], f"install again from constraints.txt: {name} differs"


def test_the_image_runs_without_rights_from_verified_packages() -> None:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    last = image[image.rindex("\nFROM ") :]
    assert "--require-hashes" in image
    assert "\nUSER hub\n" in last
    assert last.count("\nVOLUME ") == 1
    assert "/healthz" in last
    assert "HUB_SECRET_KEYS" not in image, "secrets come when the container starts, never with the image"
