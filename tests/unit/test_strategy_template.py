"""Templates: the specified fields, and the strategy they give."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from algotrendy.errors import ExpressionError, InputError
from algotrendy.strategy import ParameterSpec, Strategy, StrategyTemplate

TEMPLATE = StrategyTemplate(
    name="Average cross",
    description="Long while the fast average is above the slow one",
    asset_class="stock",
    parameters={
        "fast": ParameterSpec("fast", "int", 2, 100, default=20),
        "slow": ParameterSpec("slow", "int", 5, 400, default=50),
    },
    indicators=["quick = sma(close, fast)", "spread = quick - sma(close, slow)", "atr(14)"],
    entry_conditions=["spread > 0", "volume > 0"],
    exit_conditions=["spread <= 0", "close < lowest(low, 5)"],
    risk_management={"stop_loss": 0.1, "trail": "2 * atr(14) / close", "position_size": 0.5},
)


def test_a_template_has_the_specified_fields_in_order() -> None:
    assert [field.name for field in fields(StrategyTemplate)] == [
        "name",
        "description",
        "asset_class",
        "parameters",
        "indicators",
        "entry_conditions",
        "exit_conditions",
        "risk_management",
        "columns",
    ]


def test_all_entry_conditions_must_hold_and_any_exit_condition_suffices() -> None:
    strategy = TEMPLATE.to_strategy()
    spread = "((sma(close, fast)) - sma(close, slow))"
    assert strategy.entry == f"({spread} > 0) and (volume > 0)"
    assert strategy.exit == f"({spread} <= 0) or (close < lowest(low, 5))"
    assert (strategy.stop, strategy.trail, strategy.size) == (0.1, "2 * atr(14) / close", 0.5)
    assert strategy.name == "Average cross"


def test_values_replace_defaults_within_the_bounds() -> None:
    assert dict(TEMPLATE.to_strategy(fast=10).parameters) == {"fast": 10, "slow": 50}
    with pytest.raises(InputError, match="from 2 to 100"):
        TEMPLATE.to_strategy(fast=1000)
    with pytest.raises(InputError, match="no parameter 'fats'; did you mean 'fast'"):
        TEMPLATE.to_strategy(fats=10)


def test_a_parameter_without_default_needs_a_value() -> None:
    open_one = replace(TEMPLATE, parameters={**TEMPLATE.parameters, "fast": ParameterSpec("fast", "int", 2, 100)})
    assert open_one.to_strategy(fast=10).parameters["fast"] == 10
    with pytest.raises(InputError, match=r"give a value: to_strategy\(fast=...\)"):
        open_one.to_strategy()


def test_names_in_quotes_and_calls_are_left_alone() -> None:
    template = replace(
        TEMPLATE,
        indicators=["wk = sma(close, fast)", 'weekly = tf("1wk", wk)'],
        entry_conditions=["close > weekly", "wk > sma(close, slow)"],
        exit_conditions=[],
        risk_management={},
    )
    assert template.to_strategy().entry == (
        '(close > (tf("1wk", (sma(close, fast))))) and ((sma(close, fast)) > sma(close, slow))'
    )
    assert template.to_strategy().exit is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"asset_class": "stocks"}, "did you mean 'stock'"),
        ({"entry_conditions": []}, "give at least one condition"),
        ({"entry_conditions": "close > 1"}, "give a list of texts"),
        ({"indicators": [3]}, "give a list of texts"),
        ({"parameters": {"fast": 20}}, "give a ParameterSpec"),
        ({"risk_management": {"stop_los": 0.1}}, "unknown entry 'stop_los'.*did you mean 'stop_loss'"),
    ],
)
def test_a_field_of_the_wrong_form_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(TEMPLATE, **change)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"indicators": ["quick = sma(close, fasst)"]}, ExpressionError, "fast"),
        ({"indicators": ["close > 1"]}, ExpressionError, "must be a number"),
        ({"indicators": ["close = sma(close, fast)"]}, InputError, "column 'close'"),
        ({"indicators": ["fast = sma(close, 5)"]}, InputError, "name of a parameter or of another indicator"),
        ({"risk_management": {"stop": 0.1, "stop_loss": 0.2}}, InputError, "gives stop twice"),
        ({"entry_conditions": ["spraed > 0"]}, ExpressionError, "spraed"),
    ],
)
def test_a_text_that_is_wrong_shows_in_the_strategy(change: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        replace(TEMPLATE, **change).to_strategy()


def test_a_template_survives_json_and_is_hashable() -> None:
    copy = StrategyTemplate.from_json(TEMPLATE.to_json())
    assert copy == TEMPLATE
    assert hash(copy) == hash(TEMPLATE)
    assert copy.to_strategy() == TEMPLATE.to_strategy()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "algotrendy.strategy/1"}', "strategy-template/1' was expected"),
        ('{"schema": "algotrendy.strategy-template/1", "name": "x"}', "lacks description, asset_class"),
    ],
)
def test_json_that_is_no_template_says_why(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        StrategyTemplate.from_json(text)


def test_a_strategy_from_a_template_is_an_ordinary_one() -> None:
    strategy = TEMPLATE.to_strategy()
    assert isinstance(strategy, Strategy)
    assert strategy.with_params(fast=30, stop=0.2).stop == 0.2


def test_further_columns_of_the_bars_are_named_in_columns() -> None:
    value = replace(
        TEMPLATE,
        indicators=["cheap = pe / sma(pe, fast)"],
        entry_conditions=["cheap < 1"],
        exit_conditions=["pe > sma(pe, slow)"],
        risk_management={"stop": "pe / 1000"},
        columns=["pe"],
    )
    strategy = value.to_strategy(fast=3, slow=9)
    assert strategy.columns == ("pe",)
    assert strategy.entry == "(pe / sma(pe, fast)) < 1"
    assert StrategyTemplate.from_json(value.to_json()) == value
    assert "columns" not in TEMPLATE.to_json()  # files of before are read, and are written as they were
    with pytest.raises(ExpressionError, match="unknown name 'pe'"):
        replace(value, columns=[]).to_strategy()
    with pytest.raises(InputError, match="columns is 'pe'"):
        replace(value, columns="pe")
