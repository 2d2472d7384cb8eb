"""What is asked of the risk facade, and what it answers.

Losses are positive fractions of equity: 0.02 is 2 % lost. Decimals travel as texts, so that no digit is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from algotrendy.risk.alerts import Alert, AlertStatus, Severity
from algotrendy.risk.limits.book import ProposedOrder, TradingState
from algotrendy.risk.limits.evaluate import LimitCheckResult
from algotrendy.risk.limits.figures import WhatIf
from algotrendy.risk.limits.records import LimitsRecord, StateRecord
from algotrendy.risk.reservations import ReservationResult, ReservationStatus
from algotrendy.risk.stress.tester import StressTestResult

__all__ = [
    "AlertOut",
    "LimitsIn",
    "LimitsOut",
    "PositionRisk",
    "PreTradeAnswer",
    "PreTradeRequest",
    "ReservationOut",
    "RiskMetrics",
    "RiskOrderIn",
    "StressTestAnswer",
    "StressTestRequest",
    "TradingStateIn",
    "TradingStateOut",
    "WhatIfAnswer",
]

_IN = ConfigDict(frozen=True, extra="forbid")
_OUT = ConfigDict(frozen=True)
Basis = Literal["holdings", "history", "cash", "none"]


class RiskMetrics(BaseModel):
    """The risk of a portfolio at one moment; what cannot be known is None, and `notes` says why.

    Attributes
    ----------
    var_95, var_99, expected_shortfall : float or None
        The loss of one day that is exceeded on 5 % and on 1 % of days, and the mean loss of the worst 5 %, as positive
        fractions of equity.
    basis : {"holdings", "history", "cash", "none"}
        What VaR, shortfall, volatility and beta are of: today's positions on past returns of their instruments, the
        portfolio's own past, no position at all, or nothing that is known.
    method : str
        How VaR was estimated: historical, parametric, cornish_fisher, ...
    n_returns : int
        On how many days.
    volatility : float or None
        Annual.
    beta : float or None
        Against the benchmark, or of the betas that the book knows.
    max_drawdown, current_drawdown, sharpe_ratio, sortino_ratio, annual_return : float or None
        Of the portfolio's own past.
    equity : Decimal
        In the portfolio's currency.
    gross_leverage, net_leverage, concentration : float
        Fractions of equity.
    largest : str or None
        The largest position.
    """

    model_config = _OUT

    portfolio_id: str = ""
    as_of: datetime
    equity: Decimal
    var_95: float | None = None
    var_99: float | None = None
    expected_shortfall: float | None = None
    max_drawdown: float | None = None
    sharpe_ratio: float | None = None
    beta: float | None = None
    volatility: float | None = None
    sortino_ratio: float | None = None
    annual_return: float | None = None
    current_drawdown: float | None = None
    gross_leverage: float
    net_leverage: float
    concentration: float
    largest: str | None = None
    method: str = "historical"
    horizon_days: int = 1
    basis: Basis = "none"
    n_returns: int = 0
    notes: list[str] = Field(default_factory=list)


class PositionRisk(BaseModel):
    """The risk of one position, alone and within its portfolio.

    Attributes
    ----------
    weight : float
        Value as a fraction of equity; negative is short.
    var_95, expected_shortfall : float or None
        Of the position alone, as positive fractions of the portfolio's equity.
    component_var, share : float or None
        What it adds to the portfolio's VaR, and that as a share of it; negative is a hedge.
    marginal_var : float or None
        By how much the portfolio's VaR grows per unit of weight.
    volatility : float or None
        Annual, of the instrument.
    """

    model_config = _OUT

    portfolio_id: str = ""
    symbol: str
    quantity: Decimal
    price: Decimal
    value: Decimal
    weight: float
    var_95: float | None = None
    expected_shortfall: float | None = None
    component_var: float | None = None
    marginal_var: float | None = None
    share: float | None = None
    volatility: float | None = None
    n_returns: int = 0
    notes: list[str] = Field(default_factory=list)


# --- limits and states ---


class LimitsIn(BaseModel):
    """The body of `PUT /risk/limits/{portfolio_id}`: a profile, or limits.

    Examples
    --------
    >>> LimitsIn(limits=[{"kind": "drawdown", "limit": "0.2"}], version=3).wanted
    [{'kind': 'drawdown', 'limit': '0.2'}]
    >>> LimitsIn(profile="moderate").wanted
    'moderate'
    """

    model_config = _IN

    limits: list[dict[str, Any]] | None = Field(default=None, description="Each as `Limit.as_dict` gives it.")
    profile: str | None = Field(default=None, description="conservative, moderate or aggressive.")
    version: int | None = Field(
        default=None, ge=0, description="The version that was read; another one by now is a conflict. Left out: any."
    )
    updated_by: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.limits is None) == (self.profile is None):
            raise ValueError("give limits= or profile=, one of the two")
        return self

    @property
    def wanted(self) -> str | list[dict[str, Any]]:
        """What a `LimitManager` takes."""
        return self.profile if self.limits is None else self.limits  # type: ignore[return-value]  # one is there


class LimitsOut(BaseModel):
    """The limits of a portfolio; version 0 are the usual ones of a portfolio that has none of its own."""

    model_config = _OUT

    portfolio_id: str
    version: int
    profile: str | None
    limits: list[dict[str, Any]]
    updated_by: str | None
    updated_at: datetime | None

    @classmethod
    def of(cls, record: LimitsRecord) -> Self:
        """Return what is answered about limits."""
        values = {name: getattr(record, name) for name in LimitsRecord.__dataclass_fields__}
        return cls(**{**values, "limits": [limit.as_dict() for limit in record.limits]})


class TradingStateIn(BaseModel):
    """What a portfolio shall be allowed to send, and why.

    Examples
    --------
    >>> TradingStateIn(state="HALTED", reason="the feed is broken").state
    <TradingState.HALTED: 'halted'>
    """

    model_config = _IN

    state: TradingState
    reason: str = Field(min_length=1, description="For those who ask later.")
    set_by: str | None = None
    version: int | None = Field(default=None, ge=0, description="The version that was read; left out: any.")

    @model_validator(mode="before")
    @classmethod
    def _in_any_case(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("state"), str):
            return {**data, "state": data["state"].lower()}
        return data


class TradingStateOut(BaseModel):
    """What a portfolio may send; version 0 if that was never set."""

    model_config = _OUT

    portfolio_id: str
    version: int
    state: TradingState
    reason: str
    set_by: str | None
    set_at: datetime | None

    @classmethod
    def of(cls, record: StateRecord) -> Self:
        """Return what is answered about a state."""
        return cls(**{name: getattr(record, name) for name in StateRecord.__dataclass_fields__})


# --- orders ---


class RiskOrderIn(BaseModel):
    """An order as a check looks at it; what else it says is not looked at.

    Examples
    --------
    >>> RiskOrderIn(symbol="AAPL", side="buy", quantity="10", order_type="MARKET").to_order().side
    'BUY'
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    symbol: str = Field(min_length=1)
    side: Literal["BUY", "SELL"]
    quantity: Decimal
    limit_price: Decimal | None = None
    client_order_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_any_case(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("side"), str):
            return {**data, "side": data["side"].upper()}
        return data

    def to_order(self) -> ProposedOrder:
        """Return the order."""
        return ProposedOrder(**self.model_dump())


