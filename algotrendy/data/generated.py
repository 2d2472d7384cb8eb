"""Seeded bars that no market made: for tests and examples, and to see what a strategy finds where there is nothing.

Each bar is walked in small steps, so its high and low are those of a path that leads from its open to its close.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from algotrendy.domain.bars import BarArrays, check_bars, frame_of
from algotrendy.domain.calendar import ALWAYS_OPEN, SESSIONS, UtcCalendar
from algotrendy.domain.interval import Interval
from algotrendy.domain.provenance import with_provenance
from algotrendy.domain.types import AnyArray, Bool1D, Float1D, Float2D
from algotrendy.errors import InputError

__all__ = ["synthetic"]

Model: TypeAlias = Literal["random_walk", "garch", "jumps"]

_OPENS_AT = np.timedelta64(14 * 60 + 30, "m")  # of a session, in UTC: New York in winter
_LAST_DAY = np.datetime64("2262-01-01")  # nanoseconds reach no further
_ROWS_AT_ONCE = 65_536
_CALENDARS: dict[str, UtcCalendar] = {"sessions": SESSIONS, "24/7": ALWAYS_OPEN}


@dataclass(frozen=True, kw_only=True)
class _Law:
    """The numbers that a synthetic series was made with."""

    model: str
    start_price: float
    drift: float
    volatility: float
    gaps: float
    steps: int
    alpha: float
    beta: float
    jumps_per_year: float
    jump_mean: float
    jump_deviation: float


def synthetic(
    n: int = 1_000,
    *,
    seed: int | np.random.Generator = 0,
    model: Model = "random_walk",
    interval: str | Interval = "1d",
    calendar: Literal["sessions", "24/7"] = "sessions",
    start: str = "2000-01-03",
    start_price: float = 100.0,
    drift: float = 0.05,
    volatility: float = 0.2,
    gaps: float | None = None,
    steps: int = 16,
    alpha: float = 0.1,
    beta: float = 0.85,
    jumps_per_year: float = 6.0,
    jump_mean: float = -0.02,
    jump_deviation: float = 0.04,
    volume: float = 1_000_000.0,
) -> pd.DataFrame:
    """Return `n` seeded bars of a random walk, of GARCH(1, 1) volatility [1]_, or of a walk with jumps [2]_.

    Parameters
    ----------
    n : int
        Number of bars, at least 1. The first bars do not depend on it.
    seed : int or numpy Generator
        The same seed gives the same bars, whatever the machine's number of cores.
    model : {"random_walk", "garch", "jumps"}
        See Notes.
    interval : str
        Up to `1d`; longer bars by `resample_bars`.
    calendar : {"sessions", "24/7"}
        Weekdays (intraday: 6.5 hours from 14:30 UTC), or always open.
    start : str
        The first day.
    start_price : float
        The close before the first bar, > 0.
    drift, volatility : float
        Yearly growth of the expected price (continuous) and yearly standard deviation of log returns, as fractions.
    gaps : float, optional
        Share of a session's variance that happens while the market is closed, in [0, 1): 0.2 for sessions; 0 for
        24/7, where the open is the previous close.
    steps : int
        Steps of the path inside a bar.
    alpha, beta : float
        GARCH: weight of the last squared shock and of the last variance; not negative, together below 1.
    jumps_per_year, jump_mean, jump_deviation : float
        Jumps: how many a year on average, and the mean and standard deviation of their log size.
    volume : float
        Mean volume of a bar, in units.

    Returns
    -------
    DataFrame of shape (n, 6)
        `open high low close volume` and `is_synthetic` (True in every row: it must not be lost in a join); indexed
        by session dates, or UTC for intraday bars.

    Raises
    ------
    InputError
        If a number is outside its range.

    Notes
    -----
    Let `v` be the variance of a bar: volatility^2 shared over the bars of a year. Its log return is

    ``r_i = m_i - s_i v / 2 + sqrt(s_i v) z_i + J_i``,  `z_i` standard normal,

    with `m_i` the drift of the bar. Random walk: ``s_i = 1`` and ``J_i = 0``. GARCH: ``s_1 = 1`` and
    ``s_{i+1} = (1 - alpha - beta) + alpha s_i z_i^2 + beta s_i``, so that `s` is 1 on average. Jumps: ``s_i = 1`` and
    `J_i` is the sum of a Poisson number of normal sizes, less their expected effect; it falls between two bars, so it
    shows as a gap. `z_i` is the standardised sum of the gap and the steps. The log of volume is normal with a
    standard deviation of 0.3.

    References
    ----------
    .. [1] Bollerslev, T. (1986). Generalized autoregressive conditional heteroskedasticity. Journal of Econometrics,
       31(3), 307-327.
    .. [2] Merton, R. C. (1976). Option pricing when underlying stock returns are discontinuous. Journal of Financial
       Economics, 3(1-2), 125-144.

    Examples
    --------
    >>> bars = synthetic(500, seed=7, model="garch")
    >>> bars.shape, bool((bars["high"] >= bars["close"]).all())
    ((500, 6), True)
    """
    interval = Interval.parse(interval)
    gaps = (0.2 if calendar == "sessions" else 0.0) if gaps is None else gaps
    law = _Law(
        model=model, start_price=start_price, drift=drift, volatility=volatility, gaps=gaps, steps=steps, alpha=alpha,
        beta=beta, jumps_per_year=jumps_per_year, jump_mean=jump_mean, jump_deviation=jump_deviation,
    )  # fmt: skip
    _check(law, n, interval, calendar, volume)
    index, opens = _stamps(n, interval, _CALENDARS[calendar], start)
    streams = np.random.default_rng(seed).spawn(4)
    open, high, low, close = _walk(law, _shares(law, opens, interval, _CALENDARS[calendar]), streams)
    traded = volume * np.exp(0.3 * streams[3].standard_normal(n) - 0.045)
    bars = frame_of(index, BarArrays(open, high, low, close, traded))
    bars["is_synthetic"] = True
    check_bars(bars)
    return with_provenance(bars, _facts(law, seed, bars, interval, calendar))


@dataclass(frozen=True)
class _Shares:
    """What falls to each bar of a year's drift, variance and jumps: in the gap before it, and inside it."""

    gap: Float1D
    inside: float
    drift: float
    jumps: float


