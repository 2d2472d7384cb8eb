"""Every public name of risk, stress, limits, the portfolio office and its optimisers on what is hardly data.

There are nine kinds of it. Each call either is refused in words by an error of ours, or answers with numbers that are
finite or NaN, without a warning. A name that is added to a room without a case here fails the first test.
"""

from __future__ import annotations

import datetime
import importlib
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, get_origin

import numpy as np
import pandas as pd
import pytest

from algotrendy import portfolio as office
from algotrendy import risk
from algotrendy.domain.fill import Fill
from algotrendy.domain.portfolio import Portfolio
from algotrendy.errors import AlgotrendyError
from algotrendy.portfolio import optimise
from algotrendy.risk import limits, stress
from algotrendy.risk.alerts import AlertRule
from tests.unit.hardly_data import NO_SERIES, kinds

N = 90
DAYS = pd.date_range("2024-01-01", periods=N, tz="UTC")
NOON = datetime.datetime(2024, 3, 15, 12, tzinfo=datetime.UTC)
KINDS = kinds(N)


@dataclass(frozen=True)
class Given:
    """One kind in the shapes that functions take."""

    returns: pd.Series

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame({"A": self.returns, "B": -0.5 * self.returns})

    @property
    def equity(self) -> pd.Series:
        return 100.0 * (1.0 + self.returns).cumprod()

    @property
    def prices(self) -> pd.DataFrame:
        return pd.DataFrame({"A": self.equity, "B": 50.0 * (1.0 - 0.5 * self.returns).cumprod()})

    @property
    def covariance(self) -> pd.DataFrame:
        return self.frame.cov() if len(self.returns) > 1 else pd.DataFrame(math.nan, ["A", "B"], ["A", "B"])

    @property
    def flags(self) -> pd.Series:
        return self.returns < 0.0

    @property
    def one(self) -> float:
        """The first number; NaN if there is none."""
        return float(self.returns.iloc[0]) if len(self.returns) else math.nan

    @property
    def weights(self) -> pd.DataFrame:
        return pd.DataFrame({"A": 0.5, "B": 0.5}, self.returns.index)


Case = Callable[[Given], Any]
YEAR = {"periods_per_year": 252}


def each(room: Any, names: str, call: Callable[[Callable[..., Any], Given], Any]) -> dict[str, Case]:
    """Return a case for each name, called alike."""
    return {name: lambda given, name=name: call(getattr(room, name), given) for name in names.split()}


def calculated(given: Given) -> list[Any]:
    calculator, r = risk.RiskCalculator(), given.returns
    calls: list[Callable[[], Any]] = [
        lambda: calculator.calculate_var(r),
        lambda: calculator.calculate_expected_shortfall(r),
        lambda: calculator.calculate_beta(r, r),
        lambda: calculator.calculate_max_drawdown(given.equity),
        lambda: calculator.calculate_sharpe_ratio(r),
        lambda: calculator.calculate_metrics(r),
        lambda: calculator.backtest_var(r, window=20),
    ]
    return [outcome(call) for call in calls]


