"""The table of capabilities in the documentation is what the providers say of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algotrendy.data.providers import get, names
from algotrendy.domain.instrument import AssetClass
from algotrendy.domain.interval import Interval

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "data-providers.md"
SETTINGS: dict[str, dict[str, Any]] = {
    "alpaca": {"api_key": "k", "secret_key": "s"},
    "covalent": {"api_key": "k"},
    "files": {"path": "."},
    "polygon": {"api_key": "k"},
    "sql": {"url": "sqlite://", "table": "bars"},
}
_BEGIN, _END = "<!-- capabilities: begin -->\n", "<!-- capabilities: end -->"


def _length(text: str) -> pd.Timedelta:
    interval = Interval.parse(text)
    return pd.Timedelta(seconds=interval.seconds or interval.count * 31 * 86_400)


def _intervals(found: frozenset[str] | None) -> str:
    if found is None:
        return "any"
    return " ".join(sorted(found, key=_length)) if found else "no bars"


def _kinds(found: frozenset[AssetClass]) -> str:
    return "any" if found == frozenset(AssetClass) else " ".join(sorted(found))


def table() -> str:
    """Return the table as it should stand in the page."""
    columns = ("provider", "intervals", "asset classes", "adjusted", "realtime", "trades", "actions")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for name in names():
        if name == "ccxt":
            continue
        can = get(name, **SETTINGS.get(name, {})).capabilities
        adjusted = " ".join(sorted(can.adjusted, key=("raw", "splits", "all").index))
        adjusted = "as you say" if name in ("files", "sql") else adjusted
        yes = ["yes" if claim else "–" for claim in (can.realtime, can.trades, can.actions)]
        cells = [f"`{name}`", _intervals(can.intervals), _kinds(can.asset_classes), adjusted, *yes]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_the_page_is_what_providers_say() -> None:
    for package in ("yfinance", "alpaca", "ccxt"):
        pytest.importorskip(package, reason=f"extra: {package} is not installed")
    text = PAGE.read_text(encoding="utf-8")
    stands = text.partition(_BEGIN)[2].partition(_END)[0]
    assert stands == table()


def test_every_provider_is_named_in_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in names() if not re.search(rf"`{name}`|\"{name}\"", text)] == []
