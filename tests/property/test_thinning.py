"""Laws of curves: what thinning must keep, and what follows from an equity curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from algotrendy.backtest.curves import ROUNDING, drawdown_of, worst_drawdowns
from algotrendy.domain.types import Float1D
from algotrendy.reports.thinning import thinned
from algotrendy.risk.months import monthly_returns

CURVES = arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6, allow_nan=False))
GAPPY = arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6) | st.just(np.nan))
EQUITIES = arrays(np.float64, st.integers(1, 300), elements=st.floats(0.5, 1e4))


@given(values=CURVES, points_max=st.integers(4, 100))
def test_thinning_keeps_both_ends_and_the_extremes_within_its_bound(values: Float1D, points_max: int) -> None:
    positions = thinned(values, points_max)
    kept = values[positions]
    assert positions[0] == 0
    assert positions[-1] == len(values) - 1
    assert kept.min() == values.min()
    assert kept.max() == values.max()
    assert len(positions) <= points_max
    assert np.all(np.diff(positions) > 0)


@given(values=CURVES, points_max=st.integers(4, 100))
def test_thinning_leaves_no_stretch_without_a_point(values: Float1D, points_max: int) -> None:
    positions = thinned(values, points_max)
    longest = -(-len(values) // ((points_max - 2) // 2))
    assert np.diff(positions).max(initial=1) <= 2 * longest


@given(values=GAPPY, points_max=st.integers(4, 100))
def test_thinning_keeps_the_extremes_beside_gaps(values: Float1D, points_max: int) -> None:
    kept = values[thinned(values, points_max)]
    known = values[~np.isnan(values)]
    if known.size:
        assert np.nanmin(kept) == known.min()
        assert np.nanmax(kept) == known.max()


@given(equity=EQUITIES)
def test_drawdown_equals_its_definition(equity: Float1D) -> None:
    cash = 100.0
    expected = [1.0 - equity[i] / max(cash, *equity[: i + 1]) for i in range(len(equity))]
    assert drawdown_of(equity, cash) == pytest.approx(expected, abs=1e-12)


@given(equity=EQUITIES)
def test_the_worst_drawdown_periods_are_the_stretches_below_a_peak(equity: Float1D) -> None:
    cash = 100.0
    drawdown = drawdown_of(equity, cash)
    periods = worst_drawdowns(equity, cash, count=len(equity))
    covered = np.zeros(len(equity), dtype=bool)
    for period in periods:
        end = len(equity) if period.end is None else period.end
        stretch = slice(period.start + 1, end)
        assert not covered[stretch].any()
        covered[stretch] = True
        assert period.depth == drawdown[stretch].max() == drawdown[period.valley]
        assert (drawdown[stretch] > ROUNDING).all()
    assert np.array_equal(covered, drawdown > ROUNDING)
    depths = [period.depth for period in periods]
    assert depths == sorted(depths, reverse=True)


@given(equity=EQUITIES, gap=st.integers(1, 40))
def test_monthly_returns_compound_to_the_total(equity: Float1D, gap: int) -> None:
    index = pd.date_range("2019-11-20", periods=len(equity), freq=f"{gap}D")
    table = monthly_returns(equity, index, 100.0)
    total = equity[-1] / 100.0
    assert np.nanprod(1.0 + table["year"].to_numpy()) == pytest.approx(total, rel=1e-9)
    assert np.nanprod(1.0 + table[list(range(1, 13))].to_numpy()) == pytest.approx(total, rel=1e-9)