RISK: dict[str, Case] = {
    **each(
        risk,
        "as_returns volatility downside_deviation ewma_volatility garch_estimate drawdown_series drawdown_table "
        "max_drawdown average_drawdown pain_index ulcer_index drawdown_at_risk conditional_drawdown_at_risk "
        "total_return sharpe_ratio sharpe_estimate probabilistic_sharpe_ratio minimum_track_record_length "
        "sortino_ratio omega_ratio gain_to_pain_ratio tail_ratio kelly_fraction tail_fit mean_excess",
        lambda f, given: f(given.returns),
    ),
    **each(
        risk,
        "annual_return calmar_ratio martin_ratio pain_ratio metrics",
        lambda f, given: f(given.returns, **YEAR),
    ),
    **each(
        risk,
        "alpha beta correlation tracking_error information_ratio treynor_ratio up_capture down_capture capture_ratio "
        "factor_exposures",
        lambda f, given: f(given.returns, given.returns),
    ),
    **each(
        risk,
        "rolling_tail_risk rolling_value_at_risk rolling_expected_shortfall rolling_max_drawdown rolling_volatility "
        "rolling_sharpe_ratio rolling_sortino_ratio",
        lambda f, given: f(given.returns, 5),
    ),
    **each(risk, "rolling_beta rolling_correlation", lambda f, given: f(given.returns, given.returns, 5)),
    **each(
        risk,
        "value_at_risk expected_shortfall tail_risk",
        lambda f, given: [
            outcome(lambda m=m: f(given.returns, method=m))
            for m in ("historical", "parametric", "student_t", "cornish_fisher", "ewma", "garch", "filtered_historical",
                      "evt", "monte_carlo", "age_weighted")
        ],
    ),
    **each(risk, "covariance shrinkage effective_trials as_return_matrix", lambda f, given: f(given.frame)),
    **each(risk, "max_drawdown_of_equity drawdown_of_equity", lambda f, given: f(given.equity)),
    "risk_contributions": lambda g: risk.risk_contributions(g.frame, [0.5, 0.5]),
    "volatility_contributions": lambda g: risk.volatility_contributions(g.covariance, [0.5, 0.5]),
    "incremental_risk": lambda g: risk.incremental_risk(g.frame, [0.5, 0.5], [0.1, 0.0]),
    "autocorrelation_factor": lambda g: risk.autocorrelation_factor(g.returns, 12, lags=1),
    "deflated_sharpe_ratio": lambda g: risk.deflated_sharpe_ratio(g.returns, 10, 0.1),
    "expected_maximum_sharpe": lambda g: risk.expected_maximum_sharpe(10, g.one),
    "hill_tail_index": lambda g: risk.hill_tail_index(g.returns, 3),
    "backtest_var": lambda g: risk.backtest_var(g.returns, window=20),
    "acerbi_szekely_test": lambda g: risk.acerbi_szekely_test(
        g.returns, 0.01 + 0.0 * g.returns, 0.02 + 0.0 * g.returns
    ),
    "christoffersen_test": lambda g: risk.christoffersen_test(g.flags),
    "kupiec_test": lambda g: risk.kupiec_test(int(g.flags.sum()), len(g.flags)),
    "kupiec_region": lambda g: risk.kupiec_region(len(g.flags)),
    "basel_traffic_light": lambda g: risk.basel_traffic_light(int(g.flags.sum()), len(g.flags)),
    "cornish_fisher_domain": lambda g: risk.cornish_fisher_domain(g.one),
    "RiskCalculator": calculated,
    "SharpeEstimate": lambda g: risk.SharpeEstimate(n_periods=24, sharpe_ratio=g.one).probability_above(0.0),
    "AlertManager": lambda g: [
        alert.value
        for alert in risk.AlertManager([AlertRule(id="r", measure="loss", level=-g.one)]).observe(
            "port", {"loss": -g.one}, NOON
        )
    ],
    "TailFit": lambda g: risk.TailFit(
        threshold=0.01, shape=g.one, scale=0.01, n_periods=N, n_exceedances=9, log_likelihood=0.0
    ).expected_shortfall(0.99),
}  # fmt: skip


def book(given: Given, **changes: Any) -> stress.StressBook:
    return stress.StressBook(
        **{
            "values": {"A": 60.0, "B": -20.0}, "equity": 100.0, "covariance": given.covariance, "history": given.frame,
            "betas": {"market": {"A": given.one, "B": given.one}}, "traded_values": {"A": 10.0, "B": 10.0},
            **changes,
        }
    )  # fmt: skip


def stressed(scenario: Callable[[Given], Any]) -> Case:
    return lambda given: stress.StressTester().run(book(given), [scenario(given)])


