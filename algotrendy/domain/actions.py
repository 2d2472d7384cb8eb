"""Corporate actions: splits and dividends, the factors that follow from them, and prices adjusted by them.

Signals are found on adjusted prices and filled at raw ones, so both are carried: raw bars, and what adjusts them. An
action takes effect at the start of its ex-date. Adjusting multiplies what lies before it, so the newest prices stay as
they were traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.bars import PRICES, check_bars
from algotrendy.domain.calendar import Calendar, utc_stamps
from algotrendy.domain.types import Dates1D, Float1D
from algotrendy.errors import InputError

__all__ = ["Actions", "Factors", "adjust", "undo_splits"]

How: TypeAlias = Literal["splits", "all"]
Amounts: TypeAlias = "pd.Series[float] | Mapping[Any, float] | None"

FLAG = "is_adjusted"
"""The column of truth values that marks adjusted bars, so that they are not adjusted again."""


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """The splits and dividends of one instrument, by ex-date.

    Attributes
    ----------
    splits : Series of float
        New shares for one old share: 4.0 is a 4:1 split, 0.1 a 1:10 reverse split. The index holds ex-dates.
    dividends : Series of float
        What one share was paid on that ex-date, in the currency of the prices, as paid: not adjusted for later splits.
        Where a split has the same ex-date, per new share.

    Examples
    --------
    >>> actions = Actions.of(splits={"2020-08-31": 4.0}, dividends={"2020-08-07": 0.82})
    >>> actions.until("2020-08-10").splits.empty, actions
    (True, Actions(1 split, 1 dividend))
    """

    splits: pd.Series[float]
    dividends: pd.Series[float]

    @classmethod
    def of(cls, splits: Amounts = None, dividends: Amounts = None) -> Actions:
        """Return actions from Series or mappings of date to number; several dividends of one date are summed.

        Raises
        ------
        InputError
            If a date is no date, or a number is not finite and positive.
        """
        return cls(
            _by_date(splits, "split").groupby(level=0).prod(), _by_date(dividends, "dividend").groupby(level=0).sum()
        )

    def until(self, date: object) -> Actions:
        """Return the actions whose ex-date is not after `date`."""
        last = _date(date)
        return Actions(self.splits[self.splits.index <= last], self.dividends[self.dividends.index <= last])

    def after(self, date: object) -> Actions:
        """Return the actions whose ex-date is after `date`."""
        first = _date(date)
        return Actions(self.splits[self.splits.index > first], self.dividends[self.dividends.index > first])

    def joined(self, other: Actions) -> Actions:
        """Return the actions of both; where both know a date, the other's number holds."""
        return Actions(_joined(self.splits, other.splits), _joined(self.dividends, other.dividends))

    def __bool__(self) -> bool:
        return bool(len(self.splits) or len(self.dividends))

    def __repr__(self) -> str:
        counts = ((len(self.splits), "split"), (len(self.dividends), "dividend"))
        return f"Actions({', '.join(f'{n} {name}' + ('' if n == 1 else 's') for n, name in counts)})"


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What raw prices are multiplied with, in the form of the Lean factor files.

    Attributes
    ----------
    table : DataFrame
        Columns `price_factor` (for dividends), `split_factor` and `reference_price` (the raw close that a dividend was
        taken off; 0 or NaN where none is known), indexed by the last date on which a row holds, ascending. The last
        row is 1, 1: the newest prices are raw.

    Notes
    -----
    A bar of date *d* takes the first row whose date is not before *d*: adjusted price = raw price x price_factor x
    split_factor, adjusted volume = raw volume / split_factor [1]_.

    References
    ----------
    .. [1] QuantConnect Lean, `Data/equity/usa/factor_files/readme.md`.

    Examples
    --------
    >>> factors = Factors.of_rows([("2020-08-28", 1.0, 0.25, 499.23), ("2050-12-31", 1.0, 1.0, 0.0)])
    >>> [factor.tolist() for factor in factors.at(pd.DatetimeIndex(["2020-08-28", "2020-08-31"]))]
    [[1.0, 1.0], [0.25, 1.0]]
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        table = self.table
        missing = {"price_factor", "split_factor"} - set(table.columns)
        if missing:
            raise InputError(
                f"factors lack the column {sorted(missing)[0]!r}; found: {', '.join(map(str, table.columns))}"
            )
        index = table.index
        if not isinstance(index, pd.DatetimeIndex) or index.tz is not None or not index.is_normalized:
            raise InputError("factors are indexed by the last date on which each row holds, without a zone")
        if not len(table) or not index.is_monotonic_increasing or not index.is_unique:
            raise InputError(f"factors need dates that ascend, each once; there are {len(table)} rows")
        values = table[["price_factor", "split_factor"]].to_numpy(dtype=np.float64)
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise InputError("factors must be finite and above 0")
        if tuple(values[-1]) != (1.0, 1.0):
            raise InputError(
                f"the last row of factors, {index[-1].date()}, is {values[-1][0]:g}, {values[-1][1]:g}; expected 1, 1:"
                " the newest prices are raw"
            )

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[object, float, float, float]]) -> Factors:
        """Return factors from rows of date, price factor, split factor and reference price.

        Raises
        ------
        InputError
            If dates do not ascend, a factor is not positive, or the last row is not 1, 1.
        """
        listed = list(rows)
        index = pd.DatetimeIndex([_date(row[0]) for row in listed], name="date")
        columns = ["price_factor", "split_factor", "reference_price"]
        return cls(pd.DataFrame([row[1:] for row in listed], index=index, columns=columns, dtype=np.float64))

    @classmethod
    def of(cls, actions: Actions, closes: pd.Series[float]) -> Factors:
        """Return the factors that follow from actions and raw daily closes.

        A dividend takes ``1 - dividend / close`` off everything before its ex-date, `close` being the last raw close
        before that date (in new shares, where a split has the same ex-date).

        Parameters
        ----------
        actions : Actions
            What happened.
        closes : Series of float
            Raw closes indexed by session date, ascending.

        Raises
        ------
        InputError
            If a dividend is as large as the close before it, or lies after the last close but for the next day's: its
            factor cannot be known. `actions.until(date)` leaves later ones out.
        """
        dates = pd.DatetimeIndex(closes.index)
        events = actions.splits.index.union(actions.dividends.index)
        rows: list[tuple[object, float, float, float]] = [(_FAR, 1.0, 1.0, 0.0)]
        price = split = 1.0
        for ex_date in events[::-1]:
            place = int(dates.searchsorted(ex_date)) - 1
            dividend = float(actions.dividends.get(ex_date, 0.0))
            ratio = float(actions.splits.get(ex_date, 1.0))
            close = float(closes.iloc[place]) if place >= 0 else 0.0
            if dividend and place >= 0:
                price *= _kept(dividend, close / ratio, ex_date, dates)
            split /= ratio
            rows.append((ex_date - _ONE_DAY, price, split, close))
        return cls.of_rows(rows[::-1])

    def at(self, dates: pd.DatetimeIndex) -> tuple[Float1D, Float1D]:
        """Return the price factors and the split factors that hold on these dates; 1 after the last row."""
        rows = self.table.index.searchsorted(dates)
        price, split = (np.append(self.table[name].to_numpy(dtype=np.float64), 1.0) for name in _FACTORS)
        return price[rows], split[rows]

    def actions(self, calendar: Calendar | None = None) -> Actions:
        """Return the splits and dividends that these factors stand for.

        An ex-date is the first session after a row's date, or simply the next day without a calendar. A dividend needs
        the row's reference price; where that is not known, it is left out.
        """
        table = self.table
        dates = pd.DatetimeIndex(table.index)[:-1]
        ex_dates = dates + _ONE_DAY
        if calendar is not None:
            ex_dates = pd.DatetimeIndex(calendar.next_session(utc_stamps(dates).astype("datetime64[D]")))
        price, split = (table[name].to_numpy(dtype=np.float64) for name in _FACTORS)
        ratios = split[1:] / split[:-1]
        reference = table.get("reference_price", pd.Series(0.0, index=table.index)).to_numpy(dtype=np.float64)[:-1]
        paid = np.nan_to_num(reference) * (1.0 - price[:-1] / price[1:]) / ratios
        splits = pd.Series(ratios, index=ex_dates)
        dividends = pd.Series(paid, index=ex_dates)
        return Actions.of(splits[np.abs(ratios - 1.0) > _NO_SPLIT], dividends[paid > 0.0])


