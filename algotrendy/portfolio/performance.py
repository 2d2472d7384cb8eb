"""Performance of what somebody holds: time-weighted, money-weighted, by month, and beside a benchmark.

Returns are simple, as fractions. A flow is what the owner brings (above 0) or takes away (below 0). Values are those at
the end of each period, after its flow. Measures of risk on the returns are those of `risk`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.risk.inputs import check_zone

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Aligned",
    "align_benchmark",
    "cumulative_return",
    "modified_dietz",
    "monthly_table",
    "performance_rows",
    "period_returns",
    "time_weighted_return",
]

FlowTiming = Literal["start", "end"]


def period_returns(
    values: pd.Series[float], flows: pd.Series[float] | None = None, *, flow_timing: FlowTiming = "end"
) -> pd.Series[float]:
    """Return the return of each period with external flows taken out.

    Parameters
    ----------
    values : Series of shape (n,), n >= 2
        Value at the end of each period, after its flow; the first is the start. The index ascends, each label once.
    flows : Series, optional
        Net flow of each period, labelled as the value that it is in; labels that are missing have none. A flow with
        the first label is in the first value already.
    flow_timing : {"start", "end"}
        Whether a flow came at the start of its period and earned its return, (V1 - V0 - F) / (V0 + F), or at the end
        and did not, (V1 - V0 - F) / V0.

    Returns
    -------
    Series of shape (n - 1,)
        Simple returns, labelled by the end of each period. NaN where a period began with nothing and ended with
        nothing: there is no return to speak of.

    Raises
    ------
    InputError
        If values or flows are not finite, labels do not ascend, a flow has no value, or a period that began with
        nothing or less gained or lost something.

    Examples
    --------
    >>> import pandas as pd
    >>> values = pd.Series([100.0, 110.0, 165.0], index=pd.date_range("2024-01-31", periods=3, freq="ME"))
    >>> period_returns(values, pd.Series([50.0], index=values.index[2:])).round(4).tolist()
    [0.1, 0.0455]
    """
    import pandas as pd

    amounts = _series(values, "values", 2)
    flow = _flows(values, flows)[1:]
    gain = np.diff(amounts) - flow
    if flow_timing not in ("start", "end"):
        raise InputError(f'flow_timing is {flow_timing!r}; expected "start" or "end"')
    base = amounts[:-1] + flow if flow_timing == "start" else amounts[:-1]
    wrong = np.flatnonzero((base <= 0) & ((np.abs(gain) > 1e-12 * np.abs(amounts).max()) | (base < 0)))
    if wrong.size:
        raise InputError(
            f"the period that ends at {values.index[wrong[0] + 1]} began with {base[wrong[0]]:g}; a return needs "
            'more than 0 at work: cut the series there, or use flow_timing="start" where the flow was invested at once'
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(base > 0, gain / base, np.nan)
    return pd.Series(found, index=values.index[1:], name="return")


def time_weighted_return(
    values: pd.Series[float],
    flows: pd.Series[float] | None = None,
    *,
    flow_timing: FlowTiming = "end",
    periods_per_year: float | None = None,
) -> float:
    """Return the time-weighted return: the product of the periods' returns, whatever came in or went out.

    Parameters
    ----------
    values, flows, flow_timing
        As in `period_returns`. It is exact when there is a value at every flow.
    periods_per_year : float, optional
        Annualise: to the power of `periods_per_year` / periods. Less than a year is then told as a year's return.

    Returns
    -------
    float
        As a fraction; periods that began and ended with nothing count for nothing. NaN if all of them did.

    Raises
    ------
    InputError
        As `period_returns`.

    Examples
    --------
    Bacon's example: 74.2 at the start, 67.0 when 37.1 came in, 104.4 at the end.

    >>> import pandas as pd
    >>> values = pd.Series([74.2, 67.0 + 37.1, 104.4], index=pd.to_datetime(["2023-12-31", "2024-01-14", "2024-01-31"]))
    >>> round(time_weighted_return(values, pd.Series([37.1], index=values.index[1:2])), 4)
    -0.0944
    """
    returns = period_returns(values, flows, flow_timing=flow_timing).to_numpy()
    known = returns[~np.isnan(returns)]
    if not len(known):
        return float("nan")
    return _annual(float(np.prod(1.0 + known)), len(known), periods_per_year)


def cumulative_return(returns: pd.Series[float], *, periods_per_year: float | None = None) -> float:
    """Return the product of simple returns, less 1.

    Parameters
    ----------
    returns : Series of shape (n,), n >= 1
        Simple returns per period, as fractions, none below -1.
    periods_per_year : float, optional
        Annualise, as in `time_weighted_return`.

    Returns
    -------
    float
        As a fraction; -1 where everything was lost in some period.

    Raises
    ------
    InputError
        If there are none, or one is not finite or below -1.

    Examples
    --------
    >>> import pandas as pd
    >>> round(cumulative_return(pd.Series([0.10, -0.05])), 6)
    0.045
    """
    found = _series(returns, "returns", 1)
    _check_returns(found)
    return _annual(float(np.prod(1.0 + found)), len(found), periods_per_year)


def modified_dietz(
    start_value: float,
    end_value: float,
    flows: pd.Series[float] | None = None,
    *,
    start: Any,
    end: Any,
    flow_timing: FlowTiming = "end",
) -> float:
    """Return the modified Dietz return of one span: gain over average capital, flows weighted by the days they worked.

    Parameters
    ----------
    start_value, end_value : float
        At the end of the days `start` and `end`.
    flows : Series, optional
        Flows by date, after `start` and up to `end`; several on one day are allowed.
    start, end : date-like
        The day of the start value, such as the last of the month before, and the last day.
    flow_timing : {"start", "end"}
        Whether flows come at the start of their day, with a weight of (end - day + 1) / days, or at its end, with one
        of (end - day) / days.

    Returns
    -------
    float
        As a fraction, not annualised.

    Raises
    ------
    InputError
        If a number is not finite, the span has no day, a flow lies outside it, or the average capital is 0 or less.

    Examples
    --------
    Bacon's example: 74.2 on December 31, 37.1 in on January 14, 104.4 on January 31.

    >>> import pandas as pd
    >>> flows = pd.Series([37.1], index=pd.to_datetime(["2024-01-14"]))
    >>> round(modified_dietz(74.2, 104.4, flows, start="2023-12-31", end="2024-01-31"), 4)
    -0.073
    """
    import pandas as pd

    first, last = _days([start, end])
    days = (last - first).days
    if days < 1:
        raise InputError(f"the span from {first.date()} to {last.date()} has no day")
    if flow_timing not in ("start", "end"):
        raise InputError(f'flow_timing is {flow_timing!r}; expected "start" or "end"')
    amounts = np.array([], dtype=np.float64) if flows is None else np.asarray(flows, dtype=np.float64)
    dates = pd.DatetimeIndex([]) if flows is None else _days(flows.index)
    if not np.isfinite([start_value, end_value, *amounts]).all():
        raise InputError("values and flows of a span must be finite numbers")
    outside = dates[(dates <= first) | (dates > last)]
    if len(outside):
        raise InputError(f"the flow of {outside[0].date()} lies outside the span, which is after {first.date()} up to "
                         f"{last.date()}")  # fmt: skip
    worked = (last - dates).days.to_numpy(dtype=np.float64) + (1.0 if flow_timing == "start" else 0.0)
    capital = start_value + float((amounts * worked / days).sum())
    if capital <= 0:
        raise InputError(f"the average capital of the span is {capital:g}; a return needs more than 0 at work")
    return float((end_value - start_value - amounts.sum()) / capital)


def monthly_table(returns: pd.Series[float]) -> pd.DataFrame:
    """Return the returns by month and year.

    Parameters
    ----------
    returns : Series of shape (n,)
        Simple returns per period, as fractions, with times that ascend, each once.

    Returns
    -------
    DataFrame
        One row a year, columns 1 to 12 and "year": compounded; -1 for the month and the year in which everything was
        lost. NaN for a month without a period, and after a total loss: there is nothing left to lose. The first and
        the last month may be parts of one.

    Raises
    ------
    InputError
        If the index holds no times, or a return is not finite or below -1.

    Examples
    --------
    >>> import pandas as pd
    >>> returns = pd.Series([0.01, 0.02, -0.01], index=pd.to_datetime(["2024-01-30", "2024-01-31", "2024-02-01"]))
    >>> monthly_table(returns)[[1, 2, "year"]].round(6).iloc[0].tolist()
    [0.0302, -0.01, 0.019898]
    """
    import pandas as pd

    from algotrendy.risk.months import monthly_returns

    found = _series(returns, "returns", 1)
    _check_returns(found)
    index = returns.index
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(f"a table by month needs times, the index holds {index.dtype}")
    wealth: Float1D = np.cumprod(1.0 + found, dtype=np.float64)
    return monthly_returns(wealth, index, 1.0).rename_axis(index="year")


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Two series of returns on the labels that both have, and what was lost on the way.

    Attributes
    ----------
    returns, benchmark : Series
        On the same index, without NaN.
    only_returns, only_benchmark : Index
        Labels that only one of them has.
    missing : Index
        Labels of both at which one of them is NaN.
    """

    returns: pd.Series[float]
    benchmark: pd.Series[float]
    only_returns: pd.Index[Any]
    only_benchmark: pd.Index[Any]
    missing: pd.Index[Any]

    @property
    def n_lost(self) -> int:
        """How many labels were lost."""
        return len(self.only_returns) + len(self.only_benchmark) + len(self.missing)

    def summary(self) -> str:
        """Return what is left and what was lost, in words."""
        return (
            f"{len(self.returns)} periods of both; lost: {len(self.only_returns)} without a benchmark, "
            f"{len(self.only_benchmark)} of the benchmark alone, {len(self.missing)} with a NaN"
        )