STRESS: dict[str, Case] = {
    "UniformReturn": stressed(lambda g: stress.UniformReturn(name="x", returns=g.one)),
    "AssetShock": stressed(lambda g: stress.AssetShock(name="x", shocks={"A": g.one})),
    "FactorShock": stressed(lambda g: stress.FactorShock(name="x", shocks={"market": g.one})),
    "VolatilityMultiplier": stressed(lambda g: stress.VolatilityMultiplier(name="x", volatility_multiplier=2.0)),
    "CorrelationToOne": stressed(lambda g: stress.CorrelationToOne(name="x")),
    "LiquidityDays": stressed(lambda g: stress.LiquidityDays(name="x")),
    "HistoricalWindow": stressed(lambda g: stress.HistoricalWindow(name="x", start=DAYS[0], end=DAYS[-1])),
    "StressTester": lambda g: stress.StressTester().run(book(g, equity=100.0 * (1.0 + g.one)), []),
    "StressBook": lambda g: book(g, values=dict(zip("AB", g.returns.iloc[:2], strict=False))).profit(
        g.returns.iloc[:2]
    ),
    "monte_carlo_stress": lambda g: stress.monte_carlo_stress(book(g), 200),
    "reverse_stress": lambda g: stress.reverse_stress(book(g), loss=0.05),
    "scenario_from": lambda g: stress.scenario_from({"name": "x", "returns": g.one}),
    "episode": lambda g: stress.episode("" if g.returns.empty else "covid_2020").title,
}


def limited(given: Given, **changes: Any) -> limits.BookView:
    rows = [limits.Exposure(symbol=name, quantity=10, price=10) for name in given.frame.columns]
    return limits.BookView(**{"equity": 1000, "cash": 800, "exposures": rows, **changes})


ORDER = limits.ProposedOrder(symbol="A", side="BUY", quantity=1)


def scenario_risk(given: Given) -> limits.ScenarioRisk:
    return limits.ScenarioRisk({"A": 100.0, "B": 100.0}, given.frame, ["A", "B"], equity=1000.0)


def parametric_risk(given: Given) -> limits.ParametricRisk:
    return limits.ParametricRisk({"A": 100.0, "B": 100.0}, given.covariance, ["A", "B"], equity=1000.0)


LIMITS: dict[str, Case] = {
    "ScenarioRisk": lambda g: scenario_risk(g).expected_shortfall("A", 10.0),
    "ParametricRisk": lambda g: parametric_risk(g).value_at_risk("A", 10.0),
    "BookView": lambda g: limited(g, equity=1000 * (1 + g.one)),
    "Exposure": lambda g: limits.Exposure(symbol="A", price=g.one),
    "ProposedOrder": lambda g: limits.ProposedOrder(symbol="A", side="BUY", quantity=abs(g.one)),
    "Limit": lambda g: limits.Limit(kind="drawdown", limit=abs(g.one)),
    "LimitSet": lambda g: limits.LimitSet([{"kind": "drawdown", "limit": abs(x)} for x in g.returns[:1]]),
    "MemoryLimits": lambda g: limits.MemoryLimits().put_limits(
        "port_1", limits.limits_from([{"kind": "drawdown", "limit": abs(x)} for x in g.returns[:1]])
    ),
    "LimitManager": lambda g: risk.LimitManager([{"kind": "drawdown", "limit": abs(x)} for x in g.returns[:1]]),
    "check_order": lambda g: limits.check_order(
        ORDER, limited(g, estimates=scenario_risk(g)), [limits.Limit(kind="value_at_risk", limit=1)]
    ).checks[0].value,
    "what_if": lambda g: [
        limits.what_if(orders, limited(g, estimates=parametric_risk(g))).after.value_at_risk
        for orders in ([], [ORDER])
    ],
    "figures_of": lambda g: limits.figures_of(limited(g, estimates=scenario_risk(g))).value_at_risk,
    "limits_from": lambda g: limits.limits_from([{"kind": "drawdown", "limit": x} for x in g.returns[:1]]),
    "profile": lambda g: limits.profile("" if g.returns.empty else "moderate"),
    "LimitCheckResult": lambda g: limits.check_order(ORDER, limited(g), []).as_dict()["approved"],
}  # fmt: skip

