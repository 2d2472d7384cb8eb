"""Functions that use nothing but the past, many of them in ways that look suspicious: no check may raise an alarm.

`clean(bars)` gives them by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tests.zoo.lookahead_leaks import Case

WINDOWS = {"fast": 10, "slow": 40}
HOLIDAYS = frozenset({(1, 1), (7, 4), (12, 25)})
NOTES: dict[str, Any] = {}


# --- statistics of the past -------------------------------------------------------------------------------------------


def expanding_z_score(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change()
    return (returns - returns.expanding().mean()) / returns.expanding().std()


def exponential(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].ewm(span=30, adjust=False).mean()


def rank_in_a_window(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rolling(60).rank(pct=True)


def quantile_of_the_past(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    spread = (bars["high"] - bars["low"]) / bars["close"]
    return {"entries": spread > spread.expanding(50).quantile(0.95), "exits": spread < spread.rolling(100).median()}


def moments(bars: pd.DataFrame) -> pd.DataFrame:
    returns = bars["close"].pct_change()
    window = returns.rolling(50)
    return pd.DataFrame({"skew": window.skew(), "kurt": window.kurt(), "std": window.std(), "sum": window.sum()})


def moments_of_prices(bars: pd.DataFrame) -> pd.DataFrame:
    window = bars["close"].rolling(50)
    if pd.__version__ < "3":  # takes the mean of all prices off first, so later ones show in the rounding of these two
        return pd.DataFrame({"mean": window.mean(), "var": window.var()})
    return pd.DataFrame({"skew": window.skew(), "kurt": window.kurt(), "var": window.var()})


def correlation(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].pct_change().rolling(40).corr(bars["other"].pct_change())


def regression_slope(bars: pd.DataFrame) -> np.ndarray:
    views = np.lib.stride_tricks.sliding_window_view(bars["close"].to_numpy(), 30)
    x = np.arange(30) - 14.5
    return np.concatenate([np.full(29, np.nan), views @ x / (x @ x)])


def convolved_causally(bars: pd.DataFrame) -> np.ndarray:
    return np.convolve(bars["close"].to_numpy(), np.ones(10) / 10)[: len(bars)]


def summed_by_differences(bars: pd.DataFrame) -> np.ndarray:
    total = np.cumsum(bars["volume"].to_numpy())
    return total - np.concatenate([np.zeros(25), total[:-25]])


def applied(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rolling(15).apply(lambda window: window[-1] / window.max() - 1, raw=True)


def running_drawdown(bars: pd.DataFrame) -> pd.Series:
    return bars["close"] / bars["close"].cummax() - 1


def balance(bars: pd.DataFrame) -> pd.Series:
    return (np.sign(bars["close"].diff()) * bars["volume"]).fillna(0).cumsum()


def filled_forwards(bars: pd.DataFrame) -> pd.Series:
    quiet = bars["close"].pct_change().abs() < 0.01
    return bars["close"].where(~quiet).ffill()


def since_the_first(bars: pd.DataFrame) -> pd.Series:
    return bars["close"] / bars["close"].iloc[0] - 1


# --- filters that run forwards ----------------------------------------------------------------------------------------


def recursive_filter(bars: pd.DataFrame) -> np.ndarray:
    from scipy.signal import butter, lfilter

    return lfilter(*butter(2, 0.1), bars["close"].to_numpy())


def kalman_filter(bars: pd.DataFrame) -> np.ndarray:
    mean, variance, out = float(np.log(bars["close"].iloc[0])), 1.0, []
    for value in np.log(bars["close"].to_numpy()):
        variance += 1e-5
        gain = variance / (variance + 1e-4)
        mean, variance = mean + gain * (value - mean), variance * (1 - gain)
        out.append(mean)
    return np.array(out)


def savitzky_golay_at_the_end(bars: pd.DataFrame) -> np.ndarray:
    from scipy.signal import savgol_coeffs

    weights = savgol_coeffs(11, 2, pos=10, use="dot")
    views = np.lib.stride_tricks.sliding_window_view(bars["close"].to_numpy(), 11)
    return np.concatenate([np.full(10, np.nan), views @ weights])


def pivots_confirmed(bars: pd.DataFrame) -> pd.Series:
    """A pivot is told five bars later, when it is one."""
    return (bars["high"] == bars["high"].rolling(11, center=True).max()).shift(5)


def zigzag_confirmed(bars: pd.DataFrame) -> np.ndarray:
    close = bars["close"].to_numpy()
    extreme, side, out = close[0], 1.0, np.zeros(len(close))
    for i, price in enumerate(close):
        if side * (price - extreme) >= 0:
            extreme = price
        elif abs(price / extreme - 1) > 0.05:
            side, extreme = -side, price
        out[i] = side
    return out


# --- time -------------------------------------------------------------------------------------------------------------


def finished_weeks(bars: pd.DataFrame) -> pd.Series:
    weekly = bars["close"].resample("W-FRI").last()
    return weekly.reindex(bars.index, method="ffill").shift(1)


def last_month(bars: pd.DataFrame) -> pd.Series:
    month = pd.Series(bars.index.year * 12 + bars.index.month, bars.index)
    closes = bars["close"].groupby(month).last()
    return month.sub(1).map(closes)


def higher_timeframe(bars: pd.DataFrame) -> np.ndarray:
    from algotrendy.domain.resample import resample_bars

    found = resample_bars(bars[["open", "high", "low", "close", "volume"]], "1wk")
    weekly = found.bars["close"].rolling(4).mean().to_numpy()
    return np.where(found.known >= 0, weekly[found.known], np.nan)


def joined_backward(bars: pd.DataFrame) -> np.ndarray:
    weekly = pd.DataFrame({"time": bars.index[::5], "value": bars["close"].to_numpy()[::5]})
    return pd.merge_asof(pd.DataFrame({"time": bars.index}), weekly, on="time")["value"].to_numpy()


def published_later(bars: pd.DataFrame) -> np.ndarray:
    """Figures of the outside, joined when they were published."""
    return pd.merge_asof(pd.DataFrame({"time": bars.index}), NOTES["figures"], on="time")["figure"].to_numpy()


def mondays(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    day = bars.index.day_of_week
    return {"entries": day == params["day"], "exits": day == 4}


def turn_of_the_month(bars: pd.DataFrame, params: dict[str, Any]) -> tuple[Any, Any]:
    """By the day of the month, which is known; and one month is skipped each year."""
    day = bars.index.day
    return (day >= 26) & (bars.index.month != 8), (day > 5) & (day < 20)


def not_on_holidays(bars: pd.DataFrame) -> list[bool]:
    return [(stamp.month, stamp.day) not in HOLIDAYS for stamp in bars.index]


def every_twentieth_bar(bars: pd.DataFrame) -> np.ndarray:
    return np.arange(len(bars)) % 20 == 0


def price_of_the_session_so_far(bars: pd.DataFrame) -> pd.Series:
    day = bars.index.date
    worth = (bars["close"] * bars["volume"]).groupby(day).cumsum()
    return worth / bars["volume"].groupby(day).cumsum()


def opening_range(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    """Buy above the high of the first bars of the session, once they are over."""
    day = pd.Series(bars.index.date, bars.index)
    number = day.groupby(day).cumcount()
    high = bars["high"].where(number < params["bars"]).groupby(day).cummax().groupby(day).ffill()
    return {"entries": (number >= params["bars"]) & (bars["close"] > high), "exits": number >= 24}


# --- learning ---------------------------------------------------------------------------------------------------------


def refitted_each_month(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    """Each month a new fit on what was known at its beginning: labels are cut off where they reach beyond."""
    from sklearn.linear_model import LogisticRegression

    returns = bars["close"].pct_change()
    features = pd.concat([returns.shift(k) for k in range(3)], axis=1).fillna(0.0).to_numpy() * 100
    label = (returns.shift(-1) > 0).to_numpy()
    month = (bars.index.year * 12 + bars.index.month).to_numpy()
    starts = [i for i in range(1, len(bars)) if month[i] != month[i - 1]]
    chance = np.full(len(bars), np.nan)
    for start, end in zip(starts, [*starts[1:], len(bars)], strict=True):
        known = label[: start - 1]
        if start > 250 and known.any() and not known.all():
            model = LogisticRegression().fit(features[: start - 1], known)
            chance[start:end] = model.predict_proba(features[start:end])[:, 1]
    return {"entries": chance > 0.5, "exits": chance < 0.5}


def purged_labels(bars: pd.DataFrame) -> np.ndarray:
    close = bars["close"].to_numpy()
    returns = np.append(0.0, close[1:] / close[:-1] - 1)
    label = np.append(close[10:] / close[:-10] - 1, np.full(min(10, len(close)), np.nan))[: len(close)]
    forecast = np.full(len(close), np.nan)
    for start in range(100, len(close), 50):
        slope = np.polyfit(returns[: start - 10], label[: start - 10], 1)
        forecast[start : start + 50] = np.polyval(slope, returns[start : start + 50])
    return forecast


def labels_from_outside(bars: pd.DataFrame) -> np.ndarray:
    """Labels worked out beforehand, of which those are used that are known."""
    label = NOTES["label"].reindex(bars.index).to_numpy()
    risen = (bars["close"] > bars["close"].shift(5)).to_numpy()
    out = np.full(len(label), np.nan)
    for i in range(60, len(label)):
        like_now = label[i - 50 : i][risen[i - 50 : i] == risen[i]]
        out[i] = np.nanmean(like_now) if like_now.size else np.nan
    return out


class OnlineScaler:
    """Learns mean and variance bar by bar (Welford)."""

    def __call__(self, bars: pd.DataFrame) -> np.ndarray:
        mean, squares, out = 0.0, 0.0, []
        for count, value in enumerate(bars["volume"].to_numpy(), start=1):
            step = value - mean
            mean += step / count
            squares += step * (value - mean)
            out.append(0.0 if count < 2 else (value - mean) / np.sqrt(squares / (count - 1)))
        return np.array(out)


# --- chance, state, oddities ------------------------------------------------------------------------------------------


def random_but_seeded(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    chance = np.random.default_rng(params["seed"]).random((len(bars), 2))
    return {"entries": chance[:, 0] < 0.1, "exits": chance[:, 1] < 0.2}


def noise_on_a_signal(bars: pd.DataFrame) -> pd.Series:
    noise = np.random.default_rng(5).normal(0, 1e-3, len(bars))
    return bars["close"].pct_change().rolling(5).mean() + noise


def trailing_stop(bars: pd.DataFrame) -> np.ndarray:
    close = bars["close"].to_numpy()
    held, best, out = False, 0.0, np.zeros(len(close), bool)
    for i in range(20, len(close)):
        if held:
            best = max(best, close[i])
            held = close[i] > 0.93 * best
        elif close[i] > close[i - 20 : i].max():
            held, best = True, close[i]
        out[i] = held
    return out


def same_bar(bars: pd.DataFrame) -> pd.Series:
    """The high and low of the bar itself, to be filled at its close: known then."""
    return (bars["close"] - bars["low"]) / (bars["high"] - bars["low"])


def decided_at_the_open(bars: pd.DataFrame) -> pd.Series:
    return (bars["open"] > bars["close"].shift(1)) & (bars["close"].shift(1) > bars["close"].shift(6))


def needs_a_year(bars: pd.DataFrame) -> pd.Series:
    if len(bars) < 252:
        raise ValueError("give at least a year")
    return bars["close"] / bars["close"].shift(251) - 1


def changes_its_input(bars: pd.DataFrame) -> pd.Series:
    bars["return"] = bars["close"].pct_change()
    bars.dropna(inplace=True)
    return bars["return"]


def words(bars: pd.DataFrame) -> pd.Series:
    up = bars["close"] > bars["open"]
    return up.map({True: "bull", False: "bear"}).astype("category")


def trades(bars: pd.DataFrame) -> pd.DataFrame:
    """Rows that are not one per bar, dated when they are known."""
    crossed = (bars["close"] > bars["close"].rolling(20).mean()).astype(int).diff().abs() == 1
    return pd.DataFrame({"price": bars["close"][crossed], "side": bars["close"].diff()[crossed] > 0})


def with_levels(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    from algotrendy.strategy import Signals

    spread = (bars["high"] - bars["low"]).rolling(14).mean() / bars["close"]
    up = bars["close"] > bars["close"].rolling(WINDOWS["slow"]).mean()
    return Signals(entries=up, exits=~up, stop=2.0 * spread, size=0.5)


def indicators_of_the_library(bars: pd.DataFrame) -> pd.DataFrame:
    from algotrendy import indicators

    close = bars["close"]
    return pd.DataFrame(
        {
            "rsi": indicators.rsi(close, 14),
            "atr": indicators.atr(bars["high"], bars["low"], close, 14),
            "supertrend": indicators.supertrend(bars["high"], bars["low"], close, 10, 3.0)[1],
        }
    )


def momentum_of(close: pd.Series, window: int = 10) -> pd.Series:
    return close / close.shift(window) - 1


def true_range(high: pd.Series, low: pd.Series, close: pd.Series) -> pd.Series:
    return np.maximum(high, close.shift(1)) - np.minimum(low, close.shift(1))


def nested_helpers(bars: pd.DataFrame) -> pd.Series:
    return _helped(bars["close"], WINDOWS["fast"]) - _helped(bars["close"], WINDOWS["slow"])


def _helped(close: pd.Series, window: int) -> pd.Series:
    return close.rolling(window).mean()


def _with_window(bars: pd.DataFrame, window: int) -> pd.Series:
    return bars["close"].rolling(window).max()


def closing_over(window: int) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a function with a number in its closure."""
    return lambda bars: bars["close"].rolling(window).min()


