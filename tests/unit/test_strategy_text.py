"""A strategy as text: what it takes, what it refuses, and how it is varied, compared and stored."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from algotrendy.errors import ExpressionError, InputError
from algotrendy.strategy import FixedUnits, ParameterSpec, Strategy, VolatilityTarget

CROSS = Strategy("sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)", fast=20, slow=50)

EVERYTHING = Strategy(
    entry="close > sma(close, window)",
    exit="close < sma(close, window)",
    short_entry="close < lowest(low, 10)",
    short_exit="close > highest(high, 10)",
    stop="multiple * atr(14) / close",
    target=0.5,
    trail=0.2,
    size=VolatilityTarget(annual="risk", window=30, fraction_max=0.9),
    params={"window": ParameterSpec("window", "int", 2, 100, default=20)},
    multiple=2.5,
    risk=0.15,
    name="Everything",
    description="All fields at once",
)


def test_parameters_come_as_keywords_as_a_mapping_or_as_specs() -> None:
    texts = {"entry": "close > sma(close, window)"}
    spec = ParameterSpec("window", "int", 2, 100, default=20)
    assert dict(Strategy(**texts, window=20).parameters) == {"window": 20}
    assert Strategy(**texts, window=20) == Strategy(**texts, params={"window": 20})
    assert Strategy(**texts, window=spec).specs["window"] is spec
    assert Strategy(**texts, window=np.int64(20)).parameters["window"] == 20


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'window' is given twice"):
        Strategy("close > sma(close, window)", params={"window": 20}, window=30)


@pytest.mark.parametrize("name", ["stop", "entry", "name", "close", "commission", "sma", "crosses_above", "and"])
def test_a_parameter_with_a_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"parameter '{name}' collides with .*choose another name"):
        Strategy("close > sma(close, 20)", params={name: 3})


def test_an_unknown_name_in_a_text_proposes_the_nearest_parameter() -> None:
    with pytest.raises(ExpressionError, match="fast") as caught:
        Strategy("sma(close, fasst) > sma(close, slow)", fast=20, slow=50)
    assert caught.value.column == len("sma(close, ")


def test_a_parameter_that_nothing_uses_is_refused_and_a_typo_recognised() -> None:
    with pytest.raises(InputError, match="parameter 'slow' is used nowhere"):
        Strategy("close > sma(close, fast)", fast=20, slow=50)
    with pytest.raises(InputError, match=r"parameter 'short_entri' is used nowhere.*did you mean 'short_entry'"):
        Strategy("close > 1", short_entri=3)


@pytest.mark.parametrize("value", ["20", None, True, float("nan"), float("inf"), [20]])
def test_a_parameter_is_a_finite_number(value: Any) -> None:
    with pytest.raises(InputError, match=r"parameter 'window' is .*finite number or a ParameterSpec"):
        Strategy("close > sma(close, window)", params={"window": value})


def test_a_parameter_in_quotes_says_how_to_write_it() -> None:
    with pytest.raises(InputError, match="take the quotes away: 20"):
        Strategy("close > sma(close, window)", window="20")
    with pytest.raises(InputError, match="conditions are written in entry="):
        Strategy("close > sma(close, window)", exti="close < 3")


def test_a_spec_without_default_or_under_another_name_is_refused() -> None:
    with pytest.raises(InputError, match="without a default"):
        Strategy("close > sma(close, window)", window=ParameterSpec("window", "int", 2, 9))
    with pytest.raises(InputError, match="has a spec for 'length'"):
        Strategy("close > sma(close, window)", window=ParameterSpec("length", "int", 2, 9, default=5))
    with pytest.raises(InputError, match="parameter 'window' is 'slow'; a parameter is a finite number"):
        Strategy("close > sma(close, window)", window=ParameterSpec("window", "choice", choices=["slow", 5], default=5))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing opens a position; give entry="),
        ({"exit": "close > 1"}, "nothing opens a position"),
        ({"entry": "close > 1", "short_exit": "close > 2"}, "short_exit is given but nothing opens"),
        ({"entry": True}, "write it as text, as in entry='true'"),
        ({"entry": np.array([True])}, r"ready-made signals go in at.backtest\(bars, entries="),
        ({"entry": 5}, "write it as text"),
    ],
)
def test_a_strategy_needs_conditions_as_text(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Strategy(**fields)


@pytest.mark.parametrize("text", ["close", "sma(close, 20) + 1", ""])
def test_a_condition_that_is_none_is_an_expression_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        Strategy(text)


def test_a_level_that_is_a_condition_is_an_expression_error() -> None:
    with pytest.raises(ExpressionError, match="stop must be a number, but this is a condition"):
        Strategy("close > 1", stop="close > 2")


def test_a_window_that_is_none_shows_when_the_strategy_is_made() -> None:
    for window in (0, -5, 2.5):
        with pytest.raises(InputError):
            Strategy("close > sma(close, window)", window=window)
    with pytest.raises(InputError):
        Strategy("close > sma(close, window)", window=5).with_params(window=0)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"stop": -0.05}, "without a sign: stop=0.05"),
        ({"stop": 5}, "stop=5 is a distance of 500 %; levels are fractions: for 5 % write 0.05"),
        ({"trail": 1.0}, "for 1 % write 0.01"),
        ({"target": float("nan")}, "target is nan; use a finite fraction"),
        ({"stop": True}, "stop is True; use a fraction"),
        ({"size": 0}, "size is 0, so nothing would ever be traded"),
        ({"size": [1]}, r"FixedUnits\(...\) or VolatilityTarget"),
        ({"stop": FixedUnits(10)}, "which is a size; write size=FixedUnits"),
    ],
)
def test_levels_out_of_range_are_refused_with_the_remedy(levels: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Strategy("close > 1", **levels)


def test_a_short_strategy_may_have_a_stop_beyond_the_price() -> None:
    assert Strategy(short_entry="close > 1", stop=1.5).stop == 1.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedUnits(0), "above zero"),
        (lambda: FixedUnits(-3), "above zero"),
        (lambda: VolatilityTarget(15), "an annual volatility of 1500 %; levels are fractions: for 15 % write 0.15"),
        (lambda: VolatilityTarget(0.15, window=1), "at least 2"),
        (lambda: VolatilityTarget(0.15, window=20.5), "whole number"),
        (lambda: VolatilityTarget(0.15, fraction_max=-1), "above zero"),
    ],
)
def test_sizing_rules_refuse_what_makes_no_sense(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_with_params_varies_numbers_and_levels_and_leaves_the_original() -> None:
    other = CROSS.with_params(fast=10, stop=0.05, size=0.5)
    assert (other.parameters["fast"], other.parameters["slow"], other.stop, other.size) == (10, 50, 0.05, 0.5)
    assert (CROSS.parameters["fast"], CROSS.stop, CROSS.size) == (20, None, None)
    assert other == Strategy(CROSS.entry, CROSS.exit, fast=10, slow=50, stop=0.05, size=0.5)
    assert other.plan is CROSS.plan


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fats": 10}, "no parameter 'fats'; did you mean 'fast'"),
        ({"stopp": 0.1}, "no parameter 'stopp'; did you mean 'stop'"),
        ({"fast": "10"}, "parameter 'fast' is '10'"),
        ({"stop": 5}, "for 5 % write 0.05"),
        ({"stop": -0.1}, "without a sign"),
    ],
)
def test_with_params_refuses_what_a_new_strategy_would(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CROSS.with_params(**values)


def test_with_params_keeps_to_the_spec() -> None:
    assert EVERYTHING.with_params(window=50.0).parameters["window"] == 50
    with pytest.raises(InputError, match="a whole number from 2 to 100"):
        EVERYTHING.with_params(window=500)


def test_a_parameter_that_only_a_replaced_level_used_goes_with_it() -> None:
    other = EVERYTHING.with_params(stop=0.1)
    assert set(other.parameters) == {"window", "risk"}
    assert Strategy.from_json(other.to_json()) == other


@pytest.mark.parametrize("strategy", [CROSS, EVERYTHING, CROSS.with_params(size=FixedUnits(100))])
def test_json_and_pickle_give_the_same_strategy_back(strategy: Strategy) -> None:
    for copy in (Strategy.from_json(strategy.to_json()), pickle.loads(pickle.dumps(strategy))):
        assert copy == strategy
        assert hash(copy) == hash(strategy)
        assert copy.to_json() == strategy.to_json()
        assert repr(copy) == repr(strategy)
    assert json.loads(strategy.to_json())["schema"] == "algotrendy.strategy/1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "schema None"),
        ('{"schema": "algotrendy.strategy/2"}', "'algotrendy.strategy/1' was expected"),
        ('{"schema": "algotrendy.strategy/1", "entri": "close > 1"}', "unknown field 'entri'; did you mean 'entry'"),
        ('{"schema": "algotrendy.strategy/1"}', "nothing opens a position"),
        ('{"schema": "algotrendy.strategy/1", "entry": "close > 1", "size": {"units": 3}}', "unknown sizing rule"),
        ('{"schema": "algotrendy.strategy/1", "entry": "close > 1", "params": [1]}', "params is"),
    ],
)
def test_json_that_is_no_strategy_says_why(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Strategy.from_json(text)


def test_json_with_a_value_outside_its_spec_is_refused() -> None:
    with pytest.raises(InputError, match="a whole number from 2 to 100"):
        Strategy.from_json(EVERYTHING.to_json().replace('"window": 20', '"window": 200'))


def test_a_strategy_is_frozen_and_the_order_of_parameters_does_not_matter() -> None:
    with pytest.raises(FrozenInstanceError):
        CROSS.stop = 0.1  # type: ignore[misc]
    with pytest.raises(TypeError):
        CROSS.parameters["fast"] = 3  # type: ignore[index]
    swapped = Strategy(CROSS.entry, CROSS.exit, slow=50, fast=20)
    assert swapped == CROSS
    assert hash(swapped) == hash(CROSS)
    assert CROSS.with_params(fast=21) != CROSS
    assert CROSS != "sma"


def test_the_repr_of_a_strategy_makes_it_again() -> None:
    scope = {"Strategy": Strategy, "VolatilityTarget": VolatilityTarget}
    assert eval(repr(CROSS.with_params(stop=0.1, size=VolatilityTarget(0.1))), scope) == CROSS.with_params(
        stop=0.1, size=VolatilityTarget(0.1)
    )


def test_the_lookback_is_that_of_the_longest_part() -> None:
    assert CROSS.lookback == 49
    assert CROSS.with_params(slow=200).lookback == 199
    assert Strategy("close > 1", stop="atr(30) / close").lookback == 30


def test_a_volatility_target_is_the_annualised_sample_deviation() -> None:
    assert VolatilityTarget("risk", "window").text == (
        "risk / (stdev(close / prev(close, 1) - 1, window) * sqrt(window / (window - 1) * periods_per_year))"
    )
    strategy = Strategy("close > 1", size=VolatilityTarget("risk", "window"), risk=0.1, window=20)
    assert set(strategy.parameters) == {"risk", "window"}