RULES = office.TaxRules(short_term_rate=Decimal("0.4"), long_term_rate=Decimal("0.2"))


def fill(number: int, side: str, price: Any) -> Fill:
    at = NOON + datetime.timedelta(days=number)
    return Fill(execution_id=f"f{number}", instrument="A", side=side, quantity=10, price=price, filled_at=at)  # type: ignore[arg-type]


def lots(given: Given) -> office.LotBook:
    """A lot that is bought at 100 and sold after the first return: at nothing, where all is lost."""
    held = office.LotBook(method=office.LotMethod.FIFO, rules=RULES, wash=office.UsWashSale())
    return held.with_fill(fill(0, "BUY", 100)).with_fill(fill(1, "SELL", Decimal(str(100.0 * (1.0 + given.one)))))


def plan(given: Given, **options: Any) -> office.RebalancePlan:
    held = Portfolio().with_cash(Decimal(1000), "USD", kind="deposit", at=NOON).with_fill(fill(0, "BUY", 10))
    prices = {"A": given.equity.iloc[-1] if len(given.equity) else math.nan, "B": 20}
    return office.plan_rebalance(held, prices, {"A": 0.5, "B": 0.2}, at=NOON, **options)


def closing(given: Given) -> Any:
    one = office.Closing(
        quantity=Decimal(str(given.one)), price=Decimal(10), on=NOON.date(), method=office.LotMethod.FIFO
    )
    return office.choose_lots(office.LotBook().with_fill(fill(0, "BUY", 100)).lots["A"], one)


def planned(method: Callable[[Given], Any]) -> Case:
    return lambda given: plan(given, method=method(given))


def flows(given: Given) -> list[float]:
    """A start of -1, small flows, and what was left at the end."""
    return [-1.0, *(0.01 * given.returns.iloc[1:-1]), *given.equity.iloc[-1:] / 100.0] if len(given.returns) else []


def account(given: Given) -> office.AccountPeriods:
    return office.account_periods(pd.DataFrame(1.0, given.prices.index, ["A", "B"]), given.prices, cash=10.0)


OFFICE: dict[str, Case] = {
    "period_returns": lambda g: office.period_returns(g.equity),
    "time_weighted_return": lambda g: office.time_weighted_return(g.equity, periods_per_year=252),
    "cumulative_return": lambda g: office.cumulative_return(g.returns, periods_per_year=252),
    "monthly_table": lambda g: office.monthly_table(g.returns),
    "performance_rows": lambda g: office.performance_rows(g.equity, benchmark=g.returns),
    "align_benchmark": lambda g: office.align_benchmark(g.returns, g.returns).n_lost,
    "modified_dietz": lambda g: office.modified_dietz(100, 101, g.returns, start="2023-12-31", end="2024-12-31"),
    "money_weighted_return": lambda g: office.money_weighted_return(g.equity),
    "irr": lambda g: office.irr(flows(g), several="nearest_zero"),
    "xirr": lambda g: office.xirr(flows(g), g.returns.index, several="nearest_zero"),
    "internal_rates": lambda g: office.internal_rates(flows(g), g.returns.index),
    "brinson": lambda g: office.brinson(g.weights, g.frame, g.weights, 0.5 * g.frame).linked,
    "contribution": lambda g: office.contribution(g.weights, g.frame).linked,
    "carino_factors": lambda g: office.carino_factors(g.returns),
    "factor_attribution": lambda g: office.factor_attribution(
        g.returns, g.frame[["A"]], pd.Series({"A": 1.0})
    ).linked,
    "account_periods": lambda g: account(g).returns,
    "attribute_account": lambda g: office.attribute_account(account(g)).linked,
    "LotBook": lambda g: lots(g).realised(),
    "UsWashSale": lambda g: lots(g).frame(),
    "choose_lots": closing,
    "Closing": closing,
    "TaxRules": lambda g: office.TaxRules(short_term_rate=Decimal(str(abs(g.one))), long_term_rate=Decimal(0)),
    "tax_report": lambda g: office.tax_report(lots(g).disposals if len(g.returns) else (), RULES),
    "tax_summary": lambda g: office.tax_summary(lots(g).disposals if len(g.returns) else (), RULES).tax,
    "plan_rebalance": plan,
    "execute": lambda g: office.execute(plan(g), office.FillAtPlan()).progress,
    "FillAtPlan": lambda g: office.execute(plan(g), office.FillAtPlan()).progress,
    "FullRebalance": planned(lambda g: office.FullRebalance()),
    "CashFlow": planned(lambda g: office.CashFlow()),
    "Calendar": planned(lambda g: office.Calendar()),
    "Band": planned(lambda g: office.Band(Decimal(str(abs(g.one))))),
    "Threshold": planned(lambda g: office.Threshold(Decimal(str(abs(g.one))))),
    "CostAware": planned(lambda g: office.CostAware(g.covariance)),
    "TradingCost": lambda g: plan(g, cost=office.TradingCost(rate=Decimal(str(abs(g.one))))),
    "TaxOptimization": lambda g: plan(
        g,
        covariance=g.covariance,
        tax_optimization=office.TaxOptimization(
            book=office.LotBook().with_fill(fill(0, "BUY", 10)), rules=RULES, covariance=g.covariance
        ),
    ),
    "whole_shares": lambda g: [
        office.whole_shares(weights, {"A": 100.0 * (1.0 + g.one), "B": 7}, 1000, method=method)
        for weights in ({}, {"A": 0.5, "B": 0.2}) for method in ("largest_remainder", "exact")
    ],
}  # fmt: skip


