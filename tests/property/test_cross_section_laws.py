"""Cross-sections: the kernels equal plain Python, SciPy and pandas; later bars, order and outsiders change nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import algotrendy as at
from algotrendy.domain.bars import BarArrays
from algotrendy.expressions import BARS, Context, parse
from algotrendy.expressions.instruments import Instruments
from algotrendy.expressions.reference_sections import section_of
from algotrendy.kernels import cross_section as kernel
from algotrendy.kernels.cross_section import KINDS

N_BARS = 12
seeds = st.integers(0, 2**32 - 1)


def table_of(seed: int, n: int, n_bars: int = N_BARS) -> np.ndarray[Any, Any]:
    """Values on a coarse grid, some moved by rounding noise, some unknown: shape (n, n_bars)."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(100.0, 3.0, (n, n_bars)))
    values *= 1.0 + rng.choice([0.0, 1e-15, -3e-15, 4e-13, 3e-12], (n, n_bars))
    values[rng.random((n, n_bars)) < 0.15] = np.nan
    return values


def computed(
    name: str,
    values: np.ndarray[Any, Any],
    scales: np.ndarray[Any, Any] | None = None,
    groups: np.ndarray[Any, Any] | None = None,
    share: float = 0.5,
) -> np.ndarray[Any, Any]:
    labels = np.zeros((1, 1), np.int32) if groups is None else groups.astype(np.int32)
    n_groups = int(labels.max(initial=0)) + 1
    sections = kernel.Sections(values, values if scales is None else scales, labels, n_groups)
    memory, code = kernel.memory_for(len(values), n_groups), KINDS.index(name)
    out, scale = np.empty_like(values), np.zeros_like(values)
    if name in ("demean", "zscore"):
        kernel.moment_sections(sections, code, memory, out, scale)
    else:
        kernel.order_sections(sections, (code, share), memory, out, scale)
    return out


def plain(found: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in found]


@given(seed=seeds, n=st.sampled_from([1, 2, 7, 40]), grouped=st.booleans(), scaled=st.booleans())
@pytest.mark.parametrize("name", KINDS)
def test_kernels_equal_the_plain_reference(name: str, seed: int, n: int, grouped: bool, scaled: bool) -> None:
    values, rng = table_of(seed, n), np.random.default_rng(seed + 1)
    groups = rng.integers(-1, 3, (n, N_BARS)) if grouped else None
    scales = np.abs(values) * rng.choice([1.0, 50.0], (n, N_BARS)) if scaled else None
    share = float(rng.choice([0.0, 0.31, 0.5, 0.9, 1.0]))
    found = computed(name, values, scales, groups, share)
    for bar in range(N_BARS):
        column = [None if math.isnan(value) else float(value) for value in values[:, bar]]
        sizes = None if scales is None else [0.0 if math.isnan(s) else float(s) for s in scales[:, bar]]
        labels = None if groups is None else [None if g < 0 else int(g) for g in groups[:, bar]]
        expected = plain(section_of(name, column, sizes, labels, share))
        np.testing.assert_allclose(found[:, bar], expected, rtol=1e-9, atol=1e-11)


def test_ungrouped_sections_are_those_of_scipy_and_numpy() -> None:
    """Golden: scipy.stats.rankdata and zscore, numpy.quantile, one bar at a time."""
    values = np.round(np.random.default_rng(3).normal(size=(60, 40)), 1)  # with ties
    below, above = (stats.rankdata(values, method=how, axis=0) for how in ("min", "max"))
    np.testing.assert_array_equal(computed("rank", values), stats.rankdata(values, axis=0))
    np.testing.assert_array_equal(computed("below", values), below - 1)
    np.testing.assert_array_equal(computed("above", values), 60 - above)
    np.testing.assert_allclose(computed("zscore", values), stats.zscore(values, axis=0), rtol=1e-12, atol=1e-14)
    for share in (0.0, 0.25, 0.8, 1.0):
        expected = np.broadcast_to(np.quantile(values, share, axis=0), values.shape)
        np.testing.assert_allclose(computed("quantile", values, share=share), expected, rtol=1e-13)


