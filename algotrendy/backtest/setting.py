"""What a backtest stands on besides its strategy: checked bars, their times and calendar, conventions and costs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.charted import ChartView, chart_view, refuse_chart_rows
from algotrendy.backtest.costs import Fees, as_cost, as_fees
from algotrendy.backtest.engine import Options
from algotrendy.domain.bars import BarArrays, FurtherColumns, checked_arrays
from algotrendy.domain.calendar import (
    Calendar,
    as_calendar,
    bars_per_year,
    infer_calendar,
    valuation_marks,
)
from algotrendy.domain.calendar import periods_per_year as marks_per_year
from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.errors import InputError
from algotrendy.expressions import Context
from algotrendy.kernels.orders_types import FILLS
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    import pandas as pd

UNITS = ("fractional", "whole")
LEAST_BARS = 2
_MANY_BARS = 100_000
_KEPT_BYTES = 31 << 20
_HIGH_COST = 0.02
_IMPOSSIBLE = {
    "commission": (0.5, "of each fill"),
    "slippage": (0.5, "of each fill"),
    "borrow": (9.99, "a year"),
    "risk_free_rate": (0.99, "a year"),
}
"""Above these a cost is a percentage that was written as a fraction."""


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything about a backtest that does not depend on its strategy.

    Attributes
    ----------
    bars : DataFrame
        As given, and sound.
    arrays : BarArrays
        Their columns.
    context : Context
        What expressions may ask: times, interval, calendar, constants.
    options : Options
        What the engine asks: conventions and costs.
    assumptions : dict
        The same in plain values, for the result.
    warnings : tuple of str
        Options that are allowed but look like a mistake.
    chart : ChartView, optional
        The rows that conditions are read on, if not on the bars.
    """

    bars: pd.DataFrame
    arrays: BarArrays
    context: Context
    options: Options
    assumptions: dict[str, Any]
    warnings: tuple[str, ...]
    chart: ChartView | None = None


def prepare(
    bars: pd.DataFrame,
    *,
    cash: float = 100_000.0,
    commission: float | Fees = 0.0,
    slippage: float = 0.0,
    borrow: float = 0.0,
    fill: str = "next_open",
    units: str = "fractional",
    lot_size: float = 1.0,
    max_leverage: float = 1.0,
    calendar: Calendar | str | None = None,
    interval: Interval | str | None = None,
    periods_per_year: float | None = None,
    risk_free_rate: float = 0.0,
    chart: Any = None,
) -> Setting:
    """Check bars and options once, for one backtest or for many on the same bars.

    Parameters and errors are those of `backtest`.
    """
    refuse_chart_rows(bars)
    arrays = checked_arrays(bars, min_bars=LEAST_BARS)
    if arrays.close.size >= _MANY_BARS:
        keep_freed_memory()
    fees = _fees(commission)
    _check_costs(fees, slippage, borrow, risk_free_rate)
    lot = _lot(units, lot_size)
    index: Any = bars.index
    length = infer_interval(index) if interval is None else Interval.parse(interval)
    chosen = infer_calendar(index) if calendar is None else as_calendar(calendar)
    usual = marks_per_year(length, chosen)
    per_year = usual if periods_per_year is None else _per_year(periods_per_year)
    options = Options(
        cash=cash,
        fill=_fill(fill),
        fees=fees,
        slippage=slippage,
        borrow=borrow,
        lot_size=lot,
        max_leverage=max_leverage,
        risk_free_rate=risk_free_rate,
        periods_per_year=per_year,
        bars_per_year=bars_per_year(length, chosen) * (per_year / usual),
        marks=valuation_marks(index, length, chosen) if length.is_intraday else None,
    )
    assumptions = _assumptions(options, units, length, chosen)
    # A calendar that is only inferred may change as bars are added; then what `tf` knows must not depend on it.
    named = None if calendar is None else chosen
    constants = {"periods_per_year": options.bars_per_year}
    context = Context(index, length, named, constants, FurtherColumns(bars))
    view = None if chart is None else chart_view(chart, bars, length, named, options.fill)
    if view is not None:
        assumptions["chart"] = view.text
    return Setting(bars, arrays, context, options, assumptions, _doubts(options), view)