def estimated(given: Given) -> optimise.Estimates:
    return optimise.Estimates(given.covariance, {"A": given.one, "B": -given.one})


OPTIMISE: dict[str, Case] = {
    **each(
        optimise,
        "equal_weight hierarchical_risk_parity inverse_volatility max_diversification max_sharpe mean_variance "
        "min_cvar min_variance risk_parity",
        lambda f, given: [
            figures(outcome(call)) for call in (lambda: f(given.frame), lambda: f(estimated(given)))
        ],
    ),
    "efficient_frontier": lambda g: [
        outcome(lambda limits=limits: along(optimise.efficient_frontier(g.frame, n_points=3, constraints=limits)))
        for limits in (None, optimise.Constraints(held={}, costs=0.01))
    ],
    "Estimates": estimated,
    "Constraints": lambda g: optimise.min_variance(
        g.frame, constraints=optimise.Constraints(budget=1.0 + g.one, return_min=g.one, upper=2.0)
    ),
    "View": lambda g: optimise.black_litterman(
        estimated(g), [optimise.View(assets={"A": 1, "B": 1}, value=g.one)], prior={"A": g.one, "B": 0.0}
    ),
    "black_litterman": lambda g: optimise.black_litterman(
        optimise.Estimates.from_returns(g.frame), [optimise.View(assets={"A": 1}, value=0.1)],
        market_weights={"A": 0.5, "B": 0.5},
    ),
    "equilibrium_returns": lambda g: optimise.equilibrium_returns(g.covariance, {"A": 0.5, "B": 0.5}),
    "rolling_weights": lambda g: optimise.rolling_weights(
        g.prices, optimise.WeightOptimiser("risk_parity"), window=20, every=20
    ),
    "WeightOptimiser": lambda g: [
        figures(outcome(lambda name=name: optimise.WeightOptimiser(name).fit(g.frame).allocation_))
        for name in optimise.OBJECTIVES
    ],
    "skfolio_names": lambda g: optimise.skfolio_names(),
    "skfolio_estimator": lambda g: optimise.skfolio_estimator("InverseVolatility"),
    "skfolio_portfolio": lambda g: figures(optimise.skfolio_portfolio("EqualWeighted", g.frame)),
}  # fmt: skip


