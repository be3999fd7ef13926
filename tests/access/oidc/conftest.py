"""Fixtures of these tests: everything as on the first day."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.app import create_app
from hub.db import Database
from hub.settings import Settings
from hub.vault import Vault
from tests.access.conftest import Browser
from tests.access.oidc.issuer import CLIENT, SECRET, Issuer, running
from tests.access.oidc.stage import HERE, ROLES, Stage
from tests.api.conftest import Clock, NotedJobs


@pytest.fixture(scope="session")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    path, clock = tmp_path_factory.mktemp("oidc") / "hub.db", Clock()
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    with running(clock) as issuer:
        settings = Settings(oidc_issuer=issuer.url, oidc_client_id=CLIENT, oidc_client_secret=SECRET, oidc_roles=ROLES)
        yield Stage(clock, issuer, settings, database, create_app(settings, database, Vault([b"k" * 32]), NotedJobs(), clock))
    database.dispose()


@pytest.fixture
def stage(made: Stage) -> Stage:
    made.clear()
    return made


@pytest.fixture
def clock(stage: Stage) -> Clock:
    return stage.clock


@pytest.fixture
def issuer(stage: Stage) -> Issuer:
    return stage.issuer


@pytest.fixture
def database(stage: Stage) -> Database:
    return stage.database


@pytest.fixture
def app(stage: Stage) -> FastAPI:
    return stage.app


@pytest.fixture
def visitor(app: FastAPI) -> Browser:
    return Browser(app, HERE)
