"""Null bars equal a plain definition on the same random numbers, are sound, and have no drift."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algotrendy.backtest.procedure.null import null_bars
from algotrendy.domain.bars import BarArrays, check_bars
from algotrendy.domain.types import Float1D
from algotrendy.kernels.random import random_words


def random_bars(seed: int, n_bars: int) -> BarArrays:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.001, 0.02, n_bars)))
    open_ = np.concatenate(([50.0], close[:-1])) * np.exp(rng.normal(0.0, 0.004, n_bars))
    reach = np.exp(np.abs(rng.normal(0.0, 0.01, (2, n_bars))))
    high, low = np.maximum(open_, close) * reach[0], np.minimum(open_, close) / reach[1]
    return BarArrays(open_, high, low, close, rng.integers(0, 1000, n_bars).astype(np.float64))


def words(seed: int, number: int, steps: int, purpose: int) -> list[int]:
    out = np.empty((1, steps), dtype=np.uint32)
    random_words(np.uint64(seed), number, purpose, out)
    return [int(word) for word in out[0]]


def logs_of(bars: BarArrays) -> Any:
    return np.log(np.array(bars[:4])[:, 1:] / bars.close[:-1])


def plain_path(bars: BarArrays, kind: str, made: Any, seed: int, number: int) -> list[Float1D]:
    """Bar after bar, from the text of the docstring."""
    logs, n = logs_of(bars), bars.close.size - 1
    drift = logs[3].mean()
    drawn = [word * n >> 32 for word in words(seed, number, n, 0)]
    ends = [word < round(2**32 / made.block) for word in words(seed, number, n, 1)] if kind == "block" else []
    signs = [word >> bit & 1 for word in words(seed, number, -(-n // 32), 3) for bit in range(32)]
    rows = [[column[0] for column in bars]]
    place, variance = 0, 0.0 if made.fit is None else made.fit.volatility[0] ** 2
    for step in range(n):
        if kind == "sign":
            move = logs[:, step] - drift
            if signs[step]:
                move = -move[[0, 2, 1, 3]]
            volume = bars.volume[step + 1]
        elif kind == "block":
            place = drawn[step] if step == 0 or ends[step] else (place + 1) % n
            move, volume = logs[:, place] - drift, bars.volume[place + 1]
        else:
            place, fit = drawn[step], made.fit
            own = fit.volatility[place]
            move = (logs[:, place] - fit.mean - own * fit.centre) / (own * fit.spread) * np.sqrt(variance)
            variance = fit.constant + fit.news * move[3] ** 2 + fit.memory * variance
            volume = bars.volume[place + 1]
        rows.append([*(rows[-1][3] * np.exp(move)), volume])
    return [np.array(column) for column in zip(*rows, strict=True)]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**64 - 1),
    number=st.integers(0, 2**33),
    kind=st.sampled_from(["block", "sign", "garch"]),
    n_bars=st.integers(110, 300),
)
def test_null_bars_equal_their_definition(seed: int, number: int, kind: str, n_bars: int) -> None:
    bars = random_bars(seed % 1000, n_bars)
    made = null_bars(bars, kind, seed=seed)
    found = made.path(number)
    for column, expected in zip(found, plain_path(bars, kind, made, seed, number), strict=True):
        np.testing.assert_allclose(column, expected, rtol=1e-10)
    frame = pd.DataFrame(found._asdict(), index=pd.bdate_range("2020-01-01", periods=n_bars))
    check_bars(frame)
    assert (np.minimum(found.open, found.close) >= found.low).all()
    assert (np.maximum(found.open, found.close) <= found.high).all()


@pytest.mark.parametrize("kind", ["block", "sign", "garch"])
def test_null_paths_have_no_drift(kind: str) -> None:
    made = null_bars(random_bars(3, 600), kind, seed=5)
    means = np.array([np.log(path.close[-1] / path.close[0]) / 599 for path in map(made.path, range(400))])
    assert abs(means.mean()) < 4.5 * means.std() / np.sqrt(400)


@pytest.mark.parametrize("kind", ["block", "sign", "garch"])
def test_paths_that_keep_the_drift_end_where_the_data_ended(kind: str) -> None:
    bars = random_bars(3, 600)
    kept, plain = null_bars(bars, kind, seed=5, keep_drift=True).path(2), null_bars(bars, kind, seed=5).path(2)
    assert kept.close[-1] == pytest.approx(bars.close[-1], rel=1e-11)
    shift = logs_of(kept) - logs_of(plain)
    np.testing.assert_allclose(shift, shift[0, 0], atol=1e-12)  # all four prices of every bar alike


def test_signs_keep_the_size_of_every_move() -> None:
    bars = random_bars(4, 300)
    found = logs_of(null_bars(bars, "sign", seed=1).path(0))[3]
    own = logs_of(bars)[3]
    np.testing.assert_allclose(np.abs(found), np.abs(own - own.mean()), atol=1e-12)
    assert 100 < (np.sign(found) == np.sign(own - own.mean())).sum() < 200


def test_blocks_hold_neighbours_together() -> None:
    bars = random_bars(6, 2_000)
    for block, expected in ((1.0, 0.0), (20.0, 0.95)):
        found = logs_of(null_bars(bars, "block", seed=2, block=block).path(7))[3]
        own = logs_of(bars)[3] - logs_of(bars)[3].mean()
        place = np.array([int(np.abs(own - move).argmin()) for move in found])
        assert np.mean(np.diff(place) == 1) == pytest.approx(expected, abs=0.02)