def align_benchmark(returns: pd.Series[float], benchmark: pd.Series[float]) -> Aligned:
    """Return two series of returns on the labels that both have, and say which rows that loses.

    Nothing is filled, moved or compounded: a return of two days is not comparable with one of a single day, so a label
    that one side lacks is told, not repaired.

    Parameters
    ----------
    returns, benchmark : Series
        Simple returns per period, with labels that ascend, each once, in the same time zone.

    Returns
    -------
    Aligned
        Both series, and the labels that were lost.

    Raises
    ------
    InputError
        If labels repeat or do not ascend, one has a time zone and the other not or another, or nothing is in common.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-01", periods=4)
    >>> both = align_benchmark(pd.Series([0.1, 0.2, 0.3], days[:3]), pd.Series([0.0, float("nan"), 0.1], days[1:]))
    >>> both.summary()
    '1 periods of both; lost: 1 without a benchmark, 1 of the benchmark alone, 1 with a NaN'
    """
    import pandas as pd

    for name, series in (("returns", returns), ("benchmark", benchmark)):
        _check_index(series.index, name)
        if np.isinf(np.asarray(series, dtype=np.float64)).any():
            raise InputError(f"{name} hold an infinity; returns are finite fractions")
    zones = [series.index.tz if isinstance(series.index, pd.DatetimeIndex) else None for series in (returns, benchmark)]
    kinds = [isinstance(series.index, pd.DatetimeIndex) for series in (returns, benchmark)]
    if str(zones[0]) != str(zones[1]) or kinds[0] != kinds[1]:
        raise InputError(
            f"returns have labels of {returns.index.dtype}, the benchmark of {benchmark.index.dtype}; "
            "bring both into one time zone first"
        )
    common = returns.index.intersection(benchmark.index)
    both = [series.loc[common].astype(np.float64) for series in (returns, benchmark)]
    known = both[0].notna() & both[1].notna()
    if not known.any():
        raise InputError("returns and benchmark have no label in common at which both are known")
    return Aligned(
        both[0][known],
        both[1][known],
        returns.index.difference(benchmark.index),
        benchmark.index.difference(returns.index),
        common[~known.to_numpy()],
    )


