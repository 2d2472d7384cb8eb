"""What is asked of the strategy engine, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from algotrendy.backtest.discovery.limits import SearchLimits
from algotrendy.domain.instrument import AssetClass
from algotrendy.services.models_account import BacktestConfig, Market
from algotrendy.services.models_runs import State, Wait
from algotrendy.storage.deployments import Deployment, DeploymentStatus, TradingMode
from algotrendy.storage.strategies import StoredStrategy, StrategyStatus

__all__ = [
    "DeployRequest",
    "DeploymentOut",
    "DiscoveryAnswer",
    "DiscoveryConstraints",
    "DiscoveryRequest",
    "DiscoveryStatus",
    "StrategyDiscoveryConfig",
    "StrategyIn",
    "StrategyOut",
    "StrategyUpdate",
    "TemplateOut",
    "ValidationAnswer",
]

RISK_LEVELS = {"conservative": 0.15, "low": 0.15, "moderate": 0.3, "medium": 0.3, "aggressive": 0.5, "high": 0.5}
"""Words for a taste of risk, and the largest drawdown that each stands for unless another is given."""


class _Named(BaseModel):
    """What names one symbol, or several."""

    symbol: str | None = None
    symbols: list[str] | None = None

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        Market(symbol=self.symbol, symbols=self.symbols)
        return self


class StrategyIn(_Named):
    """A strategy as it comes from outside.

    Attributes
    ----------
    name, description : str
        For people to read.
    asset_class : AssetClass
        What it trades.
    definition : dict or None
        What runs: a strategy or a template in its JSON form, `{"library": name}`, or `{"registered": name}`; target
        weights, `{"weights": {symbol: fraction}}`; or several strategies, `{"strategies": {name: {"definition": ...,
        "share": 0.6}}}`. Without one the strategy is a note that cannot run.
    parameters : dict
        Values of parameters, or their specifications (`type`, `min_value`, `max_value`, `choices`, `default`).
    code : str or None
        Source text that is kept for people to read, and never executed.
    symbol, symbols, interval, source : str, list of str or None
        What runs are made on unless they say otherwise; one symbol or several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    asset_class: AssetClass
    definition: dict[str, Any] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    code: str | None = None
    status: StrategyStatus = StrategyStatus.DRAFT
    interval: str | None = Field(default=None, validation_alias=AliasChoices("interval", "timeframe"))
    source: str | None = None
    created_by: str | None = None


class StrategyUpdate(_Named):
    """Changes of a strategy; what is left out stays as it is.

    `expected_version` is the version that the change was made from: if it is given and somebody was faster, nothing is
    changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    description: str | None = None
    asset_class: AssetClass | None = None
    definition: dict[str, Any] | None = None
    parameters: dict[str, Any] | None = None
    code: str | None = None
    status: StrategyStatus | None = None
    interval: str | None = Field(default=None, validation_alias=AliasChoices("interval", "timeframe"))
    source: str | None = None
    expected_version: int | None = None


class StrategyOut(BaseModel):
    """A stored strategy as it is answered."""

    model_config = ConfigDict(frozen=True)

    strategy_id: str
    version: int
    name: str
    description: str
    asset_class: AssetClass
    status: StrategyStatus
    parameters: dict[str, Any]
    definition: dict[str, Any] | None
    code: str | None
    symbol: str | None = None
    symbols: list[str] | None = None
    interval: str | None = None
    source: str | None = None
    created_by: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredStrategy) -> Self:
        """Return what is answered about a stored strategy."""
        names = ("version", "name", "description", "asset_class", "status", "definition", "code")
        parameters = dict(stored.parameters)
        market: Mapping[str, Any] = parameters.pop("market", {})
        stamps = {name: getattr(stored, name) for name in ("created_by", "created_at", "updated_at")}
        known = {name: getattr(stored, name) for name in names}
        return cls(strategy_id=stored.id, parameters=parameters, **known, **market, **stamps)


class ValidationAnswer(BaseModel):
    """Whether a strategy can run, and what is wrong with it if not.

    Attributes
    ----------
    is_valid : bool
        Whether it can run.
    errors, warnings : list of str
        What has to be mended, and what should be looked at.
    parameters : dict
        The parameters that it has, with their specifications where it has some.
    complexity, lookback : int or None
        Its parts, and the bars before everything in it is known; of text only.
    direction : str or None
        long, short or both.
    """

    model_config = ConfigDict(frozen=True)

    is_valid: bool
    errors: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    complexity: int | None = None
    lookback: int | None = None
    direction: str | None = None


class TemplateOut(BaseModel):
    """A strategy of the library: a name for `{"library": name}`, its text and its parameters."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    description: str
    parameters: dict[str, Any]
    definition: dict[str, Any]


# --- discovery ---