def along(frontier: optimise.Frontier) -> list[Any]:
    """Return all that a frontier says of itself."""
    return [frontier.points, frontier.weights, len(frontier.plot().data), len(repr(frontier))]


def figures(found: Any) -> Any:
    """Return all that an allocation says of itself."""
    if not isinstance(found, optimise.Allocation):
        return found
    derived = (found.expected_return, found.sharpe_ratio, found.effective_assets, found.diversification_ratio)
    return [found, derived, found.contributions, found.frame(), len(found.plot().data), len(str(found))]


RISK |= {"StressTester": STRESS["StressTester"], "LimitManager": LIMITS["LimitManager"]}
ROOMS: dict[str, dict[str, Case]] = {
    "algotrendy.risk": RISK,
    "algotrendy.risk.stress": STRESS,
    "algotrendy.risk.limits": LIMITS,
    "algotrendy.portfolio": OFFICE,
    "algotrendy.portfolio.optimise": OPTIMISE,
}


def is_answer(thing: Any) -> bool:
    """Say whether a name only holds what others found, names a choice, or is a Protocol: nothing is computed there."""
    is_choice = isinstance(thing, (dict, type(int | str))) or get_origin(thing) is Literal
    if is_choice or (isinstance(thing, type) and issubclass(thing, Enum)):
        return True
    return getattr(thing, "_is_protocol", False) or is_dataclass(thing) or issubclass(thing, tuple)


