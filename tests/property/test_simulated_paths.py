"""Simulated paths equal a plain definition on the same random numbers, whatever piece of them is computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.backtest.monte_carlo.paths import Chunk, PathMaker
from algotrendy.backtest.resampling import GarchFit
from algotrendy.domain.types import Float1D
from algotrendy.kernels.random import random_words

MASK = 0xFFFFFFFF


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox4x32 with ten rounds, on Python's whole numbers, as in figure 2 of the paper."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (second >> 32) ^ b ^ k, second & MASK, (first >> 32) ^ d ^ m, first & MASK
        k, m = (k + 0x9E3779B9) & MASK, (m + 0xBB67AE85) & MASK
    return [a, b, c, d]


def words(seed: int, path: int, steps: int, purpose: int) -> list[int]:
    key = (seed & MASK, seed >> 32)
    counters = [(block, path & MASK, path >> 32, purpose) for block in range(-(-steps // 4))]
    return [word for counter in counters for word in philox(counter, key)][:steps]


def places(maker: PathMaker, path: int) -> list[int]:
    """Which place of the table each step of a path takes."""
    n, steps = maker.table.size, maker.horizon
    drawn = words(maker.seed, path, steps, 0)
    if maker.method == "trade_shuffle":
        order = list(range(n))
        for step, word in enumerate(drawn):
            chosen = step + (word * (n - step) >> 32)
            order[step], order[chosen] = order[chosen], order[step]
        return order[:steps]
    anew = [word * n >> 32 for word in drawn]
    if maker.method in ("bootstrap", "garch"):
        return anew
    ends = [word < round(2**32 / maker.block) for word in words(maker.seed, path, steps, 1)]
    found: list[int] = []
    for step in range(steps):
        starts = step == 0 or (ends[step] if maker.method == "stationary" else step % maker.block == 0)
        found.append(anew[step] if starts else (found[-1] + 1) % n)
    return found


def growth(maker: PathMaker, path: int) -> Float1D:
    drawn = maker.table[places(maker, path)]
    fit = maker.garch
    if fit is None:
        return drawn
    variance, factors = fit.next_variance, []
    for shock in drawn:
        moved = np.sqrt(variance) * shock
        factors.append(max(1.0 + fit.mean + moved, 0.0))
        variance = fit.constant + fit.news * moved**2 + fit.memory * variance
    return np.array(factors)


def expected(maker: PathMaker, path: int) -> tuple[float, float, float, Float1D]:
    wealth = np.concatenate(([1.0], np.cumprod(growth(maker, path))))
    drawdown = np.max(1.0 - wealth / np.maximum.accumulate(wealth))
    return float(wealth[-1]), float(drawdown), float(wealth.min()), wealth[1:]


METHODS = ("bootstrap", "stationary", "circular", "garch", "trade_shuffle")


@st.composite
def makers(draw: Callable[..., int], method: str | None = None) -> PathMaker:
    method = method or draw(st.sampled_from(METHODS))
    n = draw(st.integers(2, 40))
    table = 1.0 + np.random.default_rng(draw(st.integers(0, 1000))).normal(0.001, 0.05, n)
    seed, horizon = draw(st.integers(0, 2**64 - 1)), draw(st.integers(1, n if method == "trade_shuffle" else 60))
    if method == "garch":
        shocks = (table - table.mean()) / table.std()
        fit = GarchFit(0.0005, 1e-5, 0.1, 0.85, shocks, np.full(n, 0.01), 0.0, 1.0, 2e-4)
        return PathMaker(method, shocks, seed, horizon, garch=fit)
    block = draw(st.integers(1, n)) if method in ("stationary", "circular") else 0
    return PathMaker(method, table, seed, horizon, float(block))


@given(maker=makers(), first=st.one_of(st.integers(0, 50), st.integers(2**32 - 3, 2**32 + 3)), count=st.integers(1, 19))
def test_paths_equal_their_definition(maker: PathMaker, first: int, count: int) -> None:
    found = maker.run(Chunk(first, count))
    rows = [expected(maker, first + k) for k in range(count)]
    for k, column in enumerate(found):
        np.testing.assert_allclose(column, [row[k] for row in rows], rtol=1e-12, atol=1e-12)
    curves = np.concatenate(list(maker.curves([Chunk(first, count)])))
    np.testing.assert_allclose(curves, np.array([row[3] for row in rows]).T, rtol=1e-12)


@given(maker=makers(), cut=st.integers(1, 29))
def test_a_path_does_not_depend_on_its_company(maker: PathMaker, cut: int) -> None:
    whole = maker.run(Chunk(0, 30))
    parts = [maker.run(Chunk(0, cut)), maker.run(Chunk(cut, 30 - cut))]
    for k, column in enumerate(whole):
        assert np.array_equal(column, np.concatenate([part[k] for part in parts]))


@given(maker=makers(), horizon=st.integers(1, 60))
def test_a_longer_path_begins_as_a_shorter_one(maker: PathMaker, horizon: int) -> None:
    short = PathMaker(maker.method, maker.table, maker.seed, min(horizon, maker.horizon), maker.block, maker.garch)
    long_curves = np.concatenate(list(maker.curves([Chunk(3, 9)])))
    assert np.array_equal(np.concatenate(list(short.curves([Chunk(3, 9)]))), long_curves[: short.horizon])


def test_curves_that_are_drawn_in_several_pieces_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = 1.0 + np.random.default_rng(1).normal(0.001, 0.05, 70)
    for method in ("bootstrap", "stationary", "trade_shuffle"):
        maker = PathMaker(method, table, 5, 61, 4.0)
        whole = np.concatenate(list(maker.curves([Chunk(0, 20)])))
        monkeypatch.setattr("algotrendy.backtest.monte_carlo.paths._CURVE_NUMBERS", 100)
        pieces = list(maker.curves([Chunk(0, 7), Chunk(7, 13)]))
        monkeypatch.undo()
        assert len(pieces) > 5
        assert np.array_equal(np.concatenate(pieces), whole)


@given(seed=st.integers(0, 2**64 - 1), first=st.integers(0, 2**40), steps=st.integers(1, 9), purpose=st.integers(0, 3))
def test_words_equal_the_definition(seed: int, first: int, steps: int, purpose: int) -> None:
    out = np.empty((3, steps), dtype=np.uint32)
    random_words(np.uint64(seed), first, purpose, out)
    assert out.tolist() == [words(seed, first + k, steps, purpose) for k in range(3)]