class DiscoveryConstraints(BaseModel):
    """What a discovered strategy has to meet on the search bars; see `SearchLimits`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_drawdown: float | None = None
    min_trades: int = 10
    complexity_max: int = Field(default=6, validation_alias=AliasChoices("complexity_max", "max_complexity"))
    directions: list[str] = Field(default_factory=lambda: ["long"])


class StrategyDiscoveryConfig(BacktestConfig):
    """What to search for, where, and how.

    Attributes
    ----------
    discovery_method : str
        `systematic`, or the name of a proposer that is set up, such as `ai_agent`.
    constraints : DiscoveryConstraints
        What a strategy has to meet.
    risk_level : str or None
        conservative, moderate or aggressive: a drawdown of 15, 30 or 50 % at most, unless the constraints say another.
    time_horizon : str or None
        For the proposer.
    n_candidates, rounds, finalists, holdout, gap, seed
        As in `discover`.

    Examples
    --------
    >>> config = StrategyDiscoveryConfig(asset_class="futures", timeframe="5m", risk_level="conservative")
    >>> config.interval, config.limits.max_drawdown
    ('5m', 0.15)
    """

    discovery_method: str = "systematic"
    constraints: DiscoveryConstraints = Field(default_factory=DiscoveryConstraints)
    risk_level: str | None = None
    time_horizon: str | None = None
    n_candidates: int = 500
    rounds: int = 1
    finalists: int = 10
    holdout: float = 0.3
    gap: int = 20
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        """Take the other body, whose fields stand in `criteria`."""
        if isinstance(given, Mapping) and isinstance(given.get("criteria"), Mapping):
            return {**given["criteria"], **{name: value for name, value in given.items() if name != "criteria"}}
        return given

    @model_validator(mode="after")
    def _known_risk(self) -> Self:
        if self.risk_level is not None and self.risk_level not in RISK_LEVELS:
            raise ValueError(f"risk_level is {self.risk_level!r}; expected one of {', '.join(RISK_LEVELS)}")
        return self

    @property
    def limits(self) -> SearchLimits:
        """What a strategy has to meet."""
        usual = RISK_LEVELS[self.risk_level] if self.risk_level else RISK_LEVELS["aggressive"]
        given = self.constraints
        return SearchLimits(
            max_drawdown=usual if given.max_drawdown is None else given.max_drawdown,
            min_trades=given.min_trades,
            complexity_max=given.complexity_max,
            directions=tuple(given.directions),
        )

    @property
    def discovery(self) -> dict[str, Any]:
        """The keywords of `discover` about the search."""
        hints = {
            "asset_class": None if self.asset_class is None else str(self.asset_class),
            "timeframe": self.interval, "risk_level": self.risk_level, "time_horizon": self.time_horizon,
        }  # fmt: skip
        names = ("n_candidates", "rounds", "finalists", "holdout", "gap", "seed")
        return {
            **{name: getattr(self, name) for name in names},
            "limits": self.limits,
            "hints": {name: value for name, value in hints.items() if value is not None},
        }


class DiscoveryRequest(StrategyDiscoveryConfig):
    """The body of `POST /strategies/discover` and of `POST /ai/strategies/discover`."""

    wait: Wait = False


class DiscoveryAnswer(BaseModel):
    """What became of a request for a discovery.

    Attributes
    ----------
    discovery_id, job_id : str
        What to ask with.
    strategies : list of dict
        The finalists, best first, each with its `strategy` in JSON form; empty while the search runs.
    verdict : str or None
        Whether the first of them is more than luck, in one sentence.
    """

    model_config = ConfigDict(frozen=True)

    discovery_id: str
    job_id: str | None = None
    status: State
    cached: bool = False
    strategies: list[dict[str, Any]] = Field(default_factory=list)
    verdict: str | None = None
    error: str | None = None


class DiscoveryStatus(DiscoveryAnswer):
    """Where a discovery stands; with its findings once it is done."""

    progress: float | None = None
    eta: datetime | None = None
    eta_seconds: float | None = None
    result: dict[str, Any] | None = None


# --- deployments ---


class DeployRequest(BaseModel):
    """The body of `POST /strategies/{id}/deploy`.

    Examples
    --------
    >>> DeployRequest(portfolio_id="port_00000000000000000000000000000001", allocation=0.2).mode
    <TradingMode.PAPER: 'paper'>
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    portfolio_id: str
    allocation: Decimal = Field(description="Share of the portfolio's equity, in (0, 1].")
    risk_limits: dict[str, float] = Field(default_factory=dict)
    mode: TradingMode = TradingMode.PAPER


class DeploymentOut(BaseModel):
    """A deployment as it is answered."""

    model_config = ConfigDict(frozen=True)

    deployment_id: str
    strategy_id: str
    strategy_version: int
    portfolio_id: str
    mode: TradingMode
    allocation: Decimal
    risk_limits: dict[str, Any]
    status: DeploymentStatus
    message: str | None
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Return what is answered about a deployment."""
        values = {name: getattr(deployment, name) for name in Deployment.__dataclass_fields__ if name != "id"}
        return cls(deployment_id=deployment.id, **values)
