"""A strategy that is asked bar by bar as one of several in an account: it has its share, which may be restored."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.stateful.loop import Session, StatefulRun, Turn, run_bars, run_in_turn
from algotrendy.backtest.stateful.run import further_columns

if TYPE_CHECKING:
    from algotrendy.backtest.portfolio.market import Account
    from algotrendy.backtest.portfolio.plans import StatefulPlan
    from algotrendy.domain.types import AnyArray, Float2D

__all__ = ["StatefulLedger", "StatefulWalker", "columns_of", "run_stateful"]


@dataclass(frozen=True, eq=False)
class StatefulLedger(Ledger):
    """The fills of one strategy that was asked bar by bar, with its orders.

    Attributes
    ----------
    run : StatefulRun
        What came of the run.
    """

    run: StatefulRun = field(kw_only=True)


def run_stateful(account: Account, plan: StatefulPlan) -> StatefulLedger:
    """Run one strategy on an account that has its share of the cash already, and keeps it."""
    columns = columns_of(account)
    if len(plan.turns) > 1:
        return _with_run(run_in_turn(plan.turns, account, columns))
    ((strategy, *asked),) = plan.turns or (Turn(plan.strategy, 0, account.n_bars),)
    return _with_run(run_bars(strategy, account, asked=(asked[0], asked[1]), columns=columns))


class StatefulWalker:
    """One such strategy on its way through the bars, from one restoring of the shares to the next.

    Parameters
    ----------
    account : Account
        With its share of the cash.
    plan : StatefulPlan
    """

    def __init__(self, account: Account, plan: StatefulPlan) -> None:
        turns = plan.turns or (Turn(plan.strategy, 0, account.n_bars),)
        self._session = Session(turns, account, columns_of(account))
        self._session.begin()
        self.curve: Float2D = self._session.blotter.walk.curve

    def walk(self, first: int, stop: int) -> bool:
        """Live through a stretch of bars."""
        self._session.go_on(first, stop)
        return True

    @property
    def is_ruined(self) -> bool:
        """Whether nothing is left."""
        from algotrendy.kernels.portfolio_events import RUINED_AT

        return bool(self._session.blotter.walk.counts[RUINED_AT] >= 0)

    def move(self, bar: int, cash: float, factor: float) -> None:
        """Take or give cash; what is held is resized by orders at market, and open orders change with it."""
        from algotrendy.kernels.portfolio_events import CASH_NOW

        blotter = self._session.blotter
        blotter.walk.money[CASH_NOW] += cash
        blotter.resize(bar, factor)

    def ledger(self) -> StatefulLedger:
        """Return what it did."""
        return _with_run(self._session.done())


def _with_run(done: StatefulRun) -> StatefulLedger:
    return StatefulLedger(**{each.name: getattr(done.ledger, each.name) for each in fields(Ledger)}, run=done)


def columns_of(account: Account) -> dict[str, AnyArray]:
    """Return the further columns of the bars that it sees: of one instrument all, of several none."""
    return further_columns(account.settings[0].bars) if account.n_instruments == 1 else {}
