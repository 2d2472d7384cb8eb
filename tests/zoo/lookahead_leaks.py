"""Functions that look ahead, each in the way in which people do it by mistake; and bars to try them on.

`leaks(bars)` gives them by name. Their names say what they do; `THROUGH` says which inputs a report must name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Case(NamedTuple):
    """Something to check, the inputs that must be named (any of them), and options of the call."""

    subject: Any
    through: tuple[str, ...]
    options: dict[str, Any]


PRICES = ("open", "high", "low", "close")
MARKET: dict[str, Any] = {}
"""What modules keep: frames and results of earlier cells of a notebook."""


def daily(n: int = 1_500, seed: int = 3) -> pd.DataFrame:
    """Return daily bars with two more columns, the closes of other stocks."""
    from algotrendy.data import synthetic

    bars = synthetic(n, seed=seed, model="garch")[[*PRICES, "volume"]]
    bars["other"] = synthetic(n, seed=seed + 50)["close"]
    bars["third"] = synthetic(n, seed=seed + 51)["close"]
    return bars


def intraday(n: int = 1_500, seed: int = 4) -> pd.DataFrame:
    """Return bars of 15 minutes in sessions."""
    from algotrendy.data import synthetic

    return synthetic(n, seed=seed, interval="15m")[[*PRICES, "volume"]]


# --- shifts and windows -----------------------------------------------------------------------------------------------


def next_return(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].pct_change().shift(-1)


def return_of_five_bars(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].shift(-5) / bars["close"] - 1


def backward_change(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].pct_change(-1)


def rolled_by_numpy(bars: pd.DataFrame) -> np.ndarray:
    return np.roll(bars["close"].to_numpy(), -1)


def gradient(bars: pd.DataFrame) -> np.ndarray:
    return np.gradient(bars["close"].to_numpy())


def centred_average(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rolling(21, center=True).mean()


def convolved_same(bars: pd.DataFrame) -> np.ndarray:
    return np.convolve(bars["close"].to_numpy(), np.ones(5) / 5, mode="same")


def averaged_backwards(bars: pd.DataFrame) -> pd.Series:
    return bars["close"][::-1].ewm(span=10).mean()[::-1]


def newest_first(bars: pd.DataFrame) -> pd.Series:
    return bars.sort_index(ascending=False)["close"].rolling(10).max().sort_index()


def future_trough(bars: pd.DataFrame) -> pd.Series:
    return bars["low"][::-1].rolling(20, min_periods=1).min()[::-1] / bars["close"] - 1


def gaussian(bars: pd.DataFrame) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(bars["close"].to_numpy(), 3)


# --- fits on the whole sample -----------------------------------------------------------------------------------------


def whole_z_score(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change()
    return (returns - returns.mean()) / returns.std()


def whole_min_max(bars: pd.DataFrame) -> pd.Series:
    volume = bars["volume"]
    return (volume - volume.min()) / (volume.max() - volume.min())


def whole_rank(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rank(pct=True)


def whole_quantile(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    spread = (bars["high"] - bars["low"]) / bars["close"]
    return {"entries": spread > spread.quantile(0.95), "exits": spread < spread.quantile(0.5)}


def winsorised(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change()
    return returns.clip(returns.quantile(0.01), returns.quantile(0.99))


def calm_regime(bars: pd.DataFrame) -> pd.Series:
    volatility = bars["close"].pct_change().rolling(20).std()
    return volatility < volatility.median()


def scaled(bars: pd.DataFrame) -> np.ndarray:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit_transform(bars[["close", "volume"]].to_numpy())


def components(bars: pd.DataFrame) -> np.ndarray:
    from sklearn.decomposition import PCA

    changes = bars[["close", "other", "third"]].pct_change().fillna(0.0).to_numpy()
    return np.abs(PCA(2).fit_transform(changes))


def clusters(bars: pd.DataFrame) -> np.ndarray:
    from sklearn.cluster import KMeans

    returns = bars["close"].pct_change()
    data = np.column_stack([returns.fillna(0), returns.rolling(20).std().fillna(0)])
    model = KMeans(2, n_init=1, random_state=0).fit(data / data.std(axis=0))
    return (model.labels_ == model.cluster_centers_[:, 1].argmax()).astype(float)


def regression_on_all(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    from sklearn.linear_model import LinearRegression

    returns = bars["close"].pct_change()
    features = pd.concat([returns.shift(k) for k in range(5)], axis=1).fillna(0.0).to_numpy()
    target = returns.shift(-1).fillna(0.0).to_numpy()
    forecast = LinearRegression().fit(features, target).predict(features)
    return {"entries": forecast > 0, "exits": forecast < 0}


def shuffled_split(bars: pd.DataFrame) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    returns = bars["close"].pct_change().fillna(0.0)
    features = returns.to_frame().to_numpy() * 100
    target = (returns.shift(-1) > 0).to_numpy()
    train, _, label, _ = train_test_split(features, target, random_state=1)
    return LogisticRegression().fit(train, label).predict_proba(features)[:, 1]


def first_seventy_percent(bars: pd.DataFrame) -> np.ndarray:
    """Train on the first part, predict all of it: the part itself is seen."""
    returns = bars["close"].pct_change().fillna(0.0).to_numpy()
    stop = int(len(returns) * 0.7)
    slope = np.polyfit(returns[: stop - 1], returns[1:stop], 1)
    return np.polyval(slope, returns)


def labels_not_purged(bars: pd.DataFrame) -> np.ndarray:
    """Refit every 50 bars on the past, with labels that reach ten bars past the fit."""
    close = bars["close"].to_numpy()
    returns = np.append(0.0, close[1:] / close[:-1] - 1)
    label = np.append(close[10:] / close[:-10] - 1, np.zeros(10))
    forecast = np.full(len(close), np.nan)
    for start in range(100, len(close), 50):
        slope = np.polyfit(returns[:start], label[:start], 1)
        forecast[start : start + 50] = np.polyval(slope, returns[start : start + 50])
    return forecast


def best_window_of_all(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    """Choose the window by the return over the whole sample, then trade it over the same sample."""
    close = bars["close"]
    returns = close.pct_change()
    signals = {window: close > close.rolling(window).mean() for window in (5, 10, 20, 50, 100)}
    best = max(signals, key=lambda window: (returns * signals[window].shift(1, fill_value=False)).sum())
    return {"entries": signals[best], "exits": ~signals[best]}


def target_encoding(bars: pd.DataFrame) -> pd.Series:
    returns = bars["close"].pct_change()
    return returns.groupby(bars.index.day_of_week).transform("mean")


def detrended(bars: pd.DataFrame) -> np.ndarray:
    from scipy.signal import detrend

    return detrend(np.log(bars["close"].to_numpy()))


def size_by_whole_volatility(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    up = bars["close"] > bars["close"].shift(1)
    return {"entries": up, "exits": ~up, "size": min(1.0, 0.01 / bars["close"].pct_change().std())}


# --- filters and pictures ---------------------------------------------------------------------------------------------


def fourier(bars: pd.DataFrame) -> np.ndarray:
    spectrum = np.fft.rfft(bars["close"].to_numpy())
    spectrum[40:] = 0
    return np.fft.irfft(spectrum, len(bars))


def zero_phase(bars: pd.DataFrame) -> np.ndarray:
    from scipy.signal import butter, filtfilt

    return filtfilt(*butter(2, 0.1), bars["close"].to_numpy())


def savitzky_golay(bars: pd.DataFrame) -> np.ndarray:
    from scipy.signal import savgol_filter

    return savgol_filter(bars["close"].to_numpy(), 11, 2)


def kalman_smoother(bars: pd.DataFrame) -> np.ndarray:
    """A local level, filtered forward and then smoothed backward (Rauch, Tung and Striebel)."""
    seen = np.log(bars["close"].to_numpy())
    level, spread = np.zeros(len(seen)), np.zeros(len(seen))
    mean, variance = seen[0], 1.0
    for i, value in enumerate(seen):
        variance += 1e-5
        gain = variance / (variance + 1e-4)
        mean, variance = mean + gain * (value - mean), variance * (1 - gain)
        level[i], spread[i] = mean, variance
    for i in range(len(seen) - 2, -1, -1):
        level[i] += spread[i] / (spread[i] + 1e-5) * (level[i + 1] - level[i])
    return level


def hodrick_prescott(bars: pd.DataFrame) -> np.ndarray:
    from scipy.sparse import diags, eye
    from scipy.sparse.linalg import spsolve

    n = len(bars)
    second = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(n - 2, n))
    return spsolve((eye(n) + 1600.0 * second.T @ second).tocsc(), np.log(bars["close"].to_numpy()))


def seasonal(bars: pd.DataFrame) -> pd.Series:
    close = np.log(bars["close"])
    rest = close - close.rolling(5, center=True).mean()
    return rest.groupby(bars.index.day_of_week).transform("mean")


def peaks(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    from scipy.signal import find_peaks

    close = bars["close"].to_numpy()
    top, bottom = np.zeros(len(close), bool), np.zeros(len(close), bool)
    top[find_peaks(close, distance=10)[0]] = True
    bottom[find_peaks(-close, distance=10)[0]] = True
    return {"entries": bottom, "exits": top}


def pivots(bars: pd.DataFrame) -> pd.Series:
    return bars["high"] == bars["high"].rolling(11, center=True).max()


def zigzag(bars: pd.DataFrame) -> np.ndarray:
    """+1 in rising legs, -1 in falling ones; a turn is drawn at the extreme, which is known only later."""
    close = bars["close"].to_numpy()
    leg = np.zeros(len(close))
    start, extreme, side = 0, 0, 1.0
    for i in range(1, len(close)):
        if side * (close[i] - close[extreme]) >= 0:
            extreme = i
        elif abs(close[i] / close[extreme] - 1) > 0.05:
            leg[start : extreme + 1] = side
            start, extreme, side = extreme + 1, i, -side
    leg[start:] = side
    return leg


def zigzag_turns(bars: pd.DataFrame) -> pd.DataFrame:
    """The same as rows: one for each turn, dated at the extreme."""
    leg = zigzag(bars)
    rows = np.flatnonzero(leg[1:] != leg[:-1])
    return pd.DataFrame({"price": bars["close"].to_numpy()[rows]}, index=bars.index[rows])


# --- filling, joining, resampling -------------------------------------------------------------------------------------


def filled_backwards(bars: pd.DataFrame) -> pd.Series:
    quiet = bars["close"].pct_change().abs() < 0.01
    return bars["close"].where(~quiet).bfill()


def warm_up_filled(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rolling(30).mean().bfill()


def interpolated(bars: pd.DataFrame) -> pd.Series:
    month = bars.index.month
    return bars["close"].where(np.append(True, month[1:] != month[:-1])).interpolate()


def filled_with_mean(bars: pd.DataFrame) -> pd.Series:
    change = bars["close"].pct_change(60)
    return change.fillna(change.mean())


def relative_to_the_last(bars: pd.DataFrame) -> pd.Series:
    return bars["close"] / bars["close"].iloc[-1]


def survivors(bars: pd.DataFrame) -> pd.Series:
    """Trade the stock that stands highest at the end."""
    stocks = ["close", "other", "third"]
    winner = max(stocks, key=lambda name: bars[name].iloc[-1] / bars[name].iloc[0])
    return bars[winner].pct_change()


def unfinished_weeks(bars: pd.DataFrame) -> pd.Series:
    weekly = bars["close"].resample("W-MON", label="left", closed="left").last()
    return weekly.reindex(bars.index, method="ffill")


def month_of_the_bar(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].groupby([bars.index.year, bars.index.month]).transform("last") / bars["close"]


def weekly_frame(bars: pd.DataFrame) -> pd.DataFrame:
    """Weeks stamped with their first day."""
    return bars[["close"]].resample("W-MON", label="left", closed="left").last()


def joined_forward(bars: pd.DataFrame) -> np.ndarray:
    monthly = bars["close"].resample("ME").last().rename("month").reset_index()
    left = pd.DataFrame({"time": bars.index})
    monthly.columns = ["time", "month"]
    return pd.merge_asof(left, monthly, on="time", direction="forward")["month"].to_numpy()


def joined_nearest(bars: pd.DataFrame) -> np.ndarray:
    weekly = pd.DataFrame({"time": bars.index[::5], "value": bars["close"].to_numpy()[::5]})
    joined = pd.merge_asof(pd.DataFrame({"time": bars.index}), weekly, on="time", direction="nearest")
    return joined["value"].to_numpy()


def dated_too_early(bars: pd.DataFrame) -> pd.Series:
    """A quarter's figure joined at the first day of the quarter."""
    quarter = bars.index.tz_localize(None).to_period("Q") if bars.index.tz else bars.index.to_period("Q")
    total = bars["volume"].groupby(quarter).sum()
    return pd.Series(total.reindex(quarter).to_numpy(), bars.index)


