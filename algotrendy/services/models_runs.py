"""What is asked of backtests, walks, simulations, optimisations and discoveries, and what is answered.

A config says what to run and on what; a request is a config with the strategy that it is for, as it comes from outside.
Names that the founding specification spells differently in different places are all understood.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from algotrendy.errors import InputError
from algotrendy.services.models_account import BacktestConfig

__all__ = [
    "BacktestAnswer",
    "BacktestBody",
    "BacktestRequest",
    "CompareRequest",
    "ComparisonAnswer",
    "MonteCarloAnswer",
    "MonteCarloConfig",
    "MonteCarloRequest",
    "OptimizationAnswer",
    "OptimizationBody",
    "OptimizationConfig",
    "OptimizationRequest",
    "ResultsAnswer",
    "StatusAnswer",
    "WalkForwardAnswer",
    "WalkForwardConfig",
    "WalkForwardRequest",
    "parsed",
]

_Model = TypeVar("_Model", bound=BaseModel)
Axes = list[str] | dict[str, list[float | int]]
Wait = bool | float


class _Searched(BacktestConfig):
    """What is chosen from, how, and by what."""

    parameters: Axes = Field(
        default_factory=list,
        description="Names, whose ranges the strategy's specifications give; or the values of each name. Of several "
        "strategies in one account: trend.fast, trend.allocation.",
    )
    method: str = Field(
        default="grid", validation_alias=AliasChoices("method", "optimization_method"),
        description="grid_search, random_search or bayesian.",
    )  # fmt: skip
    metric: str = Field(
        default="sharpe_ratio", validation_alias=AliasChoices("metric", "objective"),
        description="A metric, or an objective such as max_sharpe.",
    )  # fmt: skip
    where: str | None = Field(default=None, description='Which combinations to try: "fast < slow".')
    constraints: str | None = Field(default=None, description='Which may be the best: "max_drawdown < 0.3".')
    n_trials: int | None = None
    seed: int | None = None
    patience: int | None = None

    @field_validator("method")
    @classmethod
    def _method(cls, name: str) -> str:
        from algotrendy.backtest.sweep.methods import as_method

        return as_method(name)

    @field_validator("metric")
    @classmethod
    def _metric(cls, name: str) -> str:
        from algotrendy.backtest.sweep.methods import as_metric

        return as_metric(name)

    @property
    def search(self) -> dict[str, Any]:
        """The keywords of `optimize` about the search."""
        names = ("method", "metric", "where", "constraints", "n_trials", "seed", "patience")
        return {name: getattr(self, name) for name in names}

    @property
    def grid(self) -> Any:
        """What is chosen from, as `optimize` takes it."""
        return self.parameters or None


class OptimizationConfig(_Searched):
    """How to optimise, and on what.

    Examples
    --------
    >>> OptimizationConfig(parameters=["fast"], optimization_method="grid_search", objective="max_sharpe").metric
    'sharpe_ratio'
    >>> shares = {"trend.allocation": [0.4, 0.6], "mean.allocation": [0.4, 0.6]}
    >>> OptimizationConfig(parameters=shares, where="trend.allocation + mean.allocation == 1").grid == shares
    True
    """


class WalkForwardConfig(_Searched):
    """How to walk forward, and on what; windows count bars.

    Examples
    --------
    >>> WalkForwardConfig(parameters={"fast": [5, 10]}).windows["testing"]
    21
    """

    training_window: int = 252
    testing_window: int = 21
    step_size: int | None = Field(default=None, description="By default the testing window.")
    anchored: bool = False
    gap: int = 0
    carry: bool = False

    @property
    def windows(self) -> dict[str, Any]:
        """The keywords of `walk_forward` about the windows."""
        return {
            "training": self.training_window, "testing": self.testing_window, "step": self.step_size,
            "anchored": self.anchored, "gap": self.gap, "carry": self.carry,
        }  # fmt: skip


class MonteCarloConfig(BacktestConfig):
    """How to draw paths, and of what.

    Examples
    --------
    >>> MonteCarloConfig(num_simulations=500).simulation["paths"]
    500
    """

    num_simulations: int = Field(default=1000, validation_alias=AliasChoices("num_simulations", "paths"))
    time_horizon: int | None = Field(
        default=252, validation_alias=AliasChoices("time_horizon", "horizon"), description="Steps of each path."
    )
    confidence_level: float = Field(default=0.95, validation_alias=AliasChoices("confidence_level", "confidence"))
    method: str = "bootstrap"
    block: float | None = None
    ruin: float = 0.5
    seed: int = 0

    @property
    def simulation(self) -> dict[str, Any]:
        """The keywords of `monte_carlo`."""
        horizon = None if self.method in ("parameter_jitter", "trade_shuffle") else self.time_horizon
        return {
            "paths": self.num_simulations, "horizon": horizon, "confidence": self.confidence_level,
            "method": self.method, "block": self.block, "ruin": self.ruin, "seed": self.seed,
        }  # fmt: skip


# --- requests ---


class _Waits(BaseModel):
    """Whether to wait."""

    wait: Wait = Field(default=False, description="Wait for the result: yes, or so many seconds at most.")


class _Asked(_Waits):
    """Which strategy, and whether to wait."""

    strategy_id: str | None = Field(default=None, description="A stored strategy.")
    strategy_version: int | None = Field(default=None, description="One of its versions; the newest by default.")
    strategy: dict[str, Any] | None = Field(default=None, description="A definition, in place of a stored one.")

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        if (self.strategy_id is None) == (self.strategy is None):
            raise ValueError("say which strategy: strategy_id of a stored one, or a definition as strategy")
        if self.strategy_version is not None and self.strategy_id is None:
            raise ValueError("strategy_version is that of a stored strategy; give its strategy_id")
        return self


ASKED = ("strategy_id", "strategy_version", "strategy", "wait")


class BacktestRequest(_Asked, BacktestConfig):
    """The body of `POST /backtest`.

    Examples
    --------
    >>> BacktestRequest(strategy_id="strat_00000000000000000000000000000001", start_date="2020-01-01").slippage
    0.0001
    """


class OptimizationRequest(_Asked, OptimizationConfig):
    """The body of `POST /backtest/optimize`."""


class BacktestBody(_Waits, BacktestConfig):
    """The body of `POST /strategies/{id}/backtest`: the strategy stands in the path."""


class OptimizationBody(_Waits, OptimizationConfig):
    """The body of `POST /strategies/{id}/optimize`: the strategy stands in the path."""


class WalkForwardRequest(_Asked, WalkForwardConfig):
    """The body of `POST /backtest/walk-forward`."""


class MonteCarloRequest(_Asked, MonteCarloConfig):
    """The body of `POST /backtest/monte-carlo`."""


class CompareRequest(BaseModel):
    """The body of `POST /backtest/compare`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backtest_ids: list[str] = Field(min_length=2)
    metrics: list[str] | None = None