class PreTradeRequest(BaseModel):
    """The body of `POST /risk/pre-trade-check`; the data of an event `trading.order.created` are one, too.

    Examples
    --------
    >>> event = {"portfolio_id": "port_123", "order_id": "ord_1", "symbol": "A", "side": "BUY", "quantity": 1}
    >>> PreTradeRequest.model_validate(event).order.symbol
    'A'
    """

    model_config = _IN

    portfolio_id: str
    order: RiskOrderIn
    reserve: bool = Field(default=False, description="Whether to take the room of an approved order in the same step.")
    reserve_seconds: float | None = Field(default=None, gt=0, description="After how long it is free again; never.")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "order" in data or "symbol" not in data:
            return data
        own = ("portfolio_id", "reserve", "reserve_seconds")
        order = {name: value for name, value in data.items() if name not in own}
        return {**{name: data[name] for name in own if name in data}, "order": order}


class CheckOut(BaseModel):
    """What one limit says; a value that could not be measured is None."""

    model_config = _OUT

    name: str
    passed: bool
    value: str | float | None
    limit: str | float | None
    message: str


class ReservationOut(BaseModel):
    """Room that an order has taken."""

    model_config = _OUT

    reservation_id: str
    portfolio_id: str
    status: ReservationStatus
    remaining: Decimal
    created_at: datetime
    expires_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, made: Any) -> Self:
        """Return what is answered about a reservation."""
        names = [name for name in cls.model_fields if name != "reservation_id"]
        return cls(reservation_id=made.id, **{name: getattr(made, name) for name in names})


