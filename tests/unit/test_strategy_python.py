"""Strategies that are Python functions: their parameters, levels, identity and description."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.errors import ExpressionError, InputError
from algotrendy.strategy import FixedUnits, ParameterSpec, PythonStrategy, Signals, library
from algotrendy.strategy.twins import TWINS

INDEX = pd.bdate_range("2024-01-01", periods=4)
BARS = pd.DataFrame({"open": 1.0, "high": 1.0, "low": 1.0, "close": [1.0, 2.0, 3.0, 4.0], "volume": 1.0}, index=INDEX)
SPEC = ParameterSpec("level", "float", 0.0, 10.0, default=2.0)

double = TWINS["sma_cross"]


def above(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    return Signals(entries=bars["close"] > params["level"])


def test_the_function_is_called_with_the_parameters() -> None:
    strategy = PythonStrategy(above, {"level": SPEC, "mode": "fast"})
    assert strategy.signals(BARS).entries.tolist() == [False, False, True, True]
    assert strategy.with_params(level=3).signals(BARS).entries.tolist() == [False, False, False, True]
    assert strategy.numbers == {"level": 2.0}


def test_parameters_keep_to_their_spec_and_to_their_names() -> None:
    strategy = PythonStrategy(above, {"level": SPEC, "mode": "fast"})
    with pytest.raises(InputError, match=r"a number from 0.0 to 10.0"):
        strategy.with_params(level=11)
    with pytest.raises(InputError, match="no parameter 'levle'; did you mean 'level'"):
        strategy.with_params(levle=1)
    assert strategy.with_params(mode="slow").parameters["mode"] == "slow"
    for name in ("stop", "commission"):
        with pytest.raises(InputError, match=f"parameter '{name}' collides"):
            PythonStrategy(above, {name: 1})


def test_levels_are_checked_and_may_name_numeric_parameters() -> None:
    strategy = PythonStrategy(above, {"level": 2.0, "mode": "fast"}, stop="level / 100", size=FixedUnits(5))
    assert set(strategy.level_expressions) == {"stop"}
    assert strategy.with_params(stop=0.1).level_expressions == {}
    with pytest.raises(ExpressionError, match="mode"):
        PythonStrategy(above, {"mode": "fast"}, stop="mode / 100")
    with pytest.raises(InputError, match="without a sign"):
        PythonStrategy(above, {"level": 2.0}, stop=-0.1)


def test_it_travels_to_another_process_and_equals_itself() -> None:
    strategy = PythonStrategy(double, {"fast": ParameterSpec("fast", "int", 1, 99, default=5), "slow": 9}, stop=0.1)
    strategy = strategy.with_params(fast=7)
    copy = pickle.loads(pickle.dumps(strategy))
    assert copy == strategy
    assert hash(copy) == hash(strategy)
    assert dict(copy.specs) == dict(strategy.specs)
    assert copy != strategy.with_params(fast=8)
    assert repr(strategy) == "PythonStrategy(sma_cross, stop=0.1, fast=7, slow=9)"


def test_its_description_is_plain_json_and_names_the_function() -> None:
    strategy = PythonStrategy(functools.partial(above), {"level": 2.0, "table": np.arange(2)}, stop=0.1)
    content = json.loads(json.dumps(strategy.to_dict()))
    assert content["kind"] == "python"
    assert content["name"] == "above"
    assert content["function"].endswith("above")
    assert content["params"] == {"level": 2.0, "table": "array([0, 1])"}
    assert content["stop"] == 0.1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (5, "is a int; give a function"),
        (lambda: None, "must take two arguments"),
        (lambda bars, params, extra: None, "must take two arguments"),
    ],
)
def test_what_cannot_be_called_with_bars_and_params_is_refused(function: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PythonStrategy(function)


def test_callable_objects_are_functions_too() -> None:
    class Always:
        def __call__(self, bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
            return Signals(entries=np.ones(len(bars), dtype=bool))

    strategy = PythonStrategy(Always())
    assert strategy.name == "Always"
    assert strategy.signals(BARS).entries.all()


def test_the_library_can_be_listed_and_every_entry_described() -> None:
    for name, make in library.LIBRARY.items():
        strategy = make()
        assert make.__doc__ is not None
        assert strategy.name, name
        assert strategy.description, name
        assert set(strategy.specs) == set(strategy.parameters)
        assert all(spec.min_value is not None and spec.max_value is not None for spec in strategy.specs.values())


def test_values_outside_the_bounds_of_the_library_are_refused() -> None:
    with pytest.raises(InputError, match="parameter 'fast' is 0; it must be a whole number from 1 to 1000"):
        library.sma_cross(fast=0)
    with pytest.raises(InputError, match="parameter 'risk' is 15"):
        library.momentum_volatility(risk=15)


def with_ratio() -> pd.DataFrame:
    bars = at.synthetic(n=120, seed=1)
    return bars.assign(pe=np.linspace(5.0, 40.0, len(bars)))


def rises(bars: pd.DataFrame, params: Mapping[str, Any]) -> Signals:
    up = bars["close"] > bars["close"].shift(1)
    return Signals(entries=up, exits=~up)


def rises_with_a_stop(bars: pd.DataFrame, params: Mapping[str, Any]) -> dict[str, Any]:
    given = rises(bars, params)
    return {"entries": given.entries, "exits": given.exits, "stop": "pe / 1000"}


def test_levels_as_texts_use_further_columns_of_the_bars() -> None:
    bars = with_ratio()
    given, pe = rises(bars, {}), bars["pe"] / 1000
    expected = at.backtest(bars, entries=given.entries, exits=given.exits, stop=pe)
    assert (expected.orders["reason"] == "stop").any()
    strategy = PythonStrategy(rises, stop="pe / 1000", columns=["pe"])
    for again in (
        at.backtest(strategy, bars),
        at.backtest(rises, bars, stop="pe / 1000", columns=["pe"]),
        at.backtest(bars, entries=given.entries, exits=given.exits, stop="pe / 1000", columns=["pe"]),
        at.backtest(PythonStrategy(rises_with_a_stop, columns=["pe"]), bars),
    ):
        np.testing.assert_array_equal(again.equity_values, expected.equity_values)
    several = at.backtest(strategy, {"A": bars}, max_positions=1)
    np.testing.assert_array_equal(several.equity_values, expected.equity_values)
    assert strategy.to_dict()["columns"] == ["pe"]
    assert (
        pickle.loads(pickle.dumps(strategy)) == strategy != PythonStrategy(rises, stop="pe / 1000 * 1", columns=["pe"])
    )
    assert strategy.with_params(stop="pe / 500").columns == ("pe",)
    swept = at.optimize(strategy, bars, {"size": [0.5, 1.0]}, progress=False, workers=1)
    assert swept.table["final_equity"].iloc[1] == expected.metrics["final_equity"]


def test_columns_that_were_not_named_are_unknown() -> None:
    bars = with_ratio()
    with pytest.raises(ExpressionError, match="unknown name 'pe'"):
        at.backtest(rises, bars, stop="pe / 1000")
    with pytest.raises(InputError, match="columns belong to the strategy"):
        at.backtest(PythonStrategy(rises), bars, columns=["pe"])
    with pytest.raises(InputError, match="weights and columns"):
        at.backtest(bars, weights={"": 1.0}, columns=["pe"])
