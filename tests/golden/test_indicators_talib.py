"""Indicators against the installed TA-Lib (https://ta-lib.org), on a random walk and on real index history.

Agreement is to 1e-9, relative or of the price. Where an output starts earlier here than in TA-Lib (which holds back
the first output of a group until the last one is known), the shared bars are compared.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from algotrendy import indicators as ours

talib = pytest.importorskip("talib", reason="peer: TA-Lib is not installed")

Columns = Mapping[str, Any]


class Case(NamedTuple):
    """One indicator in both libraries; `starts_earlier` lists outputs that TA-Lib holds back."""

    name: str
    ours: Callable[[Columns], Any]
    theirs: Callable[[Columns], Any]
    starts_earlier: tuple[int, ...] = ()
    tolerance: float = 1e-9


def _random_walk() -> dict[str, Any]:
    rng = np.random.default_rng(20240301)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, 3_000)))
    close[700:720] = close[700]  # a flat stretch
    opening = np.append(close[0], close[:-1])
    high = np.maximum(opening, close) * (1.0 + np.abs(rng.normal(0.0, 0.004, close.size)))
    low = np.minimum(opening, close) * (1.0 - np.abs(rng.normal(0.0, 0.004, close.size)))
    volume = rng.integers(1, 100_000, close.size).astype(np.float64)
    return {"open": opening, "high": high, "low": low, "close": close, "volume": volume}


def _nasdaq() -> dict[str, Any]:
    spec = importlib.util.find_spec("arch")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "data" / "nasdaq"
    frame = pd.read_csv(next(folder.glob("*.csv.gz")))
    return {name.lower(): frame[name].to_numpy(dtype=np.float64) for name in ("Open", "High", "Low", "Close", "Volume")}


@pytest.fixture(scope="module", params=[_random_walk, _nasdaq], ids=["random walk", "NASDAQ"])
def bars(request: pytest.FixtureRequest) -> dict[str, Any]:
    columns: dict[str, Any] = request.param()
    return columns


CASES = [
    *[
        Case(f"sma {n}", lambda b, n=n: ours.sma(b["close"], n), lambda b, n=n: talib.SMA(b["close"], n))
        for n in (2, 20, 200)
    ],
    *[
        Case(f"ema {n}", lambda b, n=n: ours.ema(b["close"], n), lambda b, n=n: talib.EMA(b["close"], n))
        for n in (2, 20, 200)
    ],
    *[
        Case(f"wma {n}", lambda b, n=n: ours.wma(b["close"], n), lambda b, n=n: talib.WMA(b["close"], n))
        for n in (2, 20, 200)
    ],
    *[
        Case(f"rsi {n}", lambda b, n=n: ours.rsi(b["close"], n), lambda b, n=n: talib.RSI(b["close"], n))
        for n in (2, 14)
    ],
    Case("macd", lambda b: ours.macd(b["close"]), lambda b: talib.MACD(b["close"]), starts_earlier=(0,)),
    Case(
        "macd 5 35 5",
        lambda b: ours.macd(b["close"], 5, 35, 5),
        lambda b: talib.MACD(b["close"], 5, 35, 5),
        starts_earlier=(0,),
    ),
    Case("momentum", lambda b: ours.momentum(b["close"], 10), lambda b: talib.MOM(b["close"], 10)),
    Case("roc", lambda b: ours.roc(b["close"], 10), lambda b: talib.ROC(b["close"], 10)),
    Case(
        "slow stochastic",
        lambda b: ours.stochastic(b["high"], b["low"], b["close"], 14, smoothing=3, signal=5),
        lambda b: talib.STOCH(b["high"], b["low"], b["close"], 14, 3, 0, 5, 0),
        starts_earlier=(0,),
    ),
    Case(
        "fast stochastic",
        lambda b: ours.stochastic(b["high"], b["low"], b["close"], 5, smoothing=1, signal=3),
        lambda b: talib.STOCHF(b["high"], b["low"], b["close"], 5, 3, 0),
        starts_earlier=(0,),
    ),
    Case(
        "williams_r",
        lambda b: ours.williams_r(b["high"], b["low"], b["close"], 14),
        lambda b: talib.WILLR(b["high"], b["low"], b["close"], 14),
    ),
    Case(
        "cci",
        lambda b: ours.cci(b["high"], b["low"], b["close"], 20),
        lambda b: talib.CCI(b["high"], b["low"], b["close"], 20),
    ),
    *[
        Case(f"highest {n}", lambda b, n=n: ours.highest(b["high"], n), lambda b, n=n: talib.MAX(b["high"], n))
        for n in (2, 20, 252)
    ],
    *[
        Case(f"lowest {n}", lambda b, n=n: ours.lowest(b["low"], n), lambda b, n=n: talib.MIN(b["low"], n))
        for n in (2, 20, 252)
    ],
    Case(
        "true_range",
        lambda b: ours.true_range(b["high"], b["low"], b["close"]),
        lambda b: talib.TRANGE(b["high"], b["low"], b["close"]),
    ),
    *[
        Case(
            f"atr {n}",
            lambda b, n=n: ours.atr(b["high"], b["low"], b["close"], n),
            lambda b, n=n: talib.ATR(b["high"], b["low"], b["close"], n),
        )
        for n in (1, 14)
    ],
    *[
        Case(f"stdev {n}", lambda b, n=n: ours.stdev(b["close"], n), lambda b, n=n: talib.STDDEV(b["close"], n))
        for n in (5, 20, 200)
    ],
    Case(
        "bollinger",
        lambda b: ours.bollinger(b["close"], 20, 2.0),
        lambda b: talib.BBANDS(b["close"], 20, 2.0, 2.0),
    ),
    *[
        Case(
            f"directional movement {n}",
            lambda b, n=n: ours.directional_movement(b["high"], b["low"], b["close"], n),
            lambda b, n=n: tuple(
                f(b["high"], b["low"], b["close"], n) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
            ),
        )
        for n in (2, 14)
    ],
    Case("sar", lambda b: ours.sar(b["high"], b["low"]), lambda b: talib.SAR(b["high"], b["low"], 0.02, 0.2)),
    Case(
        "sar with a large step",
        lambda b: ours.sar(b["high"], b["low"], 0.3, 0.1),
        lambda b: talib.SAR(b["high"], b["low"], 0.3, 0.1),
    ),
    Case("obv", lambda b: ours.obv(b["close"], b["volume"]), lambda b: talib.OBV(b["close"], b["volume"])),
    Case(
        "mfi",
        lambda b: ours.mfi(b["high"], b["low"], b["close"], b["volume"], 14),
        lambda b: talib.MFI(b["high"], b["low"], b["close"], b["volume"], 14),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_talib(case: Case, bars: dict[str, Any]) -> None:
    mine, theirs = case.ours(bars), case.theirs(bars)
    mine, theirs = (mine, theirs) if isinstance(mine, tuple) else ((mine,), (theirs,))
    for k, (here, there) in enumerate(zip(mine, theirs, strict=True)):
        shared = np.isfinite(there)
        if k not in case.starts_earlier:
            assert np.array_equal(np.isnan(here), ~shared), "the warm-up differs"
        scale = float(np.abs(there[shared]).max())
        np.testing.assert_allclose(here[shared], there[shared], rtol=case.tolerance, atol=1e-9 * scale)


def test_where_talib_drifts_ours_is_the_exact_mean() -> None:
    """After prices of 1e9, TA-Lib's running sum carries their rounding errors along; block sums forget them."""
    rng = np.random.default_rng(1)
    close = np.concatenate([1e9 + rng.normal(0.0, 1e6, 100_000), 1.0 + rng.random(100_000)])
    exact = math.fsum(close[-20:]) / 20
    assert ours.sma(close, 20)[-1] == pytest.approx(exact, rel=1e-15)
    assert ours.bollinger(close, 20).middle[-1] == pytest.approx(exact, rel=1e-15)
    assert abs(talib.SMA(close, 20)[-1] / exact - 1.0) > 1e-9