FUNCTIONS = (
    expanding_z_score, exponential, rank_in_a_window, quantile_of_the_past, moments, moments_of_prices, correlation,
    regression_slope, convolved_causally, summed_by_differences, applied, running_drawdown, balance, filled_forwards,
    since_the_first, recursive_filter, kalman_filter, savitzky_golay_at_the_end, pivots_confirmed, zigzag_confirmed,
    finished_weeks, last_month, higher_timeframe, joined_backward, published_later, turn_of_the_month,
    not_on_holidays, every_twentieth_bar, refitted_each_month, purged_labels, labels_from_outside, noise_on_a_signal,
    trailing_stop, same_bar, needs_a_year, words, trades, with_levels, indicators_of_the_library, momentum_of,
    true_range, nested_helpers,
)  # fmt: skip


def clean(bars: pd.DataFrame) -> dict[str, Case]:
    """Return what is clean by name."""
    from algotrendy import charts
    from algotrendy.strategy import PythonStrategy
    from algotrendy.strategy.library import LIBRARY
    from algotrendy.strategy.twins import TWINS

    months = pd.date_range(bars.index[0], bars.index[-1], freq="MS")
    NOTES["figures"] = pd.DataFrame({"time": months + pd.Timedelta(days=20), "figure": np.arange(len(months)) % 7})
    NOTES["label"] = bars["close"].shift(-1) / bars["close"] - 1
    cases = {function.__name__: Case(function, (), {}) for function in FUNCTIONS}
    cases["mondays"] = Case(mondays, (), {"params": {"day": 0}})
    cases["random_but_seeded"] = Case(random_but_seeded, (), {"params": {"seed": 7}})
    cases["decided_at_the_open"] = Case(decided_at_the_open, (), {"known_at": "open"})
    cases["online_scaler"] = Case(OnlineScaler(), (), {})
    cases["partial"] = Case(functools.partial(_with_window, window=15), (), {})
    cases["closure"] = Case(closing_over(12), (), {})
    cases["indicator_in_a_text"] = Case("crosses_above(close, my_smooth_forwards(close, 20))", (), {})
    cases["session_price"] = Case(price_of_the_session_so_far, (), {"intraday": True})
    cases["opening_range"] = Case(opening_range, (), {"intraday": True, "params": {"bars": 4}})
    for name, twin in TWINS.items():
        strategy = LIBRARY[name]()
        cases[f"twin {name}"] = Case(PythonStrategy(twin, dict(strategy.parameters)), (), {})
    for style, params in {
        "renko": {"size": "1%"},
        "heikin_ashi": {},
        "kagi": {"reversal": "2%"},
        "line_break": {},
    }.items():
        cases[f"chart {style}"] = Case(charts.Chart(style, **params), (), {})
    return cases
