"""An indicator computed from its parts has the same numbers to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from algotrendy.domain.bars import BarArrays
from algotrendy.expressions import parse
from algotrendy.expressions.parts import parts_of
from algotrendy.expressions.series import Evaluator
from algotrendy.indicators.registry import lookup, names

MADE_OF_PARTS = [name for name in names() if lookup(name).made_of]


def random_bars(seed: int, *, gaps: bool) -> BarArrays:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.02 * rng.standard_normal(300)))
    spread = 1 + 0.02 * rng.random((3, 300))
    bars = [close * spread[0], close * spread[1] * 1.02, close / spread[2] / 1.02, close, np.ones(300)]
    if gaps:
        for column in bars:
            column[rng.integers(0, 300, 2)] = np.nan
    return BarArrays(*bars)


def call(name: str) -> str:
    spec = lookup(name)
    series = ["close"] if "x" in spec.inputs else []
    values = [f"{info.default or 10:g}" for info in spec.parameters]
    return f"{name}({', '.join([*series, *values])})"


def test_there_are_some() -> None:
    assert {"bollinger_upper", "bollinger_lower", "macd", "macd_signal", "macd_histogram"} <= set(MADE_OF_PARTS)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", MADE_OF_PARTS)
def test_parts_give_the_same_bits(name: str, gaps: bool) -> None:
    whole = parse(call(name)).root
    parts = parts_of(whole)
    assert parts is not None
    for seed in range(5):
        evaluator = Evaluator(random_bars(seed, gaps=gaps), {})
        np.testing.assert_array_equal(evaluator.numbers(parts).value, evaluator.numbers(whole).value)


def test_what_is_not_made_of_parts_has_none() -> None:
    assert parts_of(parse("rsi(close, 14)").root) is None
    assert parts_of(parse("close + 1").root) is None
    assert parts_of(parse("macd(close, 5, 20)").root) is None
    assert parts_of(parse("macd(close)").root) is None