def adjust(
    bars: pd.DataFrame,
    by: Actions | Factors,
    how: How = "all",
    *,
    calendar: Calendar | None = None,
    keep_raw: bool = False,
) -> pd.DataFrame:
    """Return bars whose past is made comparable with their newest prices.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Sound raw bars, daily or intraday.
    by : Actions or Factors
        What happened, or the factors that follow from it.
    how : {"splits", "all"}
        "splits" for splits alone: prices before an ex-date are multiplied by 1/ratio, volumes by the ratio. "all" for
        dividends as well, which change prices alone.
    calendar : Calendar, optional
        Says to which session an intraday bar belongs; without one, its UTC date counts.
    keep_raw : bool
        Whether to keep the prices and the volume as they were traded beside, as `raw_open`, ..., `raw_volume`.

    Returns
    -------
    DataFrame of shape (n_bars, ...)
        The same index and columns, with `is_adjusted` True in every row.

    Raises
    ------
    InputError
        If the bars are not sound or adjusted already; if `how` is unknown; or, with actions, if a dividend is as large
        as the close before it or lies so far after the last bar that the close before it is not among the bars.

    Examples
    --------
    >>> days = pd.to_datetime(["2020-08-28", "2020-08-31"])
    >>> bars = pd.DataFrame({"open": [504.0, 127.5], "high": [506.0, 131.0], "low": [498.0, 126.0],
    ...                      "close": [499.23, 129.04], "volume": [1e6, 4e6]}, index=days)
    >>> adjust(bars, Actions.of(splits={"2020-08-31": 4.0}))["close"].tolist()
    [124.8075, 129.04]
    """
    if how not in ("splits", "all"):
        raise InputError(f'how is {how!r}; choose "splits" or "all"')
    check_bars(bars)
    if FLAG in bars.columns and bool(bars[FLAG].any()):
        raise InputError(f"the bars are adjusted already ({FLAG} is True); start from the raw ones")
    dates = _session_dates(bars, calendar)
    price, split = _factors(bars, dates, by, how).at(dates)
    adjusted = bars.copy()
    if keep_raw:
        for name in (*PRICES, *(("volume",) if "volume" in bars.columns else ())):
            adjusted[f"raw_{name}"] = bars[name]
    for name in PRICES:
        adjusted[name] = bars[name] * price * split if how == "all" else bars[name] * split
    if "volume" in bars.columns:
        adjusted["volume"] = bars["volume"] / split
    adjusted[FLAG] = True
    return adjusted


