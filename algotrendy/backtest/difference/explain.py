"""`explain_difference`: two accounts in, the causes of their difference out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.difference.ledger import Ledger
from algotrendy.backtest.difference.lists import ledger_from
from algotrendy.backtest.difference.path import PARTS, Part, decompose, reported
from algotrendy.backtest.difference.report import DifferenceReport
from algotrendy.backtest.difference.runs import ledger_of, reruns
from algotrendy.backtest.repeat import can_repeat
from algotrendy.backtest.result import BacktestResult
from algotrendy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["explain_difference"]


def explain_difference(
    result: BacktestResult | Ledger,
    other: Any,
    *,
    bars: pd.DataFrame | None = None,
    cash: float | None = None,
    final_equity: float | None = None,
    strategy: Callable[..., Any] | None = None,
    tolerance: float = 1e-9,
) -> DifferenceReport:
    """Say why another run, another library or a broker did not end with the same equity.

    The way from the one to the other is gone in steps, in each of which one thing is taken from the other account: its
    initial cash, first bar, data, times of fills, prices, fees, sizes, borrow, decisions at a tie, the other trades, a
    forced exit at the end. What the final equity changes by in a step is the amount of that part. So the parts add up
    to the gap; how it is shared among parts that act on each other depends on the order, which is the one above.

    Parameters
    ----------
    result : BacktestResult or Ledger
        The account to start from.
    other : BacktestResult, Ledger, DataFrame, Series or portfolio
        The account to end at. A frame of trades or orders is known by its columns: those of `result.orders`, of
        vectorbt's `records_readable` of trades or orders, of backtesting.py's `stats._trades`, or of a broker (time,
        side, quantity, price, commission). backtesting.py's `stats` and a vectorbt portfolio bring their cash and
        final equity along.
    bars : DataFrame of shape (n_bars, >= 4), optional
        The bars that `other` ran on, if it is a list; those of `result` by default.
    cash, final_equity : float, optional
        What `other` began and ended with, in currency, if it is a list that does not say so. By default the cash of
        `result`, and what the list adds up to.
    strategy : callable, optional
        The Python function that decided in `result`, so that it can be run again.
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
    own = _as_ledger(result, "the first run" if isinstance(other, BacktestResult) else "the run", strategy)
    if isinstance(other, BacktestResult | Ledger):
        _refuse_list_options(bars, cash, final_equity)
        theirs = _as_ledger(other, "the second run", None)
    else:
        theirs = ledger_from(
            other,
            own.bars if bars is None else bars,
            cash=own.cash if cash is None else cash,
            given_cash=cash is not None,
            final_equity=final_equity,
        )
    _check_zones(own, theirs)
    first, parts = own, list[Part]()
    if isinstance(result, BacktestResult) and can_repeat(result, strategy):
        nearest, parts = reruns(result, other if isinstance(other, BacktestResult) else theirs, strategy)
        if parts:
            first = ledger_of(nearest, own.name, strategy=strategy)
    report = DifferenceReport(
        (own.name, theirs.name), reported(own), reported(theirs), _put_together([*parts, *decompose(first, theirs)])
    )
    _check_sum(report, tolerance)
    return report


def _as_ledger(account: Any, name: str, strategy: Any) -> Ledger:
    if isinstance(account, Ledger):
        return account
    if isinstance(account, BacktestResult):
        return ledger_of(account, name, strategy=strategy)
    raise InputError(
        f"the first account is a {type(account).__name__}; give a BacktestResult or a Ledger, and the list second"
    )


def _refuse_list_options(bars: Any, cash: Any, final_equity: Any) -> None:
    for name, value in (("bars", bars), ("cash", cash), ("final_equity", final_equity)):
        if value is not None:
            raise InputError(f"{name}= belongs to a list of trades; a run brings its own, so leave it out")


def _check_zones(own: Ledger, theirs: Ledger) -> None:
    """Refuse bars of which one has a time zone and the other has none: nobody knows which stamp is which."""
    zones = [str(getattr(ledger.bars.index, "tz", None)) for ledger in (own, theirs)]
    if (zones[0] == "None") != (zones[1] == "None"):
        raise InputError(
            f"the bars of {own.name} have the time zone {zones[0]}, those of {theirs.name} {zones[1]}; give both dates "
            "without a zone, or both instants in UTC"
        )


def _put_together(parts: list[Part]) -> tuple[Part, ...]:
    """Return one part per name, in order; the evidence of both ways."""
    found = []
    for name in PARTS:
        same = [part for part in parts if part.name == name]
        evidence = "; ".join(dict.fromkeys(part.evidence for part in same if part.evidence))
        found.append(Part(name, sum(part.amount for part in same), evidence, sum(part.fills for part in same)))
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