def performance_rows(
    values: pd.Series[float],
    flows: pd.Series[float] | None = None,
    *,
    benchmark: pd.Series[float] | None = None,
    flow_timing: FlowTiming = "end",
) -> pd.DataFrame:
    """Return the time series that is stored of a portfolio's performance: one row for each value.

    Parameters
    ----------
    values, flows, flow_timing
        As in `period_returns`.
    benchmark : Series, optional
        Simple returns of a benchmark, labelled as `values`; labels that are missing give NaN.

    Returns
    -------
    DataFrame
        Columns value, flow, return (NaN in the first row), cumulative_return (0 in the first row), drawdown (a loss
        as a positive fraction), and with a benchmark benchmark_return and active_return.

    Raises
    ------
    InputError
        As `period_returns`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = performance_rows(pd.Series([100.0, 110.0, 99.0], index=pd.date_range("2024-01-01", periods=3)))
    >>> rows["drawdown"].round(4).tolist()
    [0.0, 0.0, 0.1]
    """
    import pandas as pd

    returns = period_returns(values, flows, flow_timing=flow_timing)
    wealth = np.concatenate(([1.0], np.cumprod(1.0 + returns.fillna(0.0).to_numpy())))
    peak = np.maximum.accumulate(wealth)
    rows = pd.DataFrame(
        {
            "value": np.asarray(values, dtype=np.float64),
            "flow": _flows(values, flows),
            "return": returns.reindex(values.index).to_numpy(),
            "cumulative_return": wealth - 1.0,
            "drawdown": 1.0 - wealth / peak,
        },
        index=values.index,
    )
    if benchmark is not None:
        _check_index(benchmark.index, "benchmark")
        rows["benchmark_return"] = benchmark.reindex(values.index).to_numpy(dtype=np.float64)
        rows["active_return"] = rows["return"] - rows["benchmark_return"]
    return rows