class PreTradeAnswer(BaseModel):
    """Whether an order may be sent, and what each limit says; `checks` is empty if the order was reserved before."""

    model_config = _OUT

    approved: bool
    checks: list[CheckOut] = Field(default_factory=list)
    suggested_quantity: Decimal
    reservation: ReservationOut | None = None

    @classmethod
    def of(cls, check: LimitCheckResult) -> Self:
        """Return what is answered about a check."""
        return cls.model_validate(check.as_dict())

    @classmethod
    def of_reservation(cls, made: ReservationResult) -> Self:
        """Return what is answered about a wish to reserve."""
        held = None if made.reservation is None else ReservationOut.of(made.reservation)
        if made.check is not None:
            return cls.model_validate({**made.check.as_dict(), "reservation": held})
        assert made.reservation is not None
        return cls(approved=True, suggested_quantity=made.reservation.order.quantity, reservation=held)


class WhatIfAnswer(BaseModel):
    """Orders tried one after the other: what the limits say to each, and the book before and after."""

    model_config = _OUT

    approved: bool
    checks: list[PreTradeAnswer]
    before: dict[str, Any]
    after: dict[str, Any]

    @classmethod
    def of(cls, tried: WhatIf) -> Self:
        """Return what is answered about orders that were tried."""
        before, after = (
            {name: getattr(figures, name) for name in type(figures).__dataclass_fields__}
            for figures in (tried.before, tried.after)
        )
        return cls(
            approved=tried.approved, checks=[PreTradeAnswer.of(one) for one in tried.checks], before=before, after=after
        )


# --- stress ---


class StressTestRequest(BaseModel):
    """The body of `POST /risk/stress-test`.

    Examples
    --------
    >>> scenarios = [
    ...     {"name": "market_crash", "returns": -0.2},
    ...     {"name": "volatility_spike", "volatility_multiplier": 2.0},
    ... ]
    >>> len(StressTestRequest(portfolio_id="port_123", scenarios=scenarios).scenarios)
    2
    """

    model_config = _IN

    portfolio_id: str
    scenarios: list[dict[str, Any]] = Field(min_length=1, description="Each as `scenario_from` takes it.")


class StressTestAnswer(BaseModel):
    """What each scenario would cost, and which of them is the worst."""

    model_config = _OUT

    portfolio_id: str
    results: list[dict[str, Any]]
    worst: str

    @classmethod
    def of(cls, portfolio_id: str, tested: StressTestResult) -> Self:
        """Return what is answered about a test."""
        results = [{name: getattr(one, name) for name in type(one).__dataclass_fields__} for one in tested.results]
        return cls(portfolio_id=portfolio_id, results=results, worst=tested.worst.name)


# --- alerts ---


class AlertOut(BaseModel):
    """An alert as it is answered."""

    model_config = _OUT

    alert_id: str
    rule_id: str
    portfolio_id: str
    measure: str
    value: float
    worst: float
    level: float
    severity: Severity
    status: AlertStatus
    raised_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    acknowledged_by: str | None
    message: str

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Return what is answered about an alert."""
        return cls(alert_id=alert.id, **{name: getattr(alert, name) for name in cls.model_fields if name != "alert_id"})
