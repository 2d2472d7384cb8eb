"""Deployments: which strategy may trade which share of a portfolio, and whether its orders are real."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from algotrendy.errors import ConfigError, Conflict, InputError
from algotrendy.storage.deployments import DeploymentStatus, TradingMode
from algotrendy.storage.ids import uuid_of
from algotrendy.storage.strategies import StrategyStatus
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    from algotrendy.config import Settings
    from algotrendy.services.models_strategies import DeployRequest
    from algotrendy.storage.deployments import Deployment, DeploymentStore
    from algotrendy.storage.strategies import StoredStrategy

__all__ = ["StrategyDeployer"]


class StrategyDeployer:
    """Puts strategies to work: on paper, unless two settings agree that orders may be real.

    It keeps the record. What trades by it is the engine of orders, which moves a deployment from created to running;
    where none runs, a deployment stays created.

    Parameters
    ----------
    deployments : DeploymentStore
        The record.
    settings : Settings
        `trading_mode` and `live_trading` have to say live both.
    """

    def __init__(self, deployments: DeploymentStore, settings: Settings) -> None:
        self._deployments, self._settings = deployments, settings

    def deploy(self, strategy: StoredStrategy, request: DeployRequest) -> Deployment:
        """Keep a deployment of the present version of a strategy.

        Raises
        ------
        ConfigError
            If orders are to be real and the settings do not both allow it.
        Conflict
            If the strategy is archived, or there is not so much left of the portfolio.
        InputError
            If the allocation, a limit or the portfolio is none.
        """
        uuid_of("port", request.portfolio_id)
        self._check_mode(request.mode)
        for name, value in request.risk_limits.items():
            if not name.isidentifier() or not is_number(value) or not 0.0 < value < float("inf"):
                raise InputError(f"risk limit {name!r} is {value!r}; expected a name and a number above zero")
        if strategy.status is StrategyStatus.ARCHIVED:
            raise Conflict(f"{strategy.id} is archived; make it active first")
        return self._deployments.create(
            strategy.id,
            request.portfolio_id,
            allocation=request.allocation,
            risk_limits=request.risk_limits,
            mode=request.mode,
            most=Decimal(1),
        )

    def stop(self, deployment_id: str, reason: str = "stopped on request") -> Deployment:
        """End a deployment; one that has ended already is a Conflict."""
        return self._deployments.move(deployment_id, "stopped", reason)

    def pause(self, deployment_id: str, reason: str = "paused on request") -> Deployment:
        """Let a deployment place no orders until it is resumed; it keeps its share. Ended ones are a Conflict."""
        return self._deployments.move(deployment_id, "paused", reason)

    def resume(self, deployment_id: str, reason: str = "resumed on request") -> Deployment:
        """Let a paused deployment go on: to running if it ran before, else to created, where it is taken up.

        Raises
        ------
        Conflict
            If it is not paused.
        """
        before = self._deployments.get(deployment_id)
        if before.status is not DeploymentStatus.PAUSED:
            raise Conflict(f"{deployment_id} is {before.status}; only a paused one can be resumed")
        wanted = DeploymentStatus.CREATED if before.started_at is None else DeploymentStatus.RUNNING
        return self._deployments.move(deployment_id, wanted, reason)

    def _check_mode(self, mode: TradingMode) -> None:
        if mode is TradingMode.LIVE and not self._settings.allows_live:
            raise ConfigError(
                f"live trading is off: trading_mode is {self._settings.trading_mode!r} and live_trading is "
                f"{self._settings.live_trading}; both ALGOTRENDY_TRADING_MODE=live and ALGOTRENDY_LIVE_TRADING=true "
                "have to be set, or deploy on paper"
            )
