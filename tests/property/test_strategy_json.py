"""A strategy and its JSON are the same thing."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from algotrendy.strategy import FixedUnits, ParameterSpec, Strategy, VolatilityTarget

NAMES = ("alpha", "beta", "gamma")
NUMBERS = st.one_of(st.integers(2, 400), st.floats(2.0, 400.0))
FRACTIONS = st.floats(0.001, 0.999)
LEVELS = st.one_of(st.none(), FRACTIONS, st.sampled_from(["2 * atr(14) / close", "0.05", "1 / alpha"]))
SIZES = st.one_of(
    st.none(),
    FRACTIONS,
    st.builds(FixedUnits, st.integers(1, 1000)),
    st.builds(VolatilityTarget, FRACTIONS, st.integers(2, 60), st.one_of(st.none(), FRACTIONS)),
)


@st.composite
def strategies(draw: Any) -> Strategy:
    names = draw(st.permutations(NAMES))
    values: dict[str, Any] = {name: draw(NUMBERS) for name in names}
    if draw(st.booleans()):
        name = draw(st.sampled_from(NAMES))
        values[name] = ParameterSpec(name, "float", 1.0, 500.0, default=values[name])
    comparison = draw(st.sampled_from([">", "<", ">=", "<="]))
    return Strategy(
        entry=f"close * alpha {comparison} open * beta + gamma",
        exit=draw(st.sampled_from([None, "close < gamma", "not (close > beta)"])),
        stop=draw(LEVELS),
        target=draw(LEVELS),
        trail=draw(LEVELS),
        size=draw(SIZES),
        params=values,
        name=draw(st.one_of(st.none(), st.text(max_size=5))),
    )


@given(strategy=strategies())
def test_json_and_pickle_bring_an_equal_strategy_back(strategy: Strategy) -> None:
    for copy in (Strategy.from_json(strategy.to_json()), pickle.loads(pickle.dumps(strategy))):
        assert copy == strategy
        assert hash(copy) == hash(strategy)
        assert copy.to_json() == strategy.to_json()


@given(strategy=strategies(), value=NUMBERS, stop=FRACTIONS)
def test_changing_there_and_back_gives_the_same_strategy(strategy: Strategy, value: float, stop: float) -> None:
    changed = strategy.with_params(alpha=value, target=stop)
    assert (changed.parameters["alpha"], changed.target) == (value, stop)
    assert changed.with_params(alpha=strategy.parameters["alpha"], target=strategy.target) == strategy