def _check(law: _Law, n: int, interval: Interval, calendar: str, volume: float) -> None:
    positive = {"start_price": law.start_price, "steps": law.steps, "n": n}
    for name, value in positive.items():
        if not value > 0:
            raise InputError(f"{name} is {value}, expected a positive number")
    not_negative = {
        "volatility": law.volatility, "volume": volume, "alpha": law.alpha, "beta": law.beta,
        "jumps_per_year": law.jumps_per_year, "jump_deviation": law.jump_deviation,
    }  # fmt: skip
    for name, value in not_negative.items():
        if not value >= 0:
            raise InputError(f"{name} is {value}, expected zero or more")
    if law.alpha + law.beta >= 1:
        raise InputError(f"alpha + beta is {law.alpha + law.beta:g}, expected below 1: else the variance has no mean")
    if not 0 <= law.gaps < 1:
        raise InputError(f"gaps is {law.gaps}, expected a share of the variance from 0 to below 1")
    if law.model not in ("random_walk", "garch", "jumps"):
        raise InputError(f'model is {law.model!r}; choose "random_walk", "garch" or "jumps"')
    if calendar not in _CALENDARS:
        raise InputError(f'calendar is {calendar!r}; choose "sessions" or "24/7"')
    if str(interval) != "1d" and (not interval.is_intraday or 86_400 % (interval.seconds or 1)):
        raise InputError(
            f"bars of {interval} cannot be made; choose 1d or an interval that divides a day, then resample"
        )


