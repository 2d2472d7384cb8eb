"""`explain_difference`: two accounts in, the causes of their difference out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from algotrendy.backtest.difference.ledger import Ledger, PortfolioLedger, as_portfolio
from algotrendy.backtest.difference.lists import ledger_from, portfolio_ledger_from
from algotrendy.backtest.difference.path import PARTS, Part, decompose, reported
from algotrendy.backtest.difference.portfolio_reruns import can_run_again, portfolio_reruns
from algotrendy.backtest.difference.portfolios import portfolio_ledger_of
from algotrendy.backtest.difference.report import DifferenceReport
from algotrendy.backtest.difference.runs import ledger_of, reruns
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.repeat import can_repeat
from algotrendy.backtest.result import BacktestResult
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.domain.panel import Panel
    from algotrendy.strategy import BarStrategy

__all__ = ["explain_difference"]

Account: TypeAlias = Ledger | PortfolioLedger


def explain_difference(
    result: BacktestResult | PortfolioResult | Ledger | PortfolioLedger,
    other: Any,
    *,
    bars: pd.DataFrame | Mapping[Any, pd.DataFrame] | Panel | None = None,
    cash: float | None = None,
    final_equity: float | None = None,
    strategy: Callable[..., Any] | BarStrategy | None = None,
    tolerance: float = 1e-9,
) -> DifferenceReport:
    """Say why another run, another library or a broker did not end with the same equity.

    The way from the one to the other is gone in steps, in each of which one thing is taken from the other account: its
    initial cash, first bar, data, splits and dividends, times of fills, prices, fees, sizes, borrow, interest,
    decisions at a tie, the other trades, a forced exit at the end. What the final equity changes by in a step is the
    amount of that part. So the parts add up to the gap; how it is shared among parts that act on each other depends on
    the order, which is the one above.

    Several instruments share one cash, so what a fee or a missed trade in one of them leads to in the others counts as
    that fee or trade; `report.by_symbol` says where each amount arose.

    Parameters
    ----------
    result : BacktestResult, PortfolioResult, Ledger or PortfolioLedger
        The account to start from.
    other : BacktestResult, PortfolioResult, Ledger, PortfolioLedger, DataFrame, Series or portfolio
        The account to end at. A frame of trades or orders is known by its columns: those of `result.orders`, of
        vectorbt's `records_readable` of trades or orders, of backtesting.py's `stats._trades`, or of a broker (time,
        side, quantity, price, commission). backtesting.py's `stats` and a vectorbt portfolio bring their cash and
        final equity along. Of several instruments a list has a column `symbol`; bt's `get_transactions()` has one.
    bars : DataFrame of shape (n_bars, >= 4), or mapping of str to DataFrame, optional
        The bars that `other` ran on, if it is a list; those of `result` by default. Also those of a `PortfolioResult`
        that came from a file, which holds none.
    cash, final_equity : float, optional
        What `other` began and ended with, in currency, if it is a list that does not say so. By default the cash of
        `result`, and what the list adds up to.
    strategy : callable or BarStrategy, optional
        The Python function, or the stateful strategy, that decided in `result`, so that it can be run again. A
        `PortfolioResult` knows it.
    tolerance : float
        How far parts may fail to add up, relatively to the equity.

    Returns
    -------
    DifferenceReport
        `.table`, `.summary()`, `.plot()`.

    Raises
    ------
    InputError
        If a list is not understood, or could be understood in two ways: the message says what to rename or to give.
        If one account has one instrument and the other several.

    Examples
    --------
    >>> import algotrendy as at
    >>> from algotrendy.backtest.difference import explain_difference
    >>> bars = at.synthetic(n=500, seed=3)
    >>> run = at.backtest(at.strategies.sma_cross(5, 20), bars)
    >>> paid = at.backtest(at.strategies.sma_cross(5, 20), bars, commission=0.001)
    >>> explain_difference(run, paid).largest.name
    'fees'
    """
    is_run = isinstance(other, BacktestResult | PortfolioResult)
    own = _as_ledger(result, "the first run" if is_run else "the run", strategy, bars)
    if is_run or isinstance(other, Ledger | PortfolioLedger):
        _refuse_list_options(None if _is_from_file(result, other) else bars, cash, final_equity)
        theirs = _as_ledger(other, "the second run", None, bars)
    else:
        theirs = _listed(other, own, bars, cash=cash, final_equity=final_equity)
    _check_kinds(own, theirs)
    first, parts = _nearest(result, other, (own, theirs), strategy)
    report = DifferenceReport(
        (own.name, theirs.name), reported(own), reported(theirs), _put_together([*parts, *decompose(first, theirs)])
    )
    _check_sum(report, tolerance)
    return report


def _nearest(result: Any, other: Any, ledgers: tuple[Account, Account], strategy: Any) -> tuple[Account, list[Part]]:
    """Return the first account run again as far as that leads to the second, and what it changed."""
    own, theirs = ledgers
    if isinstance(result, BacktestResult) and isinstance(theirs, Ledger) and can_repeat(result, strategy):
        nearest, parts = reruns(result, other if isinstance(other, BacktestResult) else theirs, strategy)
        return (ledger_of(nearest, own.name, strategy=strategy) if parts else own), parts
    if isinstance(result, PortfolioResult) and isinstance(theirs, PortfolioLedger) and can_run_again(result):
        known = isinstance(other, PortfolioResult) and other.arguments is not None
        last, parts = portfolio_reruns(result, other if known else theirs)
        return (portfolio_ledger_of(last, own.name) if parts else own), parts
    return own, []


def _as_ledger(account: Any, name: str, strategy: Any, bars: Any) -> Account:
    if isinstance(account, Ledger | PortfolioLedger):
        return account
    if isinstance(account, BacktestResult):
        return ledger_of(account, name, strategy=strategy)
    if isinstance(account, PortfolioResult):
        return portfolio_ledger_of(account, name, bars=bars if account.arguments is None else None)
    raise InputError(
        f"the first account is a {type(account).__name__}; give a BacktestResult, a PortfolioResult or a ledger, and"
        " the list second"
    )


def _listed(given: Any, own: Account, bars: Any, *, cash: float | None, final_equity: float | None) -> Account:
    """Return a list as a ledger, on the bars of the other account if none are given."""
    known: dict[str, Any] = {"cash": own.cash if cash is None else cash, "given_cash": cash is not None}
    known["final_equity"] = final_equity
    if isinstance(own, PortfolioLedger):
        return portfolio_ledger_from(given, own, bars=bars, **known)
    return ledger_from(given, own.bars if bars is None else bars, **known)


def _is_from_file(*accounts: Any) -> bool:
    return any(isinstance(each, PortfolioResult) and each.arguments is None for each in accounts)


def _refuse_list_options(bars: Any, cash: Any, final_equity: Any) -> None:
    for name, value in (("bars", bars), ("cash", cash), ("final_equity", final_equity)):
        if value is not None:
            raise InputError(f"{name}= belongs to a list of trades; a run brings its own, so leave it out")


def _check_kinds(own: Account, theirs: Account) -> None:
    """Refuse accounts that cannot be compared: one instrument and several, or dates and instants."""
    if isinstance(own, PortfolioLedger) != isinstance(theirs, PortfolioLedger):
        several, one = (own, theirs) if isinstance(own, PortfolioLedger) else (theirs, own)
        raise InputError(
            f"{several.name} is an account of several instruments, {one.name} of one; run the one with"
            " at.backtest(strategy, {symbol: bars}), which gives a PortfolioResult"
        )
    ours = as_portfolio(own).members
    for symbol, member in as_portfolio(theirs).members.items():
        if symbol in ours:
            _check_zones((own.name, ours[symbol]), (theirs.name, member))


def _check_zones(own: tuple[str, Ledger], theirs: tuple[str, Ledger]) -> None:
    """Refuse bars of which one has a time zone and the other has none: nobody knows which stamp is which."""
    zones = [str(getattr(ledger.bars.index, "tz", None)) for _, ledger in (own, theirs)]
    if (zones[0] == "None") != (zones[1] == "None"):
        raise InputError(
            f"the bars of {own[0]} have the time zone {zones[0]}, those of {theirs[0]} {zones[1]}; give both dates "
            "without a zone, or both instants in UTC"
        )


def _put_together(parts: list[Part]) -> tuple[Part, ...]:
    """Return one part per name, in order; the evidence of both ways."""
    found = []
    for name in PARTS:
        same = [part for part in parts if part.name == name]
        evidence = "; ".join(dict.fromkeys(part.evidence for part in same if part.evidence))
        by: dict[str, float] = {}
        for symbol, amount in (each for part in same for each in part.by_symbol.items()):
            by[symbol] = by.get(symbol, 0.0) + amount
        found.append(Part(name, sum(part.amount for part in same), evidence, sum(part.fills for part in same), by))
    return tuple(found)


def _check_sum(report: DifferenceReport, tolerance: float) -> None:
    """Refuse to answer with parts that do not add up: then an account is beyond what floating point can follow.

    Raises
    ------
    InputError
        If they do not.
    """
    apart = abs(sum(part.amount for part in report.parts) - report.gap)
    scale = max(abs(report.start), abs(report.end), *(abs(part.amount) for part in report.parts))
    if not apart <= tolerance * scale:
        raise InputError(
            f"the parts miss the gap of {report.gap:,.2f} by {apart:g}; an account was worth nothing or less on the "
            "way, so give the lists up to that moment"
        )