def _annual(growth: float, n_periods: int, periods_per_year: float | None) -> float:
    if periods_per_year is None:
        return growth - 1.0
    if not periods_per_year > 0:
        raise InputError(f"periods_per_year is {periods_per_year}, expected a number above 0")
    return float(growth ** (periods_per_year / n_periods) - 1.0)


def _days(dates: Any) -> pd.DatetimeIndex:
    """Return the days of some dates, by the calendar of their own time zone."""
    import pandas as pd

    check_zone(dates)
    try:
        found = pd.DatetimeIndex([pd.Timestamp(date).tz_localize(None) for date in dates])
    except (TypeError, ValueError) as error:
        raise InputError(f"flows and spans are by date ({error})") from error
    if found.hasnans:
        raise InputError("a date is missing (NaT); a flow and a span need theirs")
    return found.normalize()


def _check_index(index: pd.Index[Any], what: str) -> None:
    check_zone(index)
    if not index.is_unique:
        raise InputError(f"{what} have the label {index[index.duplicated()][0]} more than once")
    if not index.is_monotonic_increasing:
        raise InputError(f"the labels of {what} do not ascend; sort them")


def _series(values: pd.Series[float], what: str, n_min: int) -> Float1D:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} are not numbers ({error})") from error
    if found.ndim != 1 or len(found) < n_min:
        raise InputError(f"{what} have the shape {found.shape}, expected a series of at least {n_min}")
    if not hasattr(values, "index") or callable(values.index):
        raise InputError(f"{what} are a {type(values).__name__}, expected a pandas Series with labels")
    _check_index(values.index, what)
    if not np.isfinite(found).all():
        first = int(np.flatnonzero(~np.isfinite(found))[0])
        raise InputError(
            f"{int((~np.isfinite(found)).sum())} of {len(found)} {what} are not finite, "
            f"first at {values.index[first]}; fill or drop them"
        )
    return found


def _flows(values: pd.Series[float], flows: pd.Series[float] | None) -> Float1D:
    if flows is None or not len(flows):
        return np.zeros(len(values), dtype=np.float64)
    _series(flows, "flows", 0)
    lost = flows.index.difference(values.index)
    if len(lost):
        raise InputError(f"the flow at {lost[0]} has no value with that label; value the portfolio at every flow")
    return np.asarray(flows.reindex(values.index).fillna(0.0), dtype=np.float64)


def _check_returns(returns: Sequence[float] | Float1D) -> None:
    lowest = float(np.min(returns))
    if lowest < -1.0:
        raise InputError(f"the lowest return is {lowest:g}, below -1; returns are fractions, -1 % is -0.01")