def _bars_per_session(interval: Interval, calendar: UtcCalendar) -> int:
    if not interval.is_intraday:
        return 1
    return -(-round(calendar.hours_per_session * 3_600) // (interval.seconds or 1))


def _stamps(n: int, interval: Interval, calendar: UtcCalendar, start: str) -> tuple[pd.DatetimeIndex, Bool1D]:
    """Return the index, and which bars open a session."""
    per_session = _bars_per_session(interval, calendar)
    number = np.arange(n)
    try:
        first = np.datetime64(start, "D")
        days = np.busday_offset(first, number // per_session, roll="forward", weekmask=calendar.weekmask)
    except ValueError as e:
        raise InputError(f"start={start!r} is not a date; expected such as 2000-01-03") from e
    if days[-1] > _LAST_DAY:
        raise InputError(f"{n} bars of {interval} from {start} end after {_LAST_DAY}; ask for fewer, or shorter bars")
    opens: Bool1D = number % per_session == 0
    if not interval.is_intraday:
        return pd.DatetimeIndex(days).as_unit("ns"), opens
    opens_at = _OPENS_AT if calendar is SESSIONS else np.timedelta64(0, "m")
    stamps = days.astype("datetime64[s]") + opens_at + (number % per_session) * (interval.seconds or 0)
    return pd.DatetimeIndex(stamps).as_unit("ns").tz_localize("UTC"), opens


def _shares(law: _Law, opens: Bool1D, interval: Interval, calendar: UtcCalendar) -> _Shares:
    sessions = calendar.periods_per_year
    bars = sessions * _bars_per_session(interval, calendar)
    variance = law.volatility**2
    return _Shares(
        gap=np.where(opens, variance * law.gaps / sessions, 0.0),
        inside=variance * (1.0 - law.gaps) / bars,
        drift=law.drift / bars,
        jumps=law.jumps_per_year / bars,
    )


def _walk(law: _Law, shares: _Shares, streams: list[np.random.Generator]) -> list[Float1D]:
    """Return open, high, low and close, made in blocks of rows so that the steps of all bars never lie in memory."""
    n = shares.gap.size
    jumps = _jumps(law, shares, streams[1:3]) if law.model == "jumps" else np.zeros(n)
    columns = [np.empty(n) for _ in range(4)]
    level, scale = np.log(law.start_price), 1.0
    for begin in range(0, n, _ROWS_AT_ONCE):
        rows = slice(begin, min(begin + _ROWS_AT_ONCE, n))
        shocks = streams[0].standard_normal((rows.stop - begin, law.steps + 1))
        scales, scale = _scales(law, _standardised(shocks, shares, rows), scale)
        path = _increments(law, shocks, shares, rows, scales)
        path[:, 0] += jumps[rows]
        path = np.cumsum(path, axis=1)
        before = np.cumsum(np.append(level, path[:, -1]))  # so that an open without a gap is the close before, exactly
        level = float(before[-1])
        prices = np.exp(path + before[:-1, None])
        for column, values in zip(
            columns, (prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1]), strict=True
        ):
            column[rows] = values
    return columns


def _jumps(law: _Law, shares: _Shares, streams: list[np.random.Generator]) -> Float1D:
    """Return the log size of what jumps before each bar, less its expected effect on the price."""
    count = streams[0].poisson(shares.jumps, shares.gap.size)
    size = count * law.jump_mean + np.sqrt(count) * law.jump_deviation * streams[1].standard_normal(count.size)
    growth = np.exp(law.jump_mean + law.jump_deviation**2 / 2.0) - 1.0
    sizes: Float1D = size - shares.jumps * growth
    return sizes


def _standardised(shocks: Float2D, shares: _Shares, rows: slice) -> Float1D:
    """Return the shock of each bar as a whole, of variance 1."""
    steps = shocks.shape[1] - 1
    gap = shares.gap[rows]
    whole = np.sqrt(gap) * shocks[:, 0] + np.sqrt(shares.inside / steps) * shocks[:, 1:].sum(axis=1)
    total: AnyArray = np.sqrt(gap + shares.inside)
    standardised: Float1D = np.divide(whole, total, out=np.zeros_like(whole), where=total > 0)
    return standardised


def _scales(law: _Law, shocks: Float1D, scale: float) -> tuple[Float1D, float]:
    """Return by how much the variance of each bar is above its mean, and that of the bar after the last."""
    if law.model != "garch":
        return np.ones(shocks.size), 1.0
    rest, alpha, beta = 1.0 - law.alpha - law.beta, law.alpha, law.beta
    scales = []
    for square in (shocks * shocks).tolist():
        scales.append(scale)
        scale = rest + (alpha * square + beta) * scale
    return np.array(scales), scale


def _increments(law: _Law, shocks: Float2D, shares: _Shares, rows: slice, scales: Float1D) -> Float2D:
    """Return the log steps of each bar, the gap first; half the variance is taken off so that drift is the mean's."""
    variances = np.empty_like(shocks)
    variances[:, 0] = shares.gap[rows] * scales
    variances[:, 1:] = (shares.inside * scales / law.steps)[:, None]
    steps: Float2D = np.sqrt(variances) * shocks - variances / 2.0
    steps[:, 1:] += shares.drift / law.steps
    return steps


def _facts(
    law: _Law, seed: int | np.random.Generator, bars: pd.DataFrame, interval: Interval, calendar: str
) -> dict[str, object]:
    used = {"random_walk": (), "garch": ("alpha", "beta"), "jumps": ("jumps_per_year", "jump_mean", "jump_deviation")}
    numbers = asdict(law)
    names = ("start_price", "drift", "volatility", "gaps", "steps", *used[law.model])
    return {
        "name": f"synthetic {law.model}",
        "source": "algotrendy.data.synthetic",
        "kind": "synthetic, made by a formula",
        "tradable": False,
        "seed": seed if isinstance(seed, int) else "a generator handed in",
        "parameters": {name: numbers[name] for name in names},
        "interval": str(interval),
        "calendar": calendar,
        "first": str(bars.index[0]),
        "last": str(bars.index[-1]),
        "rows": len(bars),
        "notes": ["No market made these prices: a result on them says nothing about one."],
    }