def test_grouped_sections_are_those_of_pandas() -> None:
    """Golden: groupby.rank, groupby.transform, one bar at a time; NaN and missing labels are left out."""
    rng = np.random.default_rng(4)
    values = np.round(rng.normal(size=(50, 30)), 1)
    values[rng.random(values.shape) < 0.1] = np.nan
    groups = rng.integers(-1, 4, values.shape)
    found = {name: computed(name, values, groups=groups) for name in KINDS}
    for bar in range(30):
        label = pd.Series(groups[:, bar]).where(groups[:, bar] >= 0)
        by = pd.Series(values[:, bar]).groupby(label)
        expected = {
            "rank": by.rank(),
            "share": by.rank(pct=True),
            "demean": by.transform(lambda x: x - x.mean()),
            "zscore": by.transform(lambda x: (x - x.mean()) / x.std(ddof=0)),
            "quantile": by.transform("median").where(~np.isnan(values[:, bar])),
        }
        for name, column in expected.items():
            np.testing.assert_allclose(found[name][:, bar], column.to_numpy(), rtol=1e-9, atol=1e-12)


# --- expressions over several instruments -----------------------------------------------------------------------------


@dataclass(frozen=True)
class One:
    """An instrument as `Instruments` takes it."""

    arrays: BarArrays
    context: Context
    rows: np.ndarray[Any, Any]


def universe(seed: int, n: int, n_bars: int = 60) -> list[One]:
    """Instruments with gaps, a further column and a label that changes."""
    rng = np.random.default_rng(seed)
    found = []
    for j in range(n):
        rows = np.flatnonzero(rng.random(n_bars) < (1.0 if j == 0 else 0.8))
        close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, n_bars))), 1)[rows]
        columns = {"pe": rng.normal(15.0, 3.0, n_bars)[rows], "sector": rng.choice(["x", "y", None], n_bars)[rows]}
        arrays = BarArrays(*[np.ascontiguousarray(close)] * 4, np.ones(len(rows)))
        found.append(One(arrays, Context(columns=columns), rows))
    return found


def cut(one: One, n_bars: int) -> One:
    k = int(np.searchsorted(one.rows, n_bars))
    columns = {name: values[:k] for name, values in one.context.columns.items()}
    return One(BarArrays(*(values[:k] for values in one.arrays)), Context(columns=columns), one.rows[:k])


NAMES = BARS.with_columns(["pe", "sector"])
TEXTS = (
    "rank(close / prev(close, 3))",
    "rank(pe, by=sector, pct=true)",
    "zscore(sma(close, 5), by=sector)",
    "demean(close - pe)",
    "quantile(close, 0.7)",
    "rank(demean(log(close), by=sector))",
    'close / symbol("S0").close',
    'sma(symbol("S1").close, 4)',
    "sma(rank(close), 3)",
)


def numbers(text: str, given: list[One], symbols: list[str], n_bars: int, members: Any = None) -> dict[str, Any]:
    """Return the values of an expression of each symbol, on the common axis."""
    instruments = Instruments(symbols, given, n_bars, members, catalogue=NAMES)
    root = parse(text, catalogue=NAMES).root
    found = {}
    for j, symbol in enumerate(symbols):
        found[symbol] = np.full(n_bars, np.nan)
        found[symbol][given[j].rows] = instruments.evaluator(j).numbers(root).value
    return found


@given(seed=seeds, text=st.sampled_from(TEXTS), share=st.floats(0.1, 1.0))
def test_later_bars_change_no_earlier_value(seed: int, text: str, share: float) -> None:
    whole, n = universe(seed, 5), max(int(60 * share), 1)
    symbols = [f"S{j}" for j in range(5)]
    full, early = numbers(text, whole, symbols, 60), numbers(text, [cut(one, n) for one in whole], symbols, n)
    for symbol in symbols:
        np.testing.assert_array_equal(full[symbol][:n], early[symbol])


def test_a_spread_that_is_small_beside_the_values_keeps_its_digits() -> None:
    """Two values some ten thousand roundings apart lie one deviation from their mean, however that is rounded."""
    values = np.array([[16.0], [16.0 + 30001 * 2.0**-48]])
    np.testing.assert_allclose(computed("zscore", values), [[-1.0], [1.0]], rtol=1e-14)
    np.testing.assert_allclose(computed("demean", values), [[-30001 * 2.0**-49], [30001 * 2.0**-49]], rtol=1e-14)


@given(seed=seeds, text=st.sampled_from(TEXTS))
def test_the_order_of_instruments_does_not_matter(seed: int, text: str) -> None:
    given, order = universe(seed, 6), np.random.default_rng(seed).permutation(6)
    symbols = [f"S{j}" for j in range(6)]
    first = numbers(text, given, symbols, 60)
    second = numbers(text, [given[j] for j in order], [symbols[j] for j in order], 60)
    for symbol in symbols:
        np.testing.assert_allclose(first[symbol], second[symbol], rtol=1e-14, atol=1e-15)


