"""Requests as they come from outside, and the definitions of strategies in them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.costs import Fees
from algotrendy.errors import DataError, InputError
from algotrendy.services import (
    BacktestConfig,
    BacktestRequest,
    DiscoveryRequest,
    MonteCarloConfig,
    OptimizationConfig,
    StrategyDiscoveryConfig,
    WalkForwardConfig,
)
from algotrendy.services.definitions import normal_definition, strategy_of
from algotrendy.services.documents import answerable, details_of
from algotrendy.services.models_runs import parsed
from algotrendy.services.runs import id_as, kind_and_uuid


def test_the_bodies_of_the_specification_are_understood() -> None:
    backtest = parsed(
        BacktestRequest,
        {
            "strategy_id": "strat_123", "start_date": "2020-01-01", "end_date": "2024-01-01",
            "initial_capital": 100000, "commission": 0.0005, "slippage": 0.0001,
        },
    )  # fmt: skip
    assert backtest.options["cash"] == 100_000.0
    one = OptimizationConfig(parameters=["fast_period"], method="grid_search", metric="sharpe_ratio")
    two = OptimizationConfig(parameters=["fast_period"], optimization_method="grid_search", objective="max_sharpe")
    assert one == two
    assert (one.search["method"], one.search["metric"], one.grid) == ("grid", "sharpe_ratio", ["fast_period"])
    walk = WalkForwardConfig(training_window=252, testing_window=21, step_size=21)
    assert (walk.windows["training"], walk.windows["testing"], walk.windows["step"]) == (252, 21, 21)
    paths = MonteCarloConfig(num_simulations=1000, time_horizon=252, confidence_level=0.95)
    assert (paths.simulation["paths"], paths.simulation["horizon"], paths.simulation["confidence"]) == (1000, 252, 0.95)
    flat = DiscoveryRequest(asset_class="futures", timeframe="5m", discovery_method="ai_agent", constraints={})
    assert (flat.interval, flat.discovery_method) == ("5m", "ai_agent")
    nested = StrategyDiscoveryConfig(**{"criteria": {"asset_class": "futures", "risk_level": "moderate"}})
    assert nested.limits.max_drawdown == 0.3
    assert nested.discovery["hints"] == {"asset_class": "futures", "risk_level": "moderate"}


def test_costs_are_fractions_or_a_schedule() -> None:
    assert BacktestConfig().options["commission"] == 0.0005
    assert BacktestConfig(commission={"per_unit": 0.005, "minimum": 1.0}).options["commission"] == Fees(
        per_unit=0.005, minimum=1.0
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strategy_id": "a", "strategy": {}}, "say which strategy"),
        ({"strategy": {}, "strategy_version": 2}, "give its strategy_id"),
        ({"strategy_id": "a", "slipage": 0.1}, "slipage: Extra inputs"),
        ({"strategy_id": "a", "start_date": "soon"}, "start_date"),
    ],
)
def test_a_request_that_is_none_is_named_by_its_field(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed(BacktestRequest, given)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(InputError, match="method is 'guess'"):
        parsed(OptimizationConfig, {"method": "guess"})
    with pytest.raises(InputError, match="no metric 'luck'"):
        parsed(OptimizationConfig, {"metric": "luck"})
    with pytest.raises(InputError, match="risk_level is 'wild'"):
        parsed(StrategyDiscoveryConfig, {"risk_level": "wild"})


def test_the_forms_of_a_definition_mean_the_same_strategy() -> None:
    cross = at.strategies.sma_cross(10, 40)
    template = {
        "name": "Average cross", "description": "", "asset_class": "stock",
        "parameters": {"n": {"name": "n", "type": "int", "min_value": 2, "max_value": 99, "default": 9}},
        "indicators": [], "entry_conditions": ["close > sma(close, n)"], "exit_conditions": ["close < sma(close, n)"],
        "risk_management": {"stop_loss": 0.1},
    }  # fmt: skip
    assert strategy_of(cross.to_dict()) == cross
    assert strategy_of({"library": "sma_cross", "params": {"fast": 10}}, {"slow": 40}).parameters == cross.parameters
    assert strategy_of(template, {"n": 12}).parameters["n"] == 12
    whole = normal_definition(template)
    assert strategy_of(whole) == strategy_of(template)
    with pytest.raises(InputError, match="market"):
        strategy_of(cross.to_dict(), {"market": 1})
    with pytest.raises(InputError, match="did you mean 'fast'"):
        strategy_of(cross.to_dict(), {"fasst": {"type": "int", "min_value": 1, "max_value": 2}})


def test_registered_strategies_are_functions_classes_or_strategies() -> None:
    def monday(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
        return {"entries": bars["close"] > 0}

    class Made:
        def __call__(self, bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
            return {"entries": bars["close"] > 0}

    known = {"function": monday, "class": Made, "strategy": at.strategies.buy_and_hold()}
    for name in known:
        assert strategy_of({"registered": name}, None, known).name in (name, "Buy and hold")
    assert normal_definition({"registered": "function", "params": {"a": 1}}, {"b": 2}, known) == {
        "registered": "function",
        "params": {"a": 1, "b": 2},
    }
    with pytest.raises(InputError, match="none is registered here"):
        strategy_of({"registered": "function"})


def test_identities_keep_their_number_and_change_their_prefix() -> None:
    number = "0" * 31 + "f"
    assert id_as("walk_forward", f"job_{number}") == f"wf_{number}"
    assert kind_and_uuid(f"disc_{number}") == ("discovery", f"bt_{number}")
    with pytest.raises(InputError, match="expected an identity"):
        kind_and_uuid("opt_123")


def test_answers_hold_what_json_can_say() -> None:
    found = answerable(
        {"a": np.float64("nan"), "b": [math.inf, np.int64(3)], "c": pd.NaT, 4: pd.Timestamp("2024-01-02")}
    )
    assert found == {"a": None, "b": [None, 3], "c": None, "4": "2024-01-02T00:00:00"}
    with pytest.raises(DataError, match="no kind of result 'tea'"):
        details_of("tea", b"")
    with pytest.raises(DataError, match="damaged"):
        details_of("walk_forward", b"\xff")
    with pytest.raises(DataError, match="not of the schema"):
        details_of("monte_carlo", b"{}")
