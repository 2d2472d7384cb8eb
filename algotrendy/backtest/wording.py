"""How a result's assumptions, strategy and provenance are put in words. The summary and the report share them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.curves import HoldMetrics, fees_of, floats, metrics_of_curve
from algotrendy.backtest.definitions import moment_text
from algotrendy.domain.provenance import provenance

if TYPE_CHECKING:
    from algotrendy.backtest.result import BacktestResult

FILL_WORDS = {
    "next_open": "next open: a decision is filled at the open of the next bar",
    "next_close": "next close: a decision is filled at the close of the next bar",
    "same_close": "same close (optimistic): filled at the close that decided it",
}
PENDING_WORDS = {"long": "go long", "short": "go short", "flat": "close the position"}
_NOT_SHOWN = {"fill", "cash", "commission", "periods_per_year", "risk_free_rate"}


def hold_metrics(result: BacktestResult) -> HoldMetrics:
    """Return the figures of buying and holding the same bars."""
    return metrics_of_curve(
        floats(result.buy_and_hold),
        result.valuation_marks,
        cash=result.cash,
        periods_per_year=float(result.metrics["periods_per_year"]),
        risk_free_rate=float(result.assumptions.get("risk_free_rate") or 0.0),
    )


def title_of(result: BacktestResult) -> str:
    """Return the name of the strategy, or what was done on which data."""
    name = result.strategy.get("name")
    if name:
        return str(name)
    what = "Backtest of given signals" if result.strategy.get("kind") == "arrays" else "Backtest"
    source = source_name(result)
    return f"{what} on {source}" if source else what


def span_of(result: BacktestResult) -> str:
    """Return what the bars are and how far they reach, in one line."""
    index = result.bars.index
    parts = [source_name(result), str(result.assumptions.get("interval") or ""), f"{len(index):,} bars"]
    parts += [f"{moment_text(index[0])} to {moment_text(index[-1])}"]
    return " · ".join(part for part in parts if part)


def source_name(result: BacktestResult) -> str:
    """Return the name of the data by its provenance; empty if it has none."""
    provenance = provenance_of(result)
    names = (provenance.get(key) for key in ("name", "symbol", "instrument", "source"))
    return str(next((name for name in names if name), ""))


def provenance_of(result: BacktestResult) -> Mapping[str, Any]:
    """Return where the bars came from; empty if nobody said."""
    return provenance(result.bars)


def parameter_text(result: BacktestResult) -> str:
    """Return the parameters as `fast=20, slow=50`."""
    return ", ".join(f"{name}={value:g}" for name, value in result.params.items())


def assumption_rows(result: BacktestResult) -> list[tuple[str, str]]:
    """Return the assumptions as pairs of a label and words, the weightiest first."""
    given = result.assumptions
    rows = [
        ("Fill", FILL_WORDS.get(str(given["fill"]), str(given["fill"]))),
        ("Initial cash", f"{result.cash:,.2f}"),
        ("Commission", commission_text(given.get("commission"))),
    ]
    rows += [(label_of(key), assumption_text(key, value)) for key, value in given.items() if key not in _NOT_SHOWN]
    rows.append(("Annualised with", f"{result.metrics['periods_per_year']:g} periods per year"))
    rows.append(("Risk-free rate", assumption_text("risk_free_rate", given.get("risk_free_rate"))))
    return rows


def commission_text(commission: Any) -> str:
    """Return a commission in words.

    Examples
    --------
    >>> commission_text(0.0005)
    '0.05 % of the value'
    >>> commission_text({"rate": 0.0, "per_unit": 0.005, "minimum": 1.0})
    '0.005 per unit, at least 1'
    """
    fees = fees_of(commission)
    parts = [f"{100 * fees['rate']:g} % of the value"] if fees["rate"] else []
    parts += [f"{fees['per_unit']:g} per unit"] if fees["per_unit"] else []
    parts += [f"{fees['fixed']:g} per fill"] if fees["fixed"] else []
    parts += [f"at least {fees['minimum']:g}"] if fees["minimum"] else []
    return ", ".join(parts) or "none"


def assumption_text(key: str, value: Any) -> str:
    """Return the value of an assumption in words.

    Examples
    --------
    >>> assumption_text("slippage", 0.0002), assumption_text("max_leverage", 2.0)
    ('0.02 % of the price', '2')
    """
    if key == "participation" and not isinstance(value, Mapping):
        return f"at most {100 * value:g} % of a bar's volume, the rest later"
    if key in ("slippage", "borrow", "risk_free_rate", "financing"):
        return f"{100 * value:g} % {'of the price' if key == 'slippage' else 'per year'}" if value else "none"
    return plain_text(value)


def plain_text(value: Any) -> str:
    """Return any value as a reader should see it.

    Examples
    --------
    >>> plain_text(True), plain_text(None), plain_text(1234.5), plain_text({"a": 1})
    ('yes', 'none', '1,234.5', '{"a": 1}')
    """
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,g}"
        case Mapping():
            return json.dumps(dict(value), default=str, ensure_ascii=False)
        case list() | tuple():
            sentences = all(str(item).endswith(".") for item in value)
            return (" " if sentences else ", ").join(map(str, value))
    return str(value)


def level_text(key: str, value: Any) -> str:
    """Return a part of a strategy in words.

    Examples
    --------
    >>> level_text("stop", 0.05), level_text("size", 0.5), level_text("entry", "close > 2")
    ('5 % from the entry price', '50 % of equity', 'close > 2')
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if key in ("stop", "target", "trail"):
            return f"{100 * value:g} % from the entry price"
        if key == "size":
            return f"{100 * value:g} % of equity"
    return plain_text(value)


def label_of(key: str) -> str:
    """Return a key of a mapping as a label.

    Examples
    --------
    >>> label_of("max_leverage")
    'Max leverage'
    """
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def all_warnings(result: BacktestResult) -> list[str]:
    """Return the warnings of the run, with its ruin and its pending decision."""
    found = list(result.warnings)
    if result.ruined_at is not None:
        found.insert(0, f"the account was ruined at {moment_text(result.ruined_at)}; nothing was traded afterwards")
    if result.pending is not None:
        wish = PENDING_WORDS.get(result.pending, result.pending)
        found.append(f"the last decision ({wish}) is pending: the data ends before it could be filled")
    return found


def strategy_rows(result: BacktestResult) -> list[tuple[str, str]]:
    """Return the parts of the strategy that are set, as pairs of a label and text, and the parameters of this run."""
    hidden = {"schema", "name", "params", "specs", "kind"}
    rows = [
        (label_of(key), level_text(key, value))
        for key, value in result.strategy.items()
        if key not in hidden and value not in (None, "", {}, [])
    ]
    if result.strategy.get("kind"):
        rows.insert(0, ("Kind", str(result.strategy["kind"])))
    return [*rows, ("Parameters", parameter_text(result))] if result.params else rows


def data_rows(result: BacktestResult) -> list[tuple[str, str]]:
    """Return where the bars came from, as pairs of a label and text, and the hash of all inputs."""
    rows = [
        (label_of(key), plain_text(value)) for key, value in provenance_of(result).items() if value not in (None, "")
    ]
    return [*rows, ("Input hash", result.input_hash)]