def keep_freed_memory() -> None:
    """Let the allocator keep what a run frees, for the next array of the same run and for the next run.

    The GNU allocator gives large pieces back to the system at once and then takes them again page by page, which costs
    more than the arithmetic on them. Once it has seen one piece of this size come and go, it keeps up to twice as much.
    The piece is never written to, so it costs no memory; other allocators do not mind.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def _assumptions(options: Options, units: str, interval: Interval, calendar: Calendar) -> dict[str, Any]:
    fees = options.fees
    schedule = {name: value for name, value in vars(fees).items() if value or name == "rate"}
    return {
        "fill": options.fill,
        "cash": options.cash,
        "commission": fees.rate if len(schedule) == 1 else schedule,
        "slippage": options.slippage,
        "borrow": options.borrow,
        "units": units if units == "fractional" else f"whole lots of {_short(options.lot_size)}",
        "max_leverage": options.max_leverage,
        "interval": str(interval),
        "calendar": calendar.name,
        "periods_per_year": options.periods_per_year,
        "risk_free_rate": float(options.risk_free_rate),
    }


def _short(number: float) -> str:
    """Return a number as text, as short as can be without another number coming back."""
    text = f"{number:g}"
    return text if float(text) == number else repr(number)


def _fees(commission: Any) -> Fees:
    if isinstance(commission, str):
        raise InputError(f"commission is the text {commission!r}; use a fraction such as 0.0005, or at.Fees(...)")
    return as_fees(commission)


def _check_costs(fees: Fees, slippage: Any, borrow: Any, risk_free_rate: Any) -> None:
    """Refuse what can only be a percentage written as a fraction."""
    given = {"commission": fees.rate, "slippage": slippage, "borrow": borrow, "risk_free_rate": risk_free_rate}
    for name, value in given.items():
        limit, per = _IMPOSSIBLE[name]
        if is_number(value) and value > limit:
            raise InputError(
                f"{name} is {value:g}, which is {value * 100:g} % {per}; it is a fraction: "
                f"{value:g} % is {value / 100:g}"
            )


def check_cost(name: str, value: Any) -> None:
    """Refuse a commission rate, slippage or borrow that a backtest would refuse.

    Raises
    ------
    InputError
        If it is negative, not finite, or can only be a percentage.
    """
    number = as_cost(name, value)
    costs = {"commission": 0.0, "slippage": 0.0, "borrow": 0.0} | {name: number}
    _check_costs(as_fees(costs["commission"]), costs["slippage"], costs["borrow"], 0.0)


def _doubts(options: Options) -> tuple[str, ...]:
    """Return warnings about costs that are possible but rare."""
    return tuple(
        f"{name}={value:g} is {value * 100:g} % of the value of each fill; {value:g} % would be {value / 100:g}"
        for name, value in (("commission", options.fees.rate), ("slippage", options.slippage))
        if value >= _HIGH_COST
    )


def _lot(units: str, lot_size: Any) -> float:
    """Return the multiple that units are rounded down to, 0.0 for none."""
    if units not in UNITS:
        raise InputError(f"units is {units!r}; choose 'fractional' or 'whole'")
    if not is_number(lot_size) or not 0.0 < lot_size < float("inf"):
        raise InputError(f"lot_size is {lot_size!r}; use a number of units above zero")
    if units == "fractional" and lot_size != 1.0:
        raise InputError(f"lot_size={lot_size:g} counts only for whole units; add units='whole', or leave it out")
    return float(lot_size) if units == "whole" else 0.0


def _per_year(periods_per_year: Any) -> float:
    if is_number(periods_per_year) and 0.0 < periods_per_year < float("inf"):
        return float(periods_per_year)
    raise InputError(f"periods_per_year is {periods_per_year!r}; use a number above zero, such as 252")


def _fill(fill: Any) -> str:
    if fill in FILLS:
        return str(fill)
    near = difflib.get_close_matches(str(fill).replace(" ", "_").lower(), FILLS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(map(repr, FILLS))}"
    raise InputError(f"fill is {fill!r}; {hint}")