def undo_splits(
    bars: pd.DataFrame, splits: pd.Series[float], *, calendar: Calendar | None = None, columns: Iterable[str] = PRICES
) -> pd.DataFrame:
    """Return bars as they were traded from bars that a vendor adjusted for these splits.

    Parameters
    ----------
    bars : DataFrame of shape (n_bars, >= 4)
        Bars adjusted for splits alone; they need not be sound.
    splits : Series of float
        All splits since the first bar, as in `Actions.splits`, those after the last bar included.
    calendar : Calendar, optional
        Says to which session an intraday bar belongs; without one, its UTC date counts.
    columns : iterable of str
        Which columns are prices.

    Examples
    --------
    >>> bars = pd.DataFrame({"open": [124.0], "high": 126.0, "low": 123.0, "close": 125.0, "volume": 4e6},
    ...                     index=pd.to_datetime(["2020-08-28"]))
    >>> undo_splits(bars, Actions.of(splits={"2020-08-31": 4.0}).splits)[["close", "volume"]].values.tolist()
    [[500.0, 1000000.0]]
    """
    later = np.append(np.cumprod(splits.to_numpy(dtype=np.float64)[::-1])[::-1], 1.0)
    ratio = later[splits.index.searchsorted(_session_dates(bars, calendar), side="right")]
    raw = bars.copy()
    for name in columns:
        raw[name] = bars[name] * ratio
    if "volume" in bars.columns:
        raw["volume"] = bars["volume"] / ratio
    return raw


