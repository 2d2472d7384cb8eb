"""What is asked of the portfolio service, and what it answers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from algotrendy.domain.cash import CashKind
from algotrendy.domain.corporate_action import ActionKind
from algotrendy.domain.instrument import AssetClass
from algotrendy.risk.limits.profiles import RiskProfile

__all__ = [
    "ActionIn",
    "AttributionAnswer",
    "CashIn",
    "FillIn",
    "HoldingOut",
    "PerformanceAnswer",
    "PortfolioConfig",
    "PortfolioOut",
    "PortfolioUpdate",
    "RebalanceAnswer",
    "RebalanceOrderOut",
    "RebalanceRequest",
    "ReportAnswer",
    "ReportRequest",
]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PortfolioConfig(_Body):
    """A new portfolio: the body of `POST /portfolio`.

    Attributes
    ----------
    name : str
        For people to read.
    initial_capital : Decimal
        Its first deposit, in `currency`.
    strategies : list
        What is to trade in it; kept as it comes.
    risk_profile : RiskProfile
        "conservative", "moderate" or "aggressive".
    currency : str
        In which it is told what all is worth.
    lot_method : str
        Which lots a sale closes: "fifo", "lifo", "hifo" or "average".
    time_zone : str
        In which the day of a fill is counted.
    opened_at : datetime or None
        When the deposit came; now. An earlier moment lets trades of the past be recorded.
    """

    name: str
    initial_capital: Decimal = Field(ge=0)
    strategies: list[Any] = Field(default_factory=list)
    risk_profile: RiskProfile = RiskProfile.MODERATE
    currency: str = "USD"
    lot_method: Literal["fifo", "lifo", "hifo", "average"] = "fifo"
    time_zone: str = "UTC"
    user_id: str | None = None
    opened_at: AwareDatetime | None = None


class PortfolioUpdate(_Body):
    """Changes of a portfolio; what is left out stays as it is.

    `expected_version` is the version that the change was made from: if somebody was faster, nothing is changed.
    """

    name: str | None = None
    strategies: list[Any] | None = None
    risk_profile: RiskProfile | None = None
    expected_version: int | None = None


class FillIn(_Body):
    """An execution; under the same `execution_id` it counts once.

    Attributes
    ----------
    quantity : Decimal
        In units, always > 0.
    price : Decimal
        Per unit, in `currency`.
    lots : dict or None
        Lot id to quantity: the lots that a sale closes.
    strategy : str or None
        Who wanted it; attribution by strategy reads this.
    """

    execution_id: str
    symbol: str
    side: Literal["BUY", "SELL"]
    quantity: Decimal
    price: Decimal
    filled_at: AwareDatetime
    commission: Decimal = Decimal(0)
    currency: str = "USD"
    multiplier: Decimal = Decimal(1)
    client_order_id: str | None = None
    strategy: str | None = None
    asset_type: AssetClass = AssetClass.STOCK
    lots: dict[str, Decimal] | None = None


class CashIn(_Body):
    """A movement of cash. Amounts of deposits and withdrawals are both > 0; of other kinds, above 0 comes in.

    Under the same `key` it is the same movement and counts once. `reference` of a dividend is its symbol.
    """

    kind: CashKind
    amount: Decimal
    currency: str | None = None
    at: AwareDatetime | None = None
    reference: str = ""
    key: str | None = None


class ActionIn(_Body):
    """A split or a cash dividend; under the same `action_id` it counts once. See `domain.corporate_action`.

    Attributes
    ----------
    kind : str
        "split" or "cash_dividend".
    effective_at : datetime
        When trading without it begins: the open of the ex-date.
    new, old : int
        So many units for so many, of a split.
    cash_in_lieu : Decimal or None
        Paid for a new unit where a fraction of one would be left; None: fractions are held.
    amount : Decimal
        Of a dividend, per unit, before tax.
    currency : str or None
        Of a dividend; None: that of the position.
    """

    action_id: str
    symbol: str
    kind: ActionKind
    effective_at: AwareDatetime
    new: int = 1
    old: int = 1
    cash_in_lieu: Decimal | None = None
    amount: Decimal = Decimal(0)
    currency: str | None = None


class RebalanceRequest(_Body):
    """The body of `POST /portfolio/{portfolio_id}/rebalance`.

    Attributes
    ----------
    target_allocations : dict
        Fractions of the portfolio. Less than 1 in all leaves cash; more is an error unless `allow_leverage`.
    rebalance_method : str
        "full_rebalance", "threshold", "band_to_target", "band_to_edge", "cash_flow" or "calendar".
    tax_optimization : bool
        Whether sales choose lots by least tax at `short_term_rate` and `long_term_rate`, fractions. The defaults are
        examples, not advice. `wash_sale`: whether the 30-day rule of the United States applies.
    dry_run : bool
        Make the plan and do nothing.
    cost_rate : Decimal
        Expected cost as a fraction of each order's value.
    minimum_trade : Decimal
        Smaller orders are left out; in the portfolio's currency.
    turnover_max : Decimal or None
        Largest (purchases + sales) / 2 as a fraction of the portfolio.
    asset_types : dict
        Of symbols that were never held; "stock" where it is not said.
    prices : dict or None
        Of all that is held or wanted; None: the last closes of the market data, of the
        last ten days.
    """

    target_allocations: dict[str, Decimal]
    rebalance_method: str = "full_rebalance"
    tax_optimization: bool = False
    dry_run: bool = True
    allow_leverage: bool = False
    cost_rate: Decimal = Decimal(0)
    minimum_trade: Decimal = Decimal(0)
    turnover_max: Decimal | None = None
    short_term_rate: Decimal = Decimal("0.37")
    long_term_rate: Decimal = Decimal("0.20")
    wash_sale: bool = True
    asset_types: dict[str, AssetClass] = Field(default_factory=dict)
    prices: dict[str, Decimal] | None = None


class ReportRequest(_Body):
    """The body of `POST /portfolio/{portfolio_id}/report`.

    Attributes
    ----------
    report_type : str
        "monthly_performance", "risk", "backtest" (both), "tax" or "attribution".
    format : str
        "pdf", "xlsx" or "html".
    recipients : list of str
        Who is to be sent it.
    period, benchmark : str or None
        As in `calculate_performance`.
    year : int or None
        Of a tax report; None: all years.
    """

    report_type: Literal["monthly_performance", "risk", "backtest", "tax", "attribution"] = "monthly_performance"
    format: Literal["pdf", "xlsx", "html"] = "pdf"
    recipients: list[str] = Field(default_factory=list)
    period: str = "max"
    benchmark: str | None = None
    year: int | None = None
    short_term_rate: Decimal = Decimal("0.37")
    long_term_rate: Decimal = Decimal("0.20")
    wash_sale: bool = True


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class HoldingOut(_Answer):
    """One position; value, weight and gain are None where there is no price."""

    position_id: str
    symbol: str
    quantity: Decimal
    average_cost: Decimal | None
    currency: str
    asset_type: str
    price: Decimal | None = None
    value: Decimal | None = None
    weight: Decimal | None = None
    unrealised: Decimal | None = None
    realised: Decimal


class PortfolioOut(_Answer):
    """A portfolio with what it holds. `value` is in its currency; None where a price or a rate is missing."""

    portfolio_id: str
    name: str
    status: str
    version: int
    initial_capital: Decimal
    currency: str
    risk_profile: str
    strategies: list[Any]
    lot_method: str
    cash: dict[str, Decimal]
    value: Decimal | None
    valued_at: datetime | None
    holdings: list[HoldingOut]
    created_at: datetime
    updated_at: datetime


class RebalanceOrderOut(_Answer):
    """An order of a plan, and what became of it."""

    client_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    value: Decimal
    cost: Decimal
    lots: dict[str, Decimal]
    reasons: list[str]
    state: str
    message: str = ""


class RebalanceAnswer(_Answer):
    """A plan and how far it has been carried out.

    `status` is "planned", "queued", "running", "completed", "incomplete" (over, not all was filled) or "stopped" (it
    can go on). `progress` is the fraction of the orders that are over.
    """

    rebalance_id: str
    portfolio_id: str
    status: str
    message: str
    progress: float
    job_id: str | None
    method: str
    orders: list[RebalanceOrderOut]
    left_alone: dict[str, str]
    turnover: Decimal
    expected_cost: Decimal
    expected_tax: Decimal | None
    weights_before: dict[str, Decimal]
    weights_target: dict[str, Decimal]
    weights_after: dict[str, Decimal]
    created_at: datetime
    updated_at: datetime


class PerformanceAnswer(_Answer):
    """Measures of a span of days, and the series behind them.

    `metrics` are those of `risk.metrics`: losses are positive fractions. `charts` has lists of equal length: time,
    value, cumulative_return, drawdown, and with a benchmark benchmark_return, compounded.
    """

    portfolio_id: str
    period: str
    benchmark: str | None
    start: datetime | None
    end: datetime | None
    metrics: dict[str, Any]
    charts: dict[str, list[Any]]
    notes: list[str]


class AttributionAnswer(_Answer):
    """Where the return of a span came from: effects by asset and by strategy, each adding up to `total_return`."""

    portfolio_id: str
    period: str
    total_return: float
    residual: float
    by_asset: dict[str, dict[str, float]]
    by_strategy: dict[str, dict[str, float]]


class ReportAnswer(_Answer):
    """A report: its status, where it can be had, and what became of sending it."""

    report_id: str
    portfolio_id: str
    report_type: str
    format: str
    status: str
    recipients: list[str]
    delivery: str
    download: str | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None
