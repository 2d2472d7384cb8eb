"""The databases on which storage, jobs and the ledger keep their promises, and what tests of them share."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from algotrendy.storage import Database

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@dataclass(frozen=True)
class Place:
    """Where a database lies: another process opens the same one."""

    url: str
    schema: str = ""

    def open(self, **options: Any) -> Database:
        """Open the database."""
        return Database(self.url, schema=self.schema or None, **options)


def place_for(request: pytest.FixtureRequest, kind: str) -> Place:
    """Return a place of a test's own; of a module's own, if the fixture that asks has the scope of a module.

    Tables are made once for each place, and many tests need but a portfolio of their own.
    """
    is_shared = request.scope == "module"
    if kind == "postgres":
        if importlib.util.find_spec("psycopg") is None and os.environ.get("ALGOTRENDY_REQUIRE_SERVICES") != "1":
            pytest.skip("extra: psycopg is not installed")
        return Place(*request.getfixturevalue("postgres_module_schema" if is_shared else "postgres_schema"))
    if is_shared:
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        return Place(f"sqlite:///{factory.mktemp('shared')}/house.db")
    folder: Path = request.getfixturevalue("tmp_path")
    return Place(f"sqlite:///{folder}/house.db")


@contextmanager
def opened(place: Place, **options: Any) -> Iterator[Database]:
    """Open a database and close it."""
    database = place.open(**options)
    try:
        yield database
    finally:
        database.close()