_FACTORS = ("price_factor", "split_factor")
_FAR = pd.Timestamp("2200-12-31")
_ONE_DAY = pd.Timedelta(days=1)
_NO_SPLIT = 1e-4  # factor files carry five to seven digits


def _factors(bars: pd.DataFrame, dates: pd.DatetimeIndex, by: Actions | Factors, how: How) -> Factors:
    if isinstance(by, Factors):
        return by
    if not isinstance(by, Actions):
        raise InputError(f"bars are adjusted by Actions or Factors, not by a {type(by).__name__}")
    last = ~dates.duplicated(keep="last")
    closes = pd.Series(bars["close"].to_numpy(dtype=np.float64)[last], index=dates[last])
    paid = by.dividends if how == "all" else by.dividends.iloc[:0]
    return Factors.of(Actions(by.splits, paid), closes)


def _session_dates(bars: pd.DataFrame, calendar: Calendar | None) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(bars.index)
    if index.tz is None:
        return index.normalize()
    dates: Dates1D = utc_stamps(index).astype("datetime64[D]") if calendar is None else calendar.session_of(index)
    return pd.DatetimeIndex(dates)


def _kept(dividend: float, close: float, ex_date: pd.Timestamp, dates: pd.DatetimeIndex) -> float:
    """Return the share of the price that a dividend leaves."""
    if ex_date - dates[-1] > _LONGEST_BREAK:
        raise InputError(
            f"the dividend of {ex_date.date()} lies after the last close, {dates[-1].date()}, so the close before it is"
            f' not known; load later bars, or leave it out: actions.until("{dates[-1].date()}")'
        )
    if dividend >= close:
        raise InputError(
            f"the dividend of {ex_date.date()} is {dividend:g} and the close before it {close:g}: a share cannot pay"
            " more than its price; the dividend or the prices may be in another unit"
        )
    return 1.0 - dividend / close


_LONGEST_BREAK = pd.Timedelta(days=5)


def _by_date(amounts: Amounts, what: str) -> pd.Series[float]:
    given = pd.Series(dtype=np.float64) if amounts is None else pd.Series(amounts)
    index = pd.DatetimeIndex([_date(date) for date in given.index], name="ex_date").as_unit("ns")
    series = pd.Series(given.to_numpy(dtype=np.float64), index=index, name=what).sort_index(kind="stable")
    bad = series[~(np.isfinite(series) & (series > 0))]
    if len(bad):
        raise InputError(f"the {what} of {bad.index[0].date()} is {bad.iloc[0]:g}, expected a positive number")
    return series


def _date(value: object) -> pd.Timestamp:
    try:
        stamp = pd.Timestamp(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as e:
        raise InputError(f"{value!r} is not a date; expected such as 2020-08-31") from e
    if pd.isna(stamp):
        raise InputError("an ex-date is missing (NaT)")
    return stamp.tz_localize(None).normalize().as_unit("ns")


def _joined(mine: pd.Series[float], other: pd.Series[float]) -> pd.Series[float]:
    both = pd.concat([mine, other])
    return both[~both.index.duplicated(keep="last")].sort_index()
