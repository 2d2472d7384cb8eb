"""Third-party code has one home: a vendor's SDK in that vendor's folder, HTTP in the one door, SQL in the stores."""

from __future__ import annotations

import ast
from typing import Any

import pytest

HOMES = {
    "alembic": ("algotrendy/storage/",),
    "alpaca": ("algotrendy/data/providers/alpaca/", "algotrendy/data/stream/alpaca/"),
    "ccxt": (
        "algotrendy/data/providers/ccxt/",
        "algotrendy/data/providers/registry.py",
        "algotrendy/data/stream/exchange/",
    ),
    "curl_cffi": ("algotrendy/data/providers/yahoo/",),
    "httpx": ("algotrendy/data/providers/",),
    "psycopg": ("algotrendy/storage/",),
    "requests": ("algotrendy/data/providers/", "algotrendy/data/stream/alpaca/"),  # alpaca-py's errors are of its kind
    "skfolio": ("algotrendy/portfolio/optimise/",),
    "sqlalchemy": ("algotrendy/storage/", "algotrendy/data/store/", "algotrendy/data/providers/local/"),
    "yfinance": ("algotrendy/data/providers/yahoo/",),
}


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", HOMES)
def test_a_package_is_imported_in_its_home_alone(package: str, sources: list[Any]) -> None:
    users = [source.name for source in sources if package in _imported(source.tree)]
    assert users, f"nobody imports {package}: take it from the list"
    assert [name for name in users if not name.startswith(HOMES[package])] == []


def test_what_parses_does_no_io(sources: list[Any]) -> None:
    doing_io = {"asyncio", "httpx", "requests", "socket", "yfinance", "ccxt", "alpaca", "sqlalchemy"}
    parsing = [
        one for one in sources if one.name.startswith("algotrendy/data/providers/") and one.name.endswith("/parse.py")
    ]
    assert len(parsing) >= 5
    assert {one.name: _imported(one.tree) & doing_io for one in parsing if _imported(one.tree) & doing_io} == {}