def outcome(call: Callable[[], Any]) -> Any:
    """Return what is answered, or the words of the refusal; a warning or an error of another library fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Cornish")  # outside its domain it says so
        try:
            return call()
        except AlgotrendyError as error:
            return error


def numbers(found: Any) -> Iterable[float]:
    """Return every number of an answer."""
    if isinstance(found, AlgotrendyError):
        assert len(str(found).split()) >= 4, f"{found!r} says too little"
    elif isinstance(found, (pd.Series, pd.DataFrame)):
        table = found.to_frame() if isinstance(found, pd.Series) else found
        for _, column in table.items():
            yield from (float(x) for x in column if isinstance(x, (int, float, Decimal)))
    elif isinstance(found, (bool, np.bool_)):
        return
    elif isinstance(found, (int, float, Decimal, np.number)):
        yield float(found)
    elif isinstance(found, np.ndarray):
        yield from found.astype(float).ravel()
    elif isinstance(found, Mapping):
        for value in found.values():
            yield from numbers(value)
    elif isinstance(found, (list, tuple)):
        for value in found:
            yield from numbers(value)
    elif is_dataclass(found):
        for name in found.__dataclass_fields__:
            yield from numbers(getattr(found, name))


MISSING = [
    (room, name)
    for room, cases in ROOMS.items()
    for name in importlib.import_module(room).__all__
    if name not in cases and not is_answer(getattr(importlib.import_module(room), name))
]
ALL = [(room, name) for room, cases in ROOMS.items() for name in cases]
INFINITE = {"minimum_track_record_length"}
"""What says that it is infinite: no record is long enough for a ratio that is not above the benchmark."""

OF_DATES = [
    *(set(RISK) - {
        "expected_maximum_sharpe", "kupiec_test", "kupiec_region", "basel_traffic_light", "cornish_fisher_domain",
        "SharpeEstimate", "StressTester", "LimitManager", "AlertManager", "TailFit", "christoffersen_test",
        "volatility_contributions",
    }),
    "period_returns", "time_weighted_return", "cumulative_return", "monthly_table", "performance_rows",
    "align_benchmark", "money_weighted_return", "brinson", "contribution", "carino_factors", "factor_attribution",
    "account_periods", "attribute_account", "HistoricalWindow", "ScenarioRisk", "check_order", "figures_of",
]  # fmt: skip
"""Names that read a series by its dates: none of them can answer where there is none."""


def test_every_public_name_has_a_case() -> None:
    assert MISSING == []
    for room, cases in ROOMS.items():
        assert set(cases) <= set(importlib.import_module(room).__all__)


@pytest.mark.parametrize(("room", "name"), ALL)
def test_a_call_is_refused_in_words_or_answers_without_a_wrong_number(room: str, name: str) -> None:
    for kind, returns in KINDS.items():
        found = outcome(lambda returns=returns: ROOMS[room][name](Given(returns)))
        for number in numbers(found):
            assert name in INFINITE or not math.isinf(number), f"{kind}: {found}"


@pytest.mark.parametrize("name", sorted(OF_DATES))
def test_what_is_no_series_by_date_is_refused(name: str) -> None:
    case = next(cases[name] for cases in ROOMS.values() if name in cases)
    for kind in NO_SERIES:
        found = outcome(lambda kind=kind: case(Given(KINDS[kind])))
        each_of = found if isinstance(found, list) else [found]
        assert all(isinstance(one, AlgotrendyError) for one in each_of), f"{kind}: {found}"


NAN = math.nan
STATED: dict[tuple[str, str], Any] = {
    ("no drawdown", "max_drawdown"): 0.0,
    ("no drawdown", "calmar_ratio"): NAN,
    ("no drawdown", "sortino_ratio"): NAN,
    ("no drawdown", "omega_ratio"): NAN,
    ("no drawdown", "down_capture"): NAN,
    ("open drawdown", "max_drawdown"): 1.0 - math.prod(1.0 - KINDS["no drawdown"].to_numpy()[40:]),
    ("open drawdown", "period_returns"): KINDS["open drawdown"].to_numpy()[1:],
    ("total loss", "total_return"): -1.0,
    ("total loss", "time_weighted_return"): -1.0,
    ("total loss", "cumulative_return"): -1.0,
    ("total loss", "max_drawdown"): 1.0,
    ("total loss", "max_drawdown_of_equity"): 1.0,
    ("all zero", "sharpe_ratio"): NAN,
    ("all zero", "beta"): NAN,
    ("all zero", "covariance"): np.zeros(4),
    ("all zero", "money_weighted_return"): 0.0,
    ("all zero", "monthly_table"): [0.0, 0.0, 0.0, *[NAN] * 9, 0.0],
    ("all zero", "carino_factors"): np.ones(N),
    ("all zero", "ParametricRisk"): 0.0,
    ("one row", "total_return"): -0.02,
    ("one row", "brinson"): [0.0, 0.0, -0.005, 0.0025, 0.0, 0.0],
    ("one row", "carino_factors"): 1.0,
    ("one row", "LotBook"): -20.0,
    ("empty", "tax_summary"): 0.0,
}
"""Worked out by hand: what some names say of a kind that has an answer."""


@pytest.mark.parametrize(("kind", "name"), STATED)
def test_what_has_an_answer_gives_it(kind: str, name: str) -> None:
    case = next(cases[name] for cases in ROOMS.values() if name in cases)
    found = list(numbers(outcome(lambda: case(Given(KINDS[kind])))))
    assert found == pytest.approx(np.atleast_1d(STATED[kind, name]), rel=1e-9, abs=1e-12, nan_ok=True)


def test_what_only_looks_like_data_is_refused() -> None:
    one = KINDS["one row"].to_frame()
    shrunk = [outcome(lambda m=m: risk.covariance(one, method=m)) for m in ("ledoit_wolf", "oas")]
    assert all("at least 2" in str(one) for one in shrunk), "of one row the covariance was zero"
    assert "that is positive" in str(outcome(lambda: closing(Given(KINDS["one row"]))))
    assert "by date" in str(
        outcome(lambda: office.modified_dietz(1, 1, pd.Series([1.0], ["soon"]), start="2024-01-01", end="2024-02-01"))
    )
    assert "no dates" in str(outcome(lambda: office.xirr([-1, 1], ["soon", "later"])))
    assert "several time zones" in str(outcome(lambda: risk.christoffersen_test(KINDS["mixed time zones"] < 0.0)))
