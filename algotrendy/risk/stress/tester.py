"""Scenarios on a book: what each would cost, position by position, and which limits it would break."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.risk.distributions import normal_tail
from algotrendy.risk.limits.limit import Limit, LimitKind, limits_from
from algotrendy.risk.stress.book import StressBook
from algotrendy.risk.stress.measures import MEASURES, measured
from algotrendy.risk.stress.monte_carlo import MonteCarloStress, monte_carlo_stress
from algotrendy.risk.stress.reverse import ReverseStress, reverse_stress
from algotrendy.risk.stress.scenarios import (
    AssetShock,
    CorrelationToOne,
    FactorShock,
    HistoricalWindow,
    LiquidityDays,
    StressScenario,
    UniformReturn,
    VolatilityMultiplier,
    scenario_from,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScenarioResult", "StressTestResult", "StressTester"]

_DAYS_MAX = 10_000


@dataclass(frozen=True, kw_only=True)
class ScenarioResult:
    """What a scenario would do to a book.

    Attributes
    ----------
    name, kind : str
        Of the scenario.
    profit : float
        In the book's currency; negative is a loss. Of a scenario that changes volatilities, correlations or the time to
        sell: minus the VaR under it.
    loss : float
        The same as a fraction of equity; positive is a loss.
    equity : float
        Afterwards.
    profits : mapping of str to float or None
        By position; they add up to `profit`. None: the book is repriced as a whole, or it is a VaR.
    value_at_risk, value_at_risk_before : float or None
        As fractions of equity, under the scenario and without it, where it is about that.
    worst_loss : float or None
        Of a window of history: the largest loss since its start, at any close in it.
    days : mapping of str to float or None
        Of a scenario of liquidity: how long selling each position takes.
    breached : tuple of str
        The limits that the book would break.
    """

    name: str
    kind: str
    profit: float
    loss: float
    equity: float
    profits: Mapping[str, float] | None = None
    value_at_risk: float | None = None
    value_at_risk_before: float | None = None
    worst_loss: float | None = None
    days: Mapping[str, float] | None = None
    breached: tuple[str, ...] = ()


@dataclass(frozen=True)
class StressTestResult:
    """The results of scenarios, in their order.

    Attributes
    ----------
    results : tuple of ScenarioResult
    """

    results: tuple[ScenarioResult, ...]

    @property
    def worst(self) -> ScenarioResult:
        """The scenario with the largest loss."""
        return max(self.results, key=lambda one: one.loss)

    def __getitem__(self, name: str) -> ScenarioResult:
        for one in self.results:
            if one.name == name:
                return one
        raise KeyError(name)

    def to_frame(self) -> pd.DataFrame:
        """Return a table, one row by scenario."""
        import pandas as pd

        columns = ("name", "kind", "profit", "loss", "equity", "value_at_risk", "worst_loss", "breached")
        return pd.DataFrame([[getattr(one, name) for name in columns] for one in self.results], columns=list(columns))


class StressTester:
    """Tries scenarios on books.

    Where a scenario is about volatility, correlation or liquidity, its loss is the VaR under it: normal returns with a
    mean of zero, at this confidence level and horizon.

    Parameters
    ----------
    confidence_level : float
        In (0.5, 1).
    horizon_days : float
        > 0; the volatility grows with its root.

    Examples
    --------
    >>> tester = StressTester()
    >>> book = StressBook(values={"A": 60_000.0, "B": -20_000.0}, equity=100_000.0)
    >>> scenarios, limits = [{"name": "market_crash", "returns": -0.2}], [{"kind": "daily_loss", "limit": "0.05"}]
    >>> result = tester.run(book, scenarios, limits)
    >>> round(result["market_crash"].loss, 4), result.worst.breached
    (0.08, ('daily_loss',))
    """

    def __init__(self, *, confidence_level: float = 0.95, horizon_days: float = 1.0) -> None:
        if not 0.5 < confidence_level < 1.0:
            raise InputError(f"confidence_level is {confidence_level}; expected a fraction in (0.5, 1), such as 0.95")
        if not (math.isfinite(horizon_days) and horizon_days > 0):
            raise InputError(f"horizon_days is {horizon_days}; expected more than 0")
        self.confidence_level, self.horizon_days = confidence_level, horizon_days
        self._quantile = normal_tail(0.0, 1.0, 1.0 - confidence_level).value_at_risk

    def run(
        self,
        book: StressBook,
        scenarios: Iterable[StressScenario | Mapping[str, Any]],
        limits: Iterable[Limit | Mapping[str, Any]] = (),
    ) -> StressTestResult:
        """Return what each scenario would do.

        Parameters
        ----------
        book : StressBook
            The portfolio.
        scenarios : iterable of scenarios
            Or of what JSON says of them; no two of the same name.
        limits : iterable of Limit
            Those of the kinds daily_loss, drawdown, gross_leverage, net_leverage, concentration and value_at_risk are
            looked at afterwards. Others a scenario does not change.

        Raises
        ------
        InputError
            If a scenario is none, or the book does not know what it needs.
        """
        given = tuple(map(scenario_from, scenarios))
        names = [one.name for one in given]
        if len(set(names)) < len(names):
            raise InputError(f"two scenarios have the same name; found {', '.join(names)}")
        known = limits_from(limits)
        return StressTestResult(tuple(self._try(one, book, known) for one in given))

    def monte_carlo(self, book: StressBook, n: int = 100_000, **options: Any) -> MonteCarloStress:
        """Simulate days of a book; see `monte_carlo_stress`."""
        options = {"confidence_level": self.confidence_level, "horizon_days": self.horizon_days, **options}
        return monte_carlo_stress(book, n, **options)

    def reverse(self, book: StressBook, **options: Any) -> ReverseStress:
        """Find the smallest shock that loses so much or breaks a limit; see `reverse_stress`."""
        return reverse_stress(book, **options)

    # --- one scenario of each kind ---

    @singledispatchmethod
    def _try(self, scenario: Any, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        raise InputError(f"{scenario!r} is no scenario")

    @_try.register
    def _(self, scenario: UniformReturn, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        return _shocked(scenario, book, np.full(len(book.symbols), scenario.returns), limits)

    @_try.register
    def _(self, scenario: AssetShock, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        unknown = sorted(set(scenario.shocks) - set(book.symbols))
        if unknown:
            held = ", ".join(book.symbols)
            raise InputError(f"scenario {scenario.name!r} shocks {', '.join(unknown)}, but the book holds {held}")
        returns = np.array([float(scenario.shocks.get(symbol, scenario.others)) for symbol in book.symbols])
        return _shocked(scenario, book, returns, limits)

    @_try.register
    def _(self, scenario: FactorShock, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        returns = np.zeros(len(book.symbols))
        for factor, value in scenario.shocks.items():
            returns += book.loadings(factor) * value
        return _shocked(scenario, book, np.maximum(returns, -1.0), limits)

    @_try.register
    def _(self, scenario: HistoricalWindow, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        path = _window(scenario, book)
        worst = max(max(-book.profit(returns) for returns in path) / book.equity, 0.0)
        return _shocked(scenario, book, path[-1], limits, worst_loss=worst)

    @_try.register
    def _(self, scenario: VolatilityMultiplier, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        return self._at_risk(scenario, book, book.matrix * scenario.volatility_multiplier**2, limits)

    @_try.register
    def _(self, scenario: CorrelationToOne, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        sides = np.sign(book.exposures) if scenario.hedges_fail else np.ones(len(book.symbols))
        spread = np.sqrt(np.diag(book.matrix)) * sides
        together = np.outer(spread, spread)
        return self._at_risk(
            scenario, book, (1.0 - scenario.strength) * book.matrix + scenario.strength * together, limits
        )

    @_try.register
    def _(self, scenario: LiquidityDays, book: StressBook, limits: tuple[Limit, ...]) -> ScenarioResult:
        missing = [symbol for symbol in book.symbols if not book.traded_values.get(symbol, 0.0) > 0.0]
        if missing:
            raise InputError(f"nobody knows how much {', '.join(missing)} is traded; give the book traded_values=")
        traded = np.array([book.traded_values[symbol] for symbol in book.symbols])
        days = np.abs(book.exposures) / (traded * scenario.participation * scenario.volume_multiplier)
        n = max(math.ceil(float(days.max()) - 1e-9), 1)
        if n > _DAYS_MAX:
            slowest = book.symbols[int(np.argmax(days))]
            raise InputError(f"selling {slowest} would take {n} days; look at traded_values, the limit is {_DAYS_MAX}")
        share = np.maximum(1.0 - np.arange(n)[:, None] / np.maximum(days, 1e-300), 0.0)
        left = np.where(days > 0.0, share, 0.0) * book.exposures
        variance = float(np.einsum("ti,ij,tj->", left, book.matrix, left))
        after = self._quantile * math.sqrt(max(variance, 0.0)) / book.equity
        found = dict(zip(book.symbols, days.tolist(), strict=True))
        return self._risk_result(scenario, book, after, limits, days=found)

    # --- results ---

    def _at_risk(
        self, scenario: StressScenario, book: StressBook, matrix: Float2D, limits: tuple[Limit, ...]
    ) -> ScenarioResult:
        return self._risk_result(scenario, book, self._value_at_risk(book, matrix), limits)

    def _value_at_risk(self, book: StressBook, matrix: Float2D) -> float:
        _check_linear(book)
        variance = float(book.exposures @ matrix @ book.exposures)
        return self._quantile * math.sqrt(max(variance, 0.0) * self.horizon_days) / book.equity

    def _risk_result(
        self, scenario: StressScenario, book: StressBook, after: float, limits: tuple[Limit, ...], **more: Any
    ) -> ScenarioResult:
        kinds = (LimitKind.VALUE_AT_RISK, LimitKind.DAILY_LOSS)
        return ScenarioResult(
            name=scenario.name, kind=scenario.kind, profit=0.0 - after * book.equity, loss=after,
            equity=book.equity * (1.0 - after), value_at_risk=after,
            value_at_risk_before=self._value_at_risk(book, book.matrix),
            breached=tuple(limit.name for limit in limits if limit.kind in kinds and after > float(limit.limit)),
            **more,
        )  # fmt: skip


def _shocked(
    scenario: StressScenario,
    book: StressBook,
    returns: Float1D,
    limits: tuple[Limit, ...],
    *,
    worst_loss: float | None = None,
) -> ScenarioResult:
    profit = book.profit(returns)
    parts = None
    if book.reprice is None:
        parts = dict(zip(book.symbols, (book.exposures * returns).tolist(), strict=True))
    return ScenarioResult(
        name=scenario.name, kind=scenario.kind, profit=profit, loss=0.0 - profit / book.equity,
        equity=book.equity + profit, profits=parts, worst_loss=worst_loss,
        breached=tuple(
            limit.name
            for limit in limits
            if limit.kind in MEASURES and measured(limit.kind, book, returns) > float(limit.limit)
        ),
    )  # fmt: skip


def _window(scenario: HistoricalWindow, book: StressBook) -> Float2D:
    """Return what each instrument had returned since the start, at each close of a window."""
    history = book.history
    if history is None:
        raise InputError(f"scenario {scenario.name!r} looks back, but the book has no history; give history=returns")
    columns, betas = [], []
    for symbol in book.symbols:
        column, beta = scenario.proxies.get(symbol, (symbol, 1.0))
        if column not in history.columns:
            raise InputError(
                f"the history has no returns of {column}; add them, or name a proxy: "
                f"proxies={{{symbol!r}: ('SPX', 1.0)}}"
            )
        columns.append(column)
        betas.append(beta)
    dates = [moment.date() for moment in history.index]
    inside = np.array([scenario.start < date <= scenario.end for date in dates], dtype=bool)
    if not dates or dates[0] > scenario.start or dates[-1] < scenario.end or not inside.any():
        reach = f"{dates[0]} to {dates[-1]}" if dates else "nothing"
        raise InputError(
            f"the history has {reach}; scenario {scenario.name!r} needs {scenario.start} to {scenario.end}"
        )
    table = history.loc[inside, columns].to_numpy(dtype=np.float64) * np.array(betas)
    if not np.isfinite(table).all():
        wholes = np.isfinite(table).all(axis=0)
        broken = sorted({column for column, is_whole in zip(columns, wholes, strict=True) if not is_whole})
        raise InputError(f"the returns of {', '.join(broken)} have gaps in that window; fill them, or name proxies")
    found: Float2D = np.cumprod(1.0 + np.maximum(table, -1.0), axis=0) - 1.0
    return found


def _check_linear(book: StressBook) -> None:
    if book.reprice is not None:
        raise InputError(
            "a VaR by covariance is of linear books, and this one has reprice=; "
            "use monte_carlo, which reprices each day"
        )