# --- answers ---

State = Literal["queued", "running", "completed", "failed", "cancelled"]


class _Started(BaseModel):
    """What became of a request: where it stands, and the result if it is there already.

    Attributes
    ----------
    job_id : str or None
        The job that does it, or did it; None if it was computed without one.
    status : str
        queued, running, completed, failed or cancelled.
    cached : bool
        Whether the result was there before: the same strategy on the same bars under the same assumptions.
    result : dict or None
        As in `ResultsAnswer.result`, if it is there.
    error : str or None
        Why it failed.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str | None = None
    status: State
    cached: bool = False
    result: dict[str, Any] | None = None
    error: str | None = None


class BacktestAnswer(_Started):
    """What became of a request for a backtest."""

    backtest_id: str


class OptimizationAnswer(_Started):
    """What became of a request for an optimisation."""

    optimization_id: str


class WalkForwardAnswer(_Started):
    """What became of a request for a walk."""

    walk_forward_id: str


class MonteCarloAnswer(_Started):
    """What became of a request for a simulation."""

    simulation_id: str


class StatusAnswer(BaseModel):
    """Where a run stands.

    Attributes
    ----------
    id, kind, job_id : str
        Which run.
    status : str
        queued, running, completed, failed or cancelled.
    progress : float or None
        Share that is done, 0 to 1.
    message : str or None
        What is being done.
    eta : datetime or None
        When it will be done, as far as one can tell.
    eta_seconds : float or None
        The same from now on.
    error : str or None
        Why it failed, or why its last attempt did.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    job_id: str | None = None
    status: State
    progress: float | None = None
    message: str | None = None
    eta: datetime | None = None
    eta_seconds: float | None = None
    error: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ResultsAnswer(BaseModel):
    """The result of a run; numbers that are not defined are None.

    Attributes
    ----------
    id, kind, job_id : str
        Which run.
    strategy_id, strategy_version : str, int or None
        The stored strategy, if it was one.
    definition, assumptions, metrics : dict
        What was tested, under which assumptions, and what came out.
    result : dict
        Everything else, by the kind of run: curves, trades, windows, quantiles, rows.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    job_id: str | None
    strategy_id: str | None
    strategy_version: int | None
    definition: dict[str, Any]
    assumptions: dict[str, Any]
    metrics: dict[str, Any]
    result: dict[str, Any]
    created_at: datetime


class ComparisonAnswer(BaseModel):
    """Runs side by side.

    Attributes
    ----------
    metrics : dict of str to dict
        By run, then by metric.
    best : dict of str to str
        The run that is best by each metric that can be better.
    correlation : dict of str to dict
        Of the returns, run by run.
    differences : dict of str to dict
        What the runs do not share, by fact, then by run.
    warnings : list of str
        Why the figures may not be comparable.
    """

    model_config = ConfigDict(frozen=True)

    metrics: dict[str, dict[str, float | None]]
    best: dict[str, str]
    correlation: dict[str, dict[str, float | None]]
    differences: dict[str, dict[str, str]]
    warnings: list[str]


def parsed(model: type[_Model], given: _Model | dict[str, Any]) -> _Model:
    """Return a request, whether it came as one or as plain values.

    Raises
    ------
    InputError
        If it is none: the message names each field that is wrong.

    Examples
    --------
    >>> parsed(CompareRequest, {"backtest_ids": ["bt_1"]})
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: backtest_ids: List should have at least 2 items after validation, not 1
    """
    if isinstance(given, model):
        return given
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" if each["loc"] else each["msg"]
            for each in error.errors()
        ]
        raise InputError("; ".join(faults).replace("Value error, ", "")) from error