@given(seed=seeds, text=st.sampled_from(TEXTS))
def test_an_instrument_that_is_no_member_changes_nothing(seed: int, text: str) -> None:
    given = universe(seed, 6)
    symbols = [f"S{j}" for j in range(6)]
    inside = np.random.default_rng(seed).random((60, 6)) < 0.7
    inside[:, 5] = False
    both = numbers(text, given, symbols, 60, inside), numbers(text, given[:5], symbols[:5], 60, inside[:, :5])
    for symbol in symbols[:5]:
        np.testing.assert_array_equal(both[0][symbol], both[1][symbol])
    if text.startswith(("rank", "zscore", "demean", "quantile")):
        assert np.isnan(both[0]["S5"]).all()


# --- backtests --------------------------------------------------------------------------------------------------------


def frames(seed: int, n: int = 6, n_bars: int = 140) -> dict[str, pd.DataFrame]:
    """Bars of instruments whose calendars differ, each with an industry and a price-earnings ratio."""
    found = {}
    for j in range(n):
        bars = at.synthetic(n=n_bars, seed=seed * 100 + j)
        rng = np.random.default_rng(seed * 100 + j)
        bars = bars.assign(pe=rng.normal(15.0, 4.0, n_bars), sector="xyz"[j % 3])
        found[f"S{j}"] = bars if j % 2 == 0 else bars[rng.random(n_bars) < 0.9]
    return found


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("with_members", [False, True])
def test_a_backtest_equals_one_of_signals_by_pandas(seed: int, with_members: bool) -> None:
    bars = frames(seed)
    strategy = at.Strategy(
        entry="top(close / prev(close, n) - 1, 2) and demean(pe, by=sector) < 0",
        exit="rank(close / prev(close, n) - 1, pct=true) < 0.5",
        columns=["pe", "sector"],
        n=10,
    )
    wide = {name: pd.DataFrame({s: frame[name] for s, frame in bars.items()}) for name in ("close", "pe")}
    gains = pd.DataFrame({s: frame["close"] / frame["close"].shift(10) - 1 for s, frame in bars.items()})
    days = wide["close"].index
    members = {s: (days[20 + 5 * j], days[-1 - 3 * j]) for j, s in enumerate(bars)} if with_members else None
    inside = pd.DataFrame(True, index=days, columns=list(bars))
    for symbol, (first, last) in (members or {}).items():
        inside[symbol] = (days >= first) & (days <= last)
    gains, pe = gains.where(inside & wide["close"].notna()), wide["pe"].where(inside)
    sector = pd.Series({s: frame["sector"].iloc[0] for s, frame in bars.items()})
    cheap = pe - pe.T.groupby(sector).transform("mean").T
    entries = (gains.rank(axis=1, ascending=False, method="min") <= 2) & (cheap < 0)
    exits = gains.rank(axis=1, pct=True) < 0.5
    options: dict[str, Any] = {"max_positions": 3, "rank": "-pe", "members": members}
    found = at.backtest(strategy, bars, **options)
    expected = at.backtest(bars, entries=entries, exits=exits, **options)
    assert found.metrics["n_orders"] > 20
    pd.testing.assert_frame_equal(found.orders, expected.orders)


def test_a_sweep_equals_single_backtests() -> None:
    bars = frames(3)
    strategy = at.Strategy(
        entry="top(momentum(close, n), k) and rank(pe, by=sector) > m and close > 0.8 * quantile(close, 0.2)",
        exit="zscore(momentum(close, n)) < 0",
        stop="0.02 + 0.1 * rank(momentum(close, n), pct=true)",
        size="0.5 / rank(pe)",
        columns=["pe", "sector"],
        n=5,
        k=2,
        m=0,
    )
    options: dict[str, Any] = {"max_positions": 2, "rank": "zscore(momentum(close, n))", "progress": False}
    sweep = at.optimize(strategy, bars, {"n": [5, 20], "k": [1, 3], "m": [0, 1]}, **options)
    for row in sweep.table.to_dict("records"):
        chosen = strategy.with_params(n=row["n"], k=row["k"], m=row["m"])
        one = at.backtest(chosen, bars, max_positions=2, rank=options["rank"])
        assert row["n_orders"] == one.metrics["n_orders"] > 0
        assert row["final_equity"] == one.metrics["final_equity"]
