"""What an account stands on: the panel as kernels take it, costs per instrument, times, calendar and conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from algotrendy.backtest.arguments import EXTRAS
from algotrendy.backtest.costs import Fees
from algotrendy.backtest.portfolio.extras import AccountExtras, Frame, extras_of
from algotrendy.backtest.portfolio.happenings import Happening
from algotrendy.backtest.setting import LEAST_BARS, Setting, prepare
from algotrendy.domain.bars import BarArrays
from algotrendy.domain.calendar import Calendar, as_calendar, infer_calendar, valuation_marks
from algotrendy.domain.calendar import periods_per_year as marks_per_year
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.interval import Interval, infer_interval
from algotrendy.domain.panel import Panel
from algotrendy.domain.types import AnyArray, Bool2D, Float1D, Float2D, Int1D, Int2D
from algotrendy.errors import InputError
from algotrendy.expressions import Context
from algotrendy.kernels.orders_types import FILLS
from algotrendy.kernels.portfolio_types import AccountRules, Extras, Fills, PanelMarket, PanelTerms, Venue

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.engine import Options

__all__ = ["BY_SYMBOL", "Account", "account_of", "account_of_one", "as_panel", "instruments_in_words"]

BY_SYMBOL = ("commission", "slippage", "borrow", "lot_size", "calendar")
"""Options that may be a mapping from symbol to value."""


@dataclass(frozen=True, eq=False)
class Own:
    """One instrument of an account: its own bars, what expressions may ask of them, and its costs.

    Attributes
    ----------
    panel : Panel
    column : int
        Its place in the panel.
    rows : int64 array
        The places of its bars in the index.
    context : Context
        Times, interval, calendar and constants.
    options : Options
        Conventions and its own costs.
    happening : Happening, optional
        Its splits and dividends: what decides sees prices adjusted by them.
    """

    panel: Panel
    column: int
    rows: Int1D
    context: Context
    options: Options
    happening: Happening | None = None

    @cached_property
    def arrays(self) -> BarArrays:
        """Its own bars as arrays of shape (n_own_bars,), as what decides sees them."""
        whole = self.panel.column(self.column)
        if len(self.rows) < len(self.panel.index):
            whole = BarArrays(*(values[self.rows] for values in whole))
        seen = self.happening
        if seen is None:
            return whole
        scales = (seen.scale, seen.scale, seen.scale, seen.scale, seen.volume_scale)
        return BarArrays(*(values * scale for values, scale in zip(whole, scales, strict=True)))

    @cached_property
    def bars(self) -> pd.DataFrame:
        """Its own bars as a frame, as what decides sees them, with their further columns."""
        frame = frame_of_column(self.panel, self.column, self.rows)
        if self.happening is not None:
            frame = frame.assign(**self.arrays._asdict())
        return frame.assign(**dict(self.context.columns)) if len(self.context.columns) else frame


@dataclass(frozen=True, eq=False)
class Account:
    """Everything about a backtest of several instruments that does not depend on what decides.

    Attributes
    ----------
    panel : Panel
        The instruments; `index` is the union of their stamps.
    rows : tuple of int64 array
        For each instrument the places of its own bars in the index.
    settings : tuple of Own
        Bars, context and costs of each instrument.
    options : Options
        Conventions of the account, with the marks and periods of the union.
    terms : PanelTerms
        Costs per instrument.
    multipliers : float64 array of shape (n_instruments,)
        What a unit is worth at a price of 1.
    assumptions : dict
        Conventions and costs in plain values, for the result.
    warnings : tuple of str
        What looks like a mistake, or has to be known.
    extras : AccountExtras, optional
        Actions, margins, interest, volume caps, ticks, finer bars.
    """

    panel: Panel
    rows: tuple[Int1D, ...]
    settings: tuple[Own, ...]
    options: Options
    terms: PanelTerms
    multipliers: Float1D
    assumptions: dict[str, Any]
    warnings: tuple[str, ...]
    extras: AccountExtras | None = None

    @property
    def n_instruments(self) -> int:
        """Columns of the panel."""
        return len(self.rows)

    @property
    def n_bars(self) -> int:
        """Stamps of the union."""
        return len(self.panel.index)

    @cached_property
    def columns(self) -> PanelMarket:
        """Prices with instruments in rows, shape (n_instruments, n_bars): for who follows a few positions."""
        return columns_of(self.panel, self.rows, self.settings, self.multipliers)

    @cached_property
    def market(self) -> PanelMarket:
        """Prices with bars in rows, shape (n_bars, n_instruments): for who looks at all instruments of a bar."""
        own = self.columns
        high, low, at_open, mark = (np.ascontiguousarray(e.T) for e in (own.high, own.low, own.at_open, own.mark))
        valid = np.ascontiguousarray(own.valid.T)
        held = mark if own.held is own.mark else np.ascontiguousarray(own.held.T)
        return PanelMarket(high, low, at_open, mark, held, valid, own.ends)

    def changed(self, **fields: Any) -> Account:
        """Return the account with other options, terms or assumptions: prices do not hang on them, and are kept."""
        other = replace(self, **fields)
        vars(other)["columns"] = self.columns
        for name in ("market", "sessions"):
            if name in vars(self):
                vars(other)[name] = getattr(self, name)
        return other

    @property
    def kernel_extras(self) -> Extras:
        """The extras as kernels take them."""
        assert self.extras is not None
        return self.extras.kernel

    @cached_property
    def sessions(self) -> Int1D:
        """The number of the session of each stamp: its date."""
        from algotrendy.domain.calendar import utc_stamps

        dates: AnyArray = utc_stamps(self.panel.index).astype("datetime64[D]")
        return dates.astype(np.int64)

    @cached_property
    def valid_words(self) -> NDArray[np.uint64]:
        """Which instruments have a bar at each stamp, 64 to a word."""
        return instruments_in_words(self.panel.valid)

    def venue(
        self, fills: Fills, market: PanelMarket, *, tolerance: float = 0.0, size_kind: int = 0, max_positions: int = 1
    ) -> Venue:
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
        return Venue(market, self.terms, rules, fills)


def instruments_in_words(flags: Bool2D) -> NDArray[np.uint64]:
    """Return flags of shape (n_bars, n_instruments) as bits, 64 instruments to a word.

    Examples
    --------
    >>> instruments_in_words(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    n_bars, n = flags.shape
    octets = np.zeros((n_bars, 8 * -(-n // 64)), np.uint8)
    packed = np.packbits(flags, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return octets.view("<u8").astype(np.uint64, copy=False)


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
    more = {name: options.pop(name, None) for name in EXTRAS}
    given = options.get("interval")
    options["interval"] = infer_interval(panel.index) if given is None else Interval.parse(given)
    by_symbol = {name: _by_symbol(name, value, symbols) for name, value in options.items()}
    rows = tuple(np.flatnonzero(panel.valid[:, j]) for j in range(len(symbols)))
    own = [{name: values[symbol] for name, values in by_symbol.items() if symbol in values} for symbol in symbols]
    settings, first = _settings(panel, rows, own)
    conventions = _conventions(panel, settings, options)
    multipliers = _multipliers(panel)
    extras = extras_of(Frame(panel, rows, multipliers, options["interval"], _named(options.get("calendar"))), more)
    assumptions = dict(first.assumptions) | _shown(options, conventions, panel)
    if extras is not None:
        assumptions |= extras.shown
        settings = tuple(
            own if happening is None else replace(own, happening=happening)
            for own, happening in zip(settings, extras.happenings, strict=True)
        )
    if delisting_return:
        assumptions["delisting_return"] = delisting_return
    return Account(
        panel,
        rows,
        settings,
        conventions,
        _terms(settings, _returns(delisting_return, symbols)),
        multipliers,
        assumptions,
        (*first.warnings, *_endings(panel, rows)),
        extras,
    )


def _named(calendar: Any) -> Calendar | None:
    """Return the one calendar that was given for all instruments."""
    return None if calendar is None or isinstance(calendar, Mapping) else as_calendar(calendar)


def account_of_one(setting: Setting) -> Account:
    """Return the account of one instrument whose bars, conventions and costs are prepared already.

    Examples
    --------
    >>> import algotrendy as at
    >>> account_of_one(prepare(at.synthetic(n=50, seed=1), commission=0.001)).terms.rate
    array([0.001])
    """
    n_bars = len(setting.arrays.close)
    fields = {name: column.reshape(-1, 1) for name, column in setting.arrays._asdict().items()}
    index: Any = setting.bars.index
    calendar = infer_calendar(index) if setting.context.calendar is None else setting.context.calendar
    panel = Panel(index, ("",), fields, np.ones((n_bars, 1), dtype=bool), (calendar,))
    own = Own(panel, 0, np.arange(n_bars), setting.context, setting.options)
    terms = _terms((setting,), np.zeros(1))
    return Account(
        panel, (own.rows,), (own,), setting.options, terms, np.ones(1), dict(setting.assumptions), setting.warnings
    )


def _settings(panel: Panel, rows: tuple[Int1D, ...], own: list[dict[str, Any]]) -> tuple[tuple[Own, ...], Setting]:
    """Return the instruments, and the setting of the first one; what has the same options and stamps shares them."""
    known: dict[tuple[Any, ...], Setting] = {}
    found = []
    for j, options in enumerate(own):
        chosen, instrument = dict(options), panel.instruments[j]
        if isinstance(instrument, Instrument) and chosen.get("units") == "whole" and "lot_size" not in chosen:
            chosen["lot_size"] = float(instrument.lot_size)
        if len(rows[j]) < LEAST_BARS:
            raise InputError(
                f"{panel.symbols[j]} has {len(rows[j])} bars; at least {LEAST_BARS} are needed, or leave it out"
            )
        stamps = -1 if len(rows[j]) == len(panel.index) else j
        key = (stamps, *sorted((name, repr(value)) for name, value in chosen.items()))
        if key not in known:
            known[key] = prepare(frame_of_column(panel, j, rows[j]), **chosen)
        context = known[key].context
        if panel.further and len(panel.further[j]):
            context = replace(context, columns=panel.further[j])
        found.append(Own(panel, j, rows[j], context, known[key].options))
    return tuple(found), next(iter(known.values()))


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


def frame_of_column(panel: Panel, j: int, rows: Int1D) -> pd.DataFrame:
    """Return the own bars of one instrument."""
    import pandas as pd

    whole = len(rows) == len(panel.index)
    columns = {name: field[:, j] if whole else field[rows, j] for name, field in panel.fields.items()}
    return pd.DataFrame(columns, index=panel.index if whole else panel.index[rows], copy=False)


def _conventions(panel: Panel, settings: tuple[Own, ...], options: Mapping[str, Any]) -> Options:
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


def _terms(settings: tuple[Own | Setting, ...], delisting: Float1D) -> PanelTerms:
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


def columns_of(panel: Panel, rows: tuple[Int1D, ...], settings: tuple[Own, ...], multipliers: Float1D) -> PanelMarket:
    """Lay the prices out by instrument, and fill gaps with last closes."""
    opens, high, low, close = (_times(panel.fields[name].T, multipliers) for name in ("open", "high", "low", "close"))
    valid = np.ascontiguousarray(panel.valid.T)
    mark, at_open = (close, opens) if valid.all() else _filled(close, opens, valid)
    held = mark
    if any(setting.options.borrow > 0.0 for setting in settings):
        held = mark.copy()
        for j, (places, setting) in enumerate(zip(rows, settings, strict=True)):
            held[j] = _with_borrow(mark[j], places, setting.options)
    return PanelMarket(high, low, at_open, mark, held, valid, _ends(panel, rows))


def _ends(panel: Panel, rows: tuple[Int1D, ...]) -> Int2D:
    """Return last bar and number of the instruments that end before the panel, by last bar."""
    last = np.array([places[-1] for places in rows], dtype=np.int64)
    over = last < len(panel.index) - 1
    ending = np.flatnonzero(over & ~np.array(panel.goes_on) if panel.goes_on else over)
    order = ending[np.argsort(last[ending], kind="stable")]
    return np.column_stack([last[order], order]).astype(np.int64)


def _times(field: Float2D, multipliers: Float1D) -> Float2D:
    if (multipliers == 1.0).all():
        return np.ascontiguousarray(field)
    return np.ascontiguousarray(field * multipliers[:, None])


def _filled(close: Float2D, opens: Float2D, valid: Bool2D) -> tuple[Float2D, Float2D]:
    """Return closes and opens in which each gap holds the last close, and 0.0 before the first bar."""
    latest = np.where(valid, np.arange(close.shape[1]), -1)
    np.maximum.accumulate(latest, axis=1, out=latest)
    mark = np.where(latest >= 0, np.take_along_axis(close, np.maximum(latest, 0), axis=1), 0.0)
    before = np.hstack([np.zeros((len(close), 1)), mark[:, :-1]])
    return mark, np.where(valid, opens, before)


def _with_borrow(mark: Float1D, rows: Int1D, options: Options) -> Float1D:
    """Return the marks of an instrument plus all borrow per unit so far; it is paid at its own bars."""
    close = mark[rows]
    own = close.copy()
    own[1:] += np.cumsum(close[:-1] * (options.borrow / options.bars_per_year))
    if len(rows) == len(mark):
        return own
    latest = np.searchsorted(rows, np.arange(len(mark)), side="right") - 1
    return np.where(latest >= 0, mark + (own - close)[np.maximum(latest, 0)], 0.0)


def _endings(panel: Panel, rows: tuple[Int1D, ...]) -> tuple[str, ...]:
    ends = _ends(panel, rows)
    if not len(ends):
        return ()
    named = [panel.symbols[j] for j in ends[:, 1]]
    what = "instrument ends" if len(named) == 1 else "instruments end"
    return (
        f"{len(named)} {what} before the panel does ({_listed(named)}): positions in them are closed at the last close,"
        " or at what delisting_return says",
    )


def _listed(names: Any, most: int = 5) -> str:
    shown = [str(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