@pytest.mark.parametrize("price", [0.0, 1e-9, 100.1])
def test_a_flat_price_gives_what_talib_gives(price: float) -> None:
    flat = np.full(100, price)
    volume = np.ones(100)
    cases = [
        (ours.rsi(flat, 14), talib.RSI(flat, 14)),
        (ours.williams_r(flat, flat, flat, 14), talib.WILLR(flat, flat, flat, 14)),
        (ours.stochastic(flat, flat, flat, 14).d, talib.STOCH(flat, flat, flat, 14, 3, 0, 3, 0)[1]),
        (ours.cci(flat, flat, flat, 20), np.where(np.isnan(talib.CCI(flat, flat, flat, 20)), np.nan, 0.0)),
        (ours.atr(flat, flat, flat, 14), talib.ATR(flat, flat, flat, 14)),
        (ours.adx(flat, flat, flat, 14), talib.ADX(flat, flat, flat, 14)),
        (ours.plus_di(flat, flat, flat, 14), talib.PLUS_DI(flat, flat, flat, 14)),
        (ours.sar(flat, flat), talib.SAR(flat, flat, 0.02, 0.2)),
        (ours.mfi(flat, flat, flat, volume, 14), talib.MFI(flat, flat, flat, volume, 14)),
        (ours.obv(flat, volume), talib.OBV(flat, volume)),
        (ours.roc(flat, 10), talib.ROC(flat, 10)),
    ]
    for here, there in cases:
        np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-9)


def test_with_a_window_of_one_talib_gives_fractions_and_we_percentages() -> None:
    rng = np.random.default_rng(2)
    close = 100.0 + np.cumsum(rng.normal(0.0, 1.0, 60))
    high, low = close + 1.0, close - 1.0
    for mine, theirs in ((ours.plus_di, talib.PLUS_DI), (ours.minus_di, talib.MINUS_DI)):
        fractions = theirs(high, low, close, 1)
        np.testing.assert_allclose(mine(high, low, close, 1)[1:], 100.0 * fractions[1:], rtol=1e-9)
