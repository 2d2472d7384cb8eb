"""What an account stands on: the panel as kernels take it, costs per instrument, times, calendar and conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.costs import Fees
from algotrendy.backtest.setting import LEAST_BARS, Setting, prepare
from algotrendy.domain.calendar import as_calendar, infer_calendar, valuation_marks
from algotrendy.domain.calendar import periods_per_year as marks_per_year
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.domain.panel import Panel
from algotrendy.domain.types import AnyArray, Float1D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.kernels.orders_types import FILLS
from algotrendy.kernels.portfolio_types import AccountRules, Fills, PanelMarket, PanelTerms, Venue

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.engine import Options

__all__ = ["BY_SYMBOL", "Account", "account_of", "as_panel"]

BY_SYMBOL = ("commission", "slippage", "borrow", "lot_size", "calendar")
"""Options that may be a mapping from symbol to value."""


@dataclass(frozen=True, eq=False)
class Account:
    """Everything about a backtest of several instruments that does not depend on what decides.

    Attributes
    ----------
    panel : Panel
        The instruments; `index` is the union of their stamps.
    rows : tuple of int64 array
        For each instrument the places of its own bars in the index.
    settings : tuple of Setting
        Bars, context and costs of each instrument.
    options : Options
        Conventions of the account, with the marks and periods of the union.
    market : PanelMarket
        Prices in the layout of the kernels.
    terms : PanelTerms
        Costs per instrument.
    multipliers : float64 array of shape (n_instruments,)
        What a unit is worth at a price of 1.
    assumptions : dict
        Conventions and costs in plain values, for the result.
    warnings : tuple of str
        What looks like a mistake, or has to be known.
    """

    panel: Panel
    rows: tuple[Int1D, ...]
    settings: tuple[Setting, ...]
    options: Options
    market: PanelMarket
    terms: PanelTerms
    multipliers: Float1D
    assumptions: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def n_instruments(self) -> int:
        """Columns of the panel."""
        return len(self.rows)

    @property
    def n_bars(self) -> int:
        """Stamps of the union."""
        return len(self.panel.index)

    @cached_property
    def sessions(self) -> Int1D:
        """The number of the session of each stamp: its date."""
        from algotrendy.domain.calendar import utc_stamps

        dates: AnyArray = utc_stamps(self.panel.index).astype("datetime64[D]")
        return dates.astype(np.int64)

    def venue(self, fills: Fills, *, tolerance: float = 0.0, size_kind: int = 0, max_positions: int = 1) -> Venue:
        """Return what kernels need besides what decides."""
        options = self.options
        rules = AccountRules(
            fill=FILLS.index(options.fill),
            cash=options.cash,
            max_leverage=options.max_leverage,
            tolerance=float(tolerance),
            size_kind=int(size_kind),
            max_positions=int(max_positions),
        )
        return Venue(self.market, self.terms, rules, fills)


def as_panel(bars: Any) -> Panel:
    """Return the panel of what a user gave: a panel, a mapping, a long or a wide frame, or bars of one instrument.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.bdate_range("2024-03-04", periods=2)
    >>> as_panel({"A": pd.DataFrame({"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}, index=days)}).symbols
    ('A',)
    """
    if isinstance(bars, Panel):
        return bars
    panel = Panel.of(bars)
    if len(set(panel.symbols)) < len(panel.symbols):
        twice = sorted({symbol for symbol in panel.symbols if panel.symbols.count(symbol) > 1})
        raise InputError(f"the symbol {twice[0]!r} stands for several instruments; give each its own symbol")
    return panel


def account_of(panel: Panel, *, delisting_return: Any = 0.0, **options: Any) -> Account:
    """Check the options once, and lay out prices and costs for the kernels.

    Options are those of `backtest`; those in `BY_SYMBOL` may be mappings from symbol to value, others then have the
    default.

    Raises
    ------
    InputError
        If an option is not allowed, names an unknown symbol, or currencies differ.
    """
    symbols = panel.symbols
    given = options.get("interval")
    options["interval"] = infer_interval(panel.index) if given is None else Interval.parse(given)
    by_symbol = {name: _by_symbol(name, value, symbols) for name, value in options.items()}
    rows = tuple(np.flatnonzero(panel.valid[:, j]) for j in range(len(symbols)))
    settings = []
    for j, symbol in enumerate(symbols):
        own = {name: values[symbol] for name, values in by_symbol.items() if symbol in values}
        settings.append(_setting(panel, j, rows[j], own))
    conventions = _conventions(panel, settings, options)
    terms = _terms(settings, _returns(delisting_return, symbols))
    multipliers = _multipliers(panel)
    market = _market(panel, rows, settings, multipliers)
    assumptions = dict(settings[0].assumptions) | _shown(options, conventions, panel)
    if delisting_return:
        assumptions["delisting_return"] = delisting_return
    found = tuple(dict.fromkeys(text for setting in settings for text in setting.warnings))
    return Account(
        panel,
        rows,
        tuple(settings),
        conventions,
        market,
        terms,
        multipliers,
        assumptions,
        (*found, *_endings(panel, market)),
    )


def _by_symbol(name: str, value: Any, symbols: tuple[str, ...]) -> dict[str, Any]:
    """Return an option for each symbol that has it."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(symbols, value)
    if name not in BY_SYMBOL:
        raise InputError(f"{name} is one for the whole account; by symbol there may be {', '.join(BY_SYMBOL)}")
    for symbol in value:
        if symbol not in symbols:
            raise InputError(f"{name} names the symbol {symbol!r}, which has no bars; there are {_listed(symbols)}")
    return dict(value)


def _setting(panel: Panel, j: int, rows: Int1D, options: dict[str, Any]) -> Setting:
    instrument = panel.instruments[j]
    chosen = dict(options)
    if isinstance(instrument, Instrument) and chosen.get("units") == "whole" and "lot_size" not in chosen:
        chosen["lot_size"] = float(instrument.lot_size)
    if len(rows) < LEAST_BARS:
        raise InputError(f"{panel.symbols[j]} has {len(rows)} bars; at least {LEAST_BARS} are needed, or leave it out")
    return prepare(frame_of_column(panel, j, rows), **chosen)


def frame_of_column(panel: Panel, j: int, rows: Int1D) -> pd.DataFrame:
    """Return the own bars of one instrument."""
    import pandas as pd

    whole = len(rows) == len(panel.index)
    columns = {name: field[:, j] if whole else field[rows, j] for name, field in panel.fields.items()}
    return pd.DataFrame(columns, index=panel.index if whole else panel.index[rows], copy=False)


def _conventions(panel: Panel, settings: list[Setting], options: Mapping[str, Any]) -> Options:
    """Return the options of the account: those of an instrument, with marks and periods of the union."""
    first = settings[0].options
    if len(settings) == 1:
        return first
    index: Any = panel.index
    length, calendar = options["interval"], options.get("calendar")
    whole = calendar is None or isinstance(calendar, Mapping)
    chosen = infer_calendar(index) if whole else as_calendar(calendar)  # type: ignore[arg-type]  # a calendar or its name
    given = options.get("periods_per_year")
    per_year = marks_per_year(length, chosen) if given is None else first.periods_per_year
    marks = valuation_marks(index, length, chosen) if length.is_intraday else None
    return replace(first, periods_per_year=per_year, marks=marks)


def _shown(options: Mapping[str, Any], conventions: Options, panel: Panel) -> dict[str, Any]:
    import pandas as pd

    shown: dict[str, Any] = {"periods_per_year": conventions.periods_per_year, "instruments": len(panel.symbols)}
    for name in BY_SYMBOL:
        value = options.get(name)
        if isinstance(value, Mapping):
            shown[name] = {key: vars(each) if isinstance(each, Fees) else each for key, each in value.items()}
    if len(panel.symbols) > 1 and "calendar" not in shown and options.get("calendar") is None:
        shown["calendar"] = infer_calendar(pd.DatetimeIndex(panel.index)).name
    return shown


def _terms(settings: list[Setting], delisting: Float1D) -> PanelTerms:
    fees = [setting.options.fees for setting in settings]

    def column(values: list[float]) -> Float1D:
        return np.array(values, dtype=np.float64)

    return PanelTerms(
        rate=column([each.rate for each in fees]),
        per_unit=column([each.per_unit for each in fees]),
        fixed=column([each.fixed for each in fees]),
        minimum=column([each.minimum for each in fees]),
        slippage=column([setting.options.slippage for setting in settings]),
        lot_size=column([setting.options.lot_size for setting in settings]),
        borrow=column([setting.options.borrow / setting.options.bars_per_year for setting in settings]),
        delisting_return=delisting,
    )


def _returns(value: Any, symbols: tuple[str, ...]) -> Float1D:
    given = value if isinstance(value, Mapping) else dict.fromkeys(symbols, value)
    for symbol, each in given.items():
        if symbol not in symbols:
            raise InputError(f"delisting_return names {symbol!r}, which has no bars; there are {_listed(symbols)}")
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not -1.0 <= each < np.inf:
            raise InputError(f"delisting_return is {each!r}; a fraction from -1 (all is lost), such as -0.3")
    return np.array([float(given.get(symbol, 0.0)) for symbol in symbols])


def _multipliers(panel: Panel) -> Float1D:
    known = [one for one in panel.instruments if isinstance(one, Instrument)]
    currencies = sorted({one.currency for one in known})
    if len(currencies) > 1:
        raise InputError(
            f"the instruments are quoted in {', '.join(currencies)}; an account has one currency: convert the bars of"
            " the others first"
        )
    return np.array([float(one.multiplier) if isinstance(one, Instrument) else 1.0 for one in panel.instruments])


def _market(panel: Panel, rows: tuple[Int1D, ...], settings: list[Setting], multipliers: Float1D) -> PanelMarket:
    """Lay the prices out by time, and fill gaps with last closes."""
    whole = bool(panel.valid.all())
    opens, high, low, close = (_by_time(panel.fields[name], multipliers) for name in ("open", "high", "low", "close"))
    valid = np.ascontiguousarray(panel.valid)
    mark, at_open = (close, opens) if whole else _filled(close, opens, valid)
    held = mark
    if any(setting.options.borrow > 0.0 for setting in settings):
        held = mark.copy()
        for j, (places, setting) in enumerate(zip(rows, settings, strict=True)):
            held[:, j] = _with_borrow(mark[:, j], places, setting)
    last = np.array([places[-1] for places in rows])
    ending = np.flatnonzero(last < len(panel.index) - 1)
    order = ending[np.argsort(last[ending], kind="stable")]
    return PanelMarket(high, low, at_open, mark, held, valid, np.column_stack([last[order], order]).astype(np.int64))


def _by_time(field: Float2D, multipliers: Float1D) -> Float2D:
    if (multipliers == 1.0).all():
        return np.ascontiguousarray(field)
    return np.ascontiguousarray(field * multipliers)


def _filled(close: Float2D, opens: Float2D, valid: AnyArray) -> tuple[Float2D, Float2D]:
    """Return closes and opens in which each gap holds the last close, and 0.0 before the first bar."""
    n = len(close)
    latest = np.where(valid, np.arange(n)[:, None], -1)
    np.maximum.accumulate(latest, axis=0, out=latest)
    mark = np.where(latest >= 0, np.take_along_axis(close, np.maximum(latest, 0), axis=0), 0.0)
    before = np.vstack([np.zeros((1, close.shape[1])), mark[:-1]])
    return mark, np.where(valid, opens, before)


def _with_borrow(mark: Float1D, rows: Int1D, setting: Setting) -> Float1D:
    """Return the marks of an instrument plus all borrow per unit so far; it is paid at its own bars."""
    options = setting.options
    close = mark[rows]
    own = close.copy()
    own[1:] += np.cumsum(close[:-1] * (options.borrow / options.bars_per_year))
    if len(rows) == len(mark):
        return own
    latest = np.searchsorted(rows, np.arange(len(mark)), side="right") - 1
    return np.where(latest >= 0, mark + (own - close)[np.maximum(latest, 0)], 0.0)


def _endings(panel: Panel, market: PanelMarket) -> tuple[str, ...]:
    if not len(market.ends):
        return ()
    named = [panel.symbols[j] for j in market.ends[:, 1]]
    what = "instrument ends" if len(named) == 1 else "instruments end"
    return (
        f"{len(named)} {what} before the panel does ({_listed(named)}): positions in them are closed at the last close,"
        " or at what delisting_return says",
    )


def _listed(names: Any, most: int = 5) -> str:
    shown = [str(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