def high_of_the_session(bars: pd.DataFrame) -> pd.Series:
    return bars["close"] / bars["high"].groupby(bars.index.date).transform("max")


def price_of_the_session(bars: pd.DataFrame) -> pd.Series:
    worth = (bars["close"] * bars["volume"]).groupby(bars.index.date).transform("sum")
    return bars["close"] / (worth / bars["volume"].groupby(bars.index.date).transform("sum"))


# --- subtle ones ------------------------------------------------------------------------------------------------------


def only_volume(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    busy = bars["volume"].shift(-1) > 1.5 * bars["volume"].rolling(20).mean()
    up = bars["close"] > bars["close"].rolling(20).mean()
    return {"entries": up & ~busy, "exits": ~up}


def only_at_month_ends(bars: pd.DataFrame) -> pd.Series:
    """The average of 20 bars; on the last days of a month, that of the next bar."""
    average = bars["close"].rolling(20).mean()
    return average.where(bars.index.day < 28, average.shift(-1))


def on_one_bar_of_a_hundred(bars: pd.DataFrame) -> pd.Series:
    average = bars["close"].ewm(span=20, adjust=False).mean()
    rare = np.arange(len(bars)) % 97 == 50
    return average.where(~rare, bars["close"].shift(-1))


def rare_signal(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    """A sound rule; on two bars of a hundred it knows the next close."""
    average = bars["close"].rolling(50).mean()
    rare = pd.Series(np.arange(len(bars)) % 53 == 20, bars.index)
    entries = (bars["close"] > average) & ~(rare & (bars["close"].shift(-1) < bars["close"]))
    return {"entries": entries, "exits": bars["close"] < average}


def rare_state(bars: pd.DataFrame) -> np.ndarray:
    """A loop with a state that leaves one bar before a fall of two per cent."""
    close, low = bars["close"].to_numpy(), bars["low"].to_numpy()
    held, since, out = False, 0.0, np.zeros(len(close), bool)
    for i in range(20, len(close)):
        falls = i + 1 < len(close) and low[i + 1] < 0.98 * close[i]
        if not held and close[i] > close[i - 20 : i].max():
            held, since = True, close[i]
        elif held and (close[i] < 0.9 * since or falls):
            held = False
        out[i] = held
    return out


def by_the_last_date(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    up = bars["close"] > bars["close"].shift(5)
    return {"entries": up & (bars.index < bars.index[-1] - pd.Timedelta(days=30)), "exits": ~up}


def by_the_next_date(bars: pd.DataFrame) -> np.ndarray:
    """Whether the next bar lies more than three days away: a long weekend, known only by calendar."""
    gap = np.diff(bars.index.to_numpy()) > np.timedelta64(3, "D")
    return np.append(gap, False)


def last_bar_of_the_month(bars: pd.DataFrame) -> np.ndarray:
    month = bars.index.month.to_numpy()
    return np.append(month[1:] != month[:-1], False)


def by_the_length(bars: pd.DataFrame) -> np.ndarray:
    return np.linspace(0.0, 1.0, len(bars)) * bars["close"].to_numpy()


def by_attrs(bars: pd.DataFrame) -> pd.Series:
    return bars["close"] > bars.attrs["typical"]


def by_frame_in_attrs(bars: pd.DataFrame) -> pd.Series:
    return bars.attrs["history"]["close"].shift(-1).reindex(bars.index) > bars["close"]


def by_mean_in_params(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    return {"entries": bars["close"] < params["level"], "exits": bars["close"] > params["level"]}


def by_global_frame(bars: pd.DataFrame) -> pd.Series:
    return MARKET["full"]["close"].shift(-1).reindex(bars.index) > bars["close"]


def by_global_result(bars: pd.DataFrame) -> pd.Series:
    return MARKET["tomorrow"].reindex(bars.index)


def stop_below_the_next_low(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    up = bars["close"] > bars["close"].rolling(10).mean()
    distance = 1.0 - bars["low"][::-1].rolling(5, min_periods=1).min()[::-1] / bars["close"]
    return {"entries": up, "exits": ~up, "stop": distance.clip(lower=0.0).to_numpy()}


def decides_at_the_open(bars: pd.DataFrame) -> pd.Series:
    """Position for the bar itself, taken at its open by the look of its close."""
    return bars["close"] > bars["open"]


def bricks_of_average_size(bars: pd.DataFrame) -> pd.DataFrame:
    """Renko bricks as large as the mean range of the whole sample."""
    from algotrendy import charts

    return charts.renko(bars, size=round(float((bars["high"] - bars["low"]).mean()), 6))


class Cached:
    """Works its answer out once, for the bars that it sees first."""

    def __init__(self) -> None:
        self.known: pd.Series | None = None

    def __call__(self, bars: pd.DataFrame) -> pd.Series:
        if self.known is None:
            self.known = bars["close"].rank(pct=True)
        return self.known.reindex(bars.index)


class Scaled:
    """Standardises with what it was fitted on."""

    def __init__(self, bars: pd.DataFrame) -> None:
        from sklearn.preprocessing import StandardScaler

        self.scaler = StandardScaler().fit(bars[["close"]].to_numpy())

    def __call__(self, bars: pd.DataFrame) -> np.ndarray:
        return self.scaler.transform(bars[["close"]].to_numpy())[:, 0]


def smoothed_backwards(close: Any, window: int = 5) -> np.ndarray:
    """For `@at.indicator`: the average of the next bars."""
    return pd.Series(close)[::-1].rolling(window).mean()[::-1].to_numpy()


def smoothed_forwards(x: Any, window: int = 5) -> np.ndarray:
    """For `@at.indicator`: the average of the last bars."""
    return pd.Series(x).rolling(window).mean().to_numpy()


def with_closure(bars: pd.DataFrame) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a function over a frame of the outside."""

    def nested(given: pd.DataFrame) -> pd.Series:
        return given["close"] / bars["close"].max()

    return nested


def with_stored_signals(bars: pd.DataFrame) -> Callable[..., Any]:
    """Return a function that looks its signals up."""
    up = bars["close"].shift(-3) > bars["close"]

    def stored(given: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "entries": up.reindex(given.index, fill_value=False),
            "exits": ~up.reindex(given.index, fill_value=True),
        }

    return stored


def with_fixed_answer(bars: pd.DataFrame) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a function that gives the answer for all bars, whatever it is shown."""
    answer = bars["close"].pct_change().rolling(10).std()
    return lambda _given: answer


def leaks(bars: pd.DataFrame) -> dict[str, Case]:
    """Return the leaks by name; those of intraday bars have `intraday` in their options."""
    MARKET["full"] = bars.copy()
    MARKET["tomorrow"] = (bars["close"].shift(-1) > bars["close"]).astype(float)
    price, any_price = ("close",), PRICES
    plain: dict[Any, tuple[str, ...]] = {
        next_return: price, return_of_five_bars: price, backward_change: price, rolled_by_numpy: price,
        gradient: price, centred_average: price, convolved_same: price, averaged_backwards: price,
        newest_first: price, future_trough: ("low",), gaussian: price,
        whole_z_score: price, whole_min_max: ("volume",), whole_rank: price, whole_quantile: ("high", "low"),
        winsorised: price, calm_regime: price, scaled: ("close", "volume"), components: ("close", "other", "third"),
        clusters: price, regression_on_all: price, shuffled_split: price, first_seventy_percent: price,
        labels_not_purged: price, best_window_of_all: price, target_encoding: price, detrended: price,
        size_by_whole_volatility: price,
        fourier: price, zero_phase: price, savitzky_golay: price, kalman_smoother: price, hodrick_prescott: price,
        seasonal: price, peaks: price, pivots: ("high",), zigzag: price, zigzag_turns: price,
        filled_backwards: price, warm_up_filled: price, interpolated: price, filled_with_mean: price,
        relative_to_the_last: price, survivors: ("close", "other", "third"), unfinished_weeks: price,
        month_of_the_bar: price, weekly_frame: price, joined_forward: price, joined_nearest: price,
        dated_too_early: ("volume",), only_volume: ("volume",), only_at_month_ends: price,
        on_one_bar_of_a_hundred: price, rare_signal: price, rare_state: ("low",),
        by_the_last_date: ("index",), by_the_next_date: ("index",), last_bar_of_the_month: ("index",),
        by_the_length: ("length",),
        by_global_frame: ("global MARKET['full']",), by_global_result: ("global MARKET['tomorrow']",),
        stop_below_the_next_low: ("low",), bricks_of_average_size: any_price,
    }  # fmt: skip
    cases = {function.__name__: Case(function, through, {}) for function, through in plain.items()}
    level = float(bars["close"].mean())
    cases["by_attrs"] = Case(by_attrs, ("attrs",), {"attrs": {"typical": level}})
    cases["by_frame_in_attrs"] = Case(by_frame_in_attrs, ("attrs",), {"attrs": {"history": bars[["close"]].copy()}})
    cases["by_mean_in_params"] = Case(by_mean_in_params, ("params",), {"params": {"level": level}})
    cases["decides_at_the_open"] = Case(decides_at_the_open, price, {"known_at": "open"})
    cases["high_of_the_session"] = Case(high_of_the_session, ("high",), {"intraday": True})
    cases["price_of_the_session"] = Case(price_of_the_session, ("close", "volume"), {"intraday": True})
    cases["with_closure"] = Case(with_closure(bars), ("closure bars",), {})
    cases["partial_of_numbers"] = Case(
        functools.partial(_above_level, level=float(bars["close"].mean())), ("level of the partial",), {}
    )
    cases["fitted_scaler"] = Case(Scaled(bars), ("self.scaler",), {})
    cases["indicator_in_a_text"] = Case("my_smooth_backwards(5) > close", price, {})
    return cases


def _above_level(bars: pd.DataFrame, level: float) -> pd.Series:
    return bars["close"] > level


def doubtful(bars: pd.DataFrame) -> dict[str, Any]:
    """Return functions of which nothing can be said, because they do not compute from what they are handed."""
    return {
        "with_stored_signals": with_stored_signals(bars),
        "with_fixed_answer": with_fixed_answer(bars),
        "cached": Cached(),
    }


def register_indicators() -> None:
    """Make the two smoothers known to expressions."""
    import algotrendy as at

    at.indicator(name="my_smooth_backwards")(smoothed_backwards)
    at.indicator(name="my_smooth_forwards")(smoothed_forwards)
