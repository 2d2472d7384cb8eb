"""An indicator for many sets of parameters at once has the bits of one set at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.domain.bars import BarArrays
from algotrendy.domain.types import Float1D, Float2D
from algotrendy.expressions import parse
from algotrendy.expressions.bulk import Bulk
from algotrendy.expressions.series import Evaluator
from algotrendy.indicators._batch import Batch
from algotrendy.indicators._many import Rows, has_kernel, in_lanes, one_by_one
from algotrendy.indicators.registry import IndicatorSpec, lookup, names


def kernel_names() -> list[str]:
    found = [lookup(name) for name in names()]
    return [each.name for each in found if isinstance(each.function, Batch) and has_kernel(each.function, each.output)]


def random_bars(seed: int, n_bars: int, *, leading: int = 0, gaps: int = 0) -> BarArrays:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.02 * rng.standard_normal(n_bars)))
    close[rng.random(n_bars) < 0.2] = 100.0  # flat stretches and ties
    spread = 1 + 0.02 * rng.random((3, n_bars))
    bars = [close * spread[0], close * spread[1] * 1.02, close / spread[2] / 1.02, close, np.ones(n_bars)]
    for column in bars[:4]:
        column[: rng.integers(0, leading + 1)] = np.nan
        column[rng.integers(0, n_bars, gaps)] = rng.choice([np.nan, np.inf])
    return BarArrays(*bars)


def random_parameters(spec: IndicatorSpec, n_sets: int, longest: int, seed: int) -> Float2D:
    rng = np.random.default_rng(seed)
    drawn = [
        rng.integers(1, longest + 1, n_sets) if info.type is int else rng.choice([0.0, 0.5, 3.0], n_sets)
        for info in spec.parameters
    ]
    return np.array(drawn, dtype=np.float64)


def inputs_of(spec: IndicatorSpec, bars: BarArrays, n_sets: int) -> list[Rows]:
    series: list[Float1D] = [bars.close if name == "x" else getattr(bars, name) for name in spec.inputs]
    return [Rows(each[np.newaxis], np.zeros(n_sets, dtype=np.int64)) for each in series]


def expected(spec: IndicatorSpec, inputs: list[Rows], parameters: Float2D) -> Any:
    whole = one_by_one(spec.function, inputs, parameters)
    return whole if spec.output is None else whole[:, spec.output]


def test_the_recursive_indicators_are_among_them() -> None:
    assert {"ema", "macd", "rsi", "atr", "supertrend", "supertrend_direction", "adx", "plus_di"} <= set(kernel_names())


@pytest.mark.parametrize("name", kernel_names())
@given(
    seed=st.integers(0, 10_000),
    n_bars=st.sampled_from([1, 2, 7, 8, 63, 127, 128, 129, 300]),
    n_sets=st.integers(1, 20),
    longest=st.sampled_from([1, 3, 40, 200]),
    leading=st.sampled_from([0, 0, 5, 150]),
    gaps=st.sampled_from([0, 0, 1, 3]),
)
def test_lanes_give_the_bits_of_one_by_one(
    name: str, seed: int, n_bars: int, n_sets: int, longest: int, leading: int, gaps: int
) -> None:
    spec = lookup(name)
    inputs = inputs_of(spec, random_bars(seed, n_bars, leading=leading, gaps=gaps), n_sets)
    parameters = random_parameters(spec, n_sets, longest, seed)
    found = in_lanes(spec.function, inputs, parameters, spec.output)
    np.testing.assert_array_equal(found, expected(spec, inputs, parameters))


@pytest.mark.parametrize("name", [name for name in kernel_names() if lookup(name).inputs == ("x",)])
@pytest.mark.parametrize("n_sets", [3, 8, 21])
def test_each_set_may_have_a_series_of_its_own(name: str, n_sets: int) -> None:
    spec = lookup(name)
    block = np.array([random_bars(seed, 301, leading=20, gaps=int(seed == 4)).close for seed in range(6)])
    inputs = [Rows(block, np.random.default_rng(1).integers(0, 6, n_sets))]
    parameters = random_parameters(spec, n_sets, 60, 2)
    found = in_lanes(spec.function, inputs, parameters, spec.output)
    np.testing.assert_array_equal(found, expected(spec, inputs, parameters))


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize("gaps", [0, 2])
@pytest.mark.parametrize(
    "text",
    [
        "ema(close, n)",
        "macd(close, n, m, 5)",
        "macd_signal(close, n, 26, m)",
        "macd_histogram(close, n, m, 5)",
        "ema(ema(rsi(close, n), m) - ema(close, 5) / w, n)",
        "sma(macd(close, n, m), n)",
        "bollinger_upper(close, n, w)",
        "stochastic_d(n, 3, m)",
        "supertrend_direction(n, w) * close",
        "close + n",
    ],
)
def test_an_expression_for_many_sets_equals_it_for_each(text: str, gaps: int, lanes: bool) -> None:
    node = parse(text, parameters=("n", "m", "w")).root
    bars = random_bars(3, 250, gaps=gaps)
    rng = np.random.default_rng(7)
    columns = {"n": rng.integers(1, 30, 25), "m": rng.integers(1, 4, 25), "w": rng.choice([0.5, 2.0], 25)}
    columns = {name: column for name, column in columns.items() if name in node.parameters}
    rows = Bulk(Evaluator(bars, {}), columns, 25, {}, lanes).rows(node)
    assert rows is not None
    for k in range(25):
        one = Evaluator(bars, {name: column[k].item() for name, column in columns.items()}).numbers(node).value
        np.testing.assert_array_equal(rows.series(k), one)


def test_what_only_one_set_at_a_time_can_do_is_left_to_the_caller() -> None:
    node = parse("ema(prev(close, n), 5)", parameters=("n",)).root
    bulk = Bulk(Evaluator(random_bars(1, 50), {}), {"n": np.array([1, 2])}, 2, {})
    assert bulk.rows(node) is None
