"""The arithmetic behind the answers of the risk facade: what of a portfolio can be measured, and why not the rest."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from algotrendy.errors import InputError
from algotrendy.risk.calculator import RiskCalculator
from algotrendy.risk.limits.book import BookView
from algotrendy.risk.limits.figures import figures_of
from algotrendy.services.models_risk import PositionRisk, RiskMetrics
from algotrendy.services.risk_books import Seen

__all__ = ["portfolio_metrics", "position_metrics", "profit_returns", "weights_of"]

_LEAST = 2
_FEW = 100


def portfolio_metrics(
    seen: Seen, returns: pd.DataFrame, calculator: RiskCalculator, *, method: str, benchmark: pd.Series | None
) -> RiskMetrics:
    """Return the risk of a portfolio, given the returns of its instruments and of a benchmark."""
    book, notes = seen.book, list[str]()
    figures = figures_of(book)
    found: dict[str, Any] = {
        "portfolio_id": seen.id, "as_of": book.as_of, "equity": book.equity, "method": method, "notes": notes,
        "gross_leverage": figures.gross_leverage, "net_leverage": figures.net_leverage,
        "concentration": figures.concentration, "largest": figures.largest,
        "beta": None if figures.beta is None else float(figures.beta),
    }  # fmt: skip
    past = _past_returns(seen.history, notes)
    held = weights_of(book)
    basis, moves = _basis(held, returns, past, notes)
    found.update(basis=basis, n_returns=len(moves))
    if basis == "cash":
        found.update(var_95=0.0, var_99=0.0, expected_shortfall=0.0, volatility=0.0, beta=0.0)
    elif basis != "none":
        found.update(_tail(moves, calculator, method, notes))
        if benchmark is not None:
            found["beta"] = _beta(moves, benchmark, calculator, notes)
    if found["beta"] is None and benchmark is None:
        notes.append("no beta: name a benchmark=, or give the rows of the book a beta")
    found.update(_path(seen, past, calculator))
    return RiskMetrics(**found)


def position_metrics(seen: Seen, symbol: str, returns: pd.DataFrame, calculator: RiskCalculator) -> PositionRisk:
    """Return the risk of one position, alone and within its portfolio."""
    book, notes = seen.book, list[str]()
    row = book.row(symbol)
    if book.equity <= 0:
        raise InputError(f"the equity of the book is {book.equity}; the risk of a position is a fraction of it")
    weight = float(row.value / book.equity)
    found: dict[str, Any] = {
        "portfolio_id": seen.id, "symbol": symbol, "quantity": row.quantity, "price": row.price, "value": row.value,
        "weight": weight, "notes": notes,
    }  # fmt: skip
    weights = weights_of(book)
    missing = sorted(set(weights) - set(returns.columns))
    if missing or len(returns) < _LEAST:
        notes.append(f"no measures of risk: {_why(missing, len(returns))}")
        return PositionRisk(**found)
    found["n_returns"] = len(returns)
    if not row.quantity:
        return PositionRisk(**found, var_95=0.0, expected_shortfall=0.0, component_var=0.0, share=0.0)
    own = returns[symbol] * weight
    options: dict[str, Any] = {"measure": "value_at_risk", "method": "historical"}
    table = calculator.calculate_risk_contributions(returns[list(weights)], weights, **options)
    parts: dict[Any, Any] = table.loc[symbol].to_dict()
    found.update(
        var_95=calculator.calculate_var(own), expected_shortfall=calculator.calculate_expected_shortfall(own),
        volatility=calculator.calculate_volatility(returns[symbol]), component_var=float(parts["component"]),
        marginal_var=float(parts["marginal"]), share=_known(parts["share"]),
    )  # fmt: skip
    return PositionRisk(**found)


def weights_of(book: BookView) -> dict[str, float]:
    """Return the value of each position as a fraction of equity."""
    return {row.symbol: float(row.value / book.equity) for row in book.exposures if row.quantity}


def profit_returns(seen: Seen, returns: pd.DataFrame) -> pd.Series:
    """Return today's positions on past returns, or else the portfolio's own past, as returns of a day.

    Raises
    ------
    InputError
        If neither is known.
    """
    notes: list[str] = []
    past = _past_returns(seen.history, notes)
    held = weights_of(seen.book) if seen.book.equity > 0 else {}
    basis, moves = _basis(held, returns, past, notes)
    if basis in ("none", "cash"):
        why = "; ".join(notes) or "the portfolio holds nothing and has no past"
        raise InputError(f"there are no returns to look at: {why}")
    return moves


def _basis(held: dict[str, float], returns: pd.DataFrame, past: pd.Series, notes: list[str]) -> tuple[str, pd.Series]:
    """Return what the measures are of, and its returns."""
    missing = sorted(set(held) - set(returns.columns))
    if held and not missing and len(returns) >= _LEAST:
        return "holdings", returns[list(held)] @ pd.Series(held)
    if held:
        notes.append(f"not of today's positions: {_why(missing, len(returns))}")
    elif len(past) < _LEAST:
        return "cash", past.iloc[:0]
    if held and len(past) >= _LEAST:
        return "history", past
    return ("cash", past.iloc[:0]) if not held else ("none", past.iloc[:0])


def _why(missing: list[str], n_returns: int) -> str:
    if missing:
        return f"the returns of {', '.join(missing)} are not known"
    return f"{n_returns} returns are known on the days that all instruments have, at least {_LEAST} are needed"


def _past_returns(history: pd.Series | None, notes: list[str]) -> pd.Series:
    if history is None or len(history) < _LEAST:
        said = "nobody said what it was worth before" if history is None else f"its past has {len(history)} value(s)"
        notes.append(f"no drawdown and no ratios: {said}")
        return pd.Series(dtype=float)
    if (history <= 0).any():
        notes.append("no drawdown and no ratios: the portfolio was worth nothing or less on some day")
        return pd.Series(dtype=float)
    return history.astype(float).pct_change().iloc[1:]


def _tail(moves: pd.Series, calculator: RiskCalculator, method: Any, notes: list[str]) -> dict[str, Any]:
    if len(moves) < _FEW:
        notes.append(f"the tail rests on {len(moves)} returns; {_FEW} are few")
    return {
        "var_95": calculator.calculate_var(moves, 0.95, method),
        "var_99": calculator.calculate_var(moves, 0.99, method),
        "expected_shortfall": calculator.calculate_expected_shortfall(moves, 0.95, method),
        "volatility": calculator.calculate_volatility(moves),
    }


def _beta(moves: pd.Series, benchmark: pd.Series, calculator: RiskCalculator, notes: list[str]) -> float | None:
    both = pd.concat([moves, benchmark], axis=1, join="inner").dropna()
    if len(both) < _LEAST:
        notes.append(f"no beta: portfolio and benchmark share {len(both)} day(s)")
        return None
    return _known(calculator.calculate_beta(both.iloc[:, 0], both.iloc[:, 1]))


def _path(seen: Seen, past: pd.Series, calculator: RiskCalculator) -> dict[str, Any]:
    """Return what is of the portfolio's own past."""
    if len(past) < _LEAST - 1 or seen.history is None:
        return {}
    peak = float(seen.book.peak_equity or seen.book.equity)
    values = seen.history.astype(float)
    found: dict[str, Any] = {
        "max_drawdown": calculator.calculate_max_drawdown(values),
        "current_drawdown": max(1.0 - float(seen.book.equity) / peak, 0.0),
    }
    if len(past) >= _LEAST:
        found["sharpe_ratio"] = _known(calculator.calculate_sharpe_ratio(past))
        found["sortino_ratio"] = _known(calculator.calculate_sortino_ratio(past))
        found["annual_return"] = _known(calculator.calculate_annual_return(past))
    return found


def _known(value: Any) -> float | None:
    """Return a finite number, or None for one that means nothing, such as a ratio to no volatility."""
    return float(value) if math.isfinite(float(value)) else None
