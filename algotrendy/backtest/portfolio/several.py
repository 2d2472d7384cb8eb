"""`backtest` for several strategies: one account, in which each has its share; and the result of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from algotrendy.backtest.arguments import AnyStrategy
from algotrendy.backtest.portfolio.cross_sections import instruments_of, with_peers
from algotrendy.backtest.portfolio.ledger import Ledger
from algotrendy.backtest.portfolio.market import account_of, as_panel
from algotrendy.backtest.portfolio.members import members_of
from algotrendy.backtest.portfolio.plans import AnyPlan, Plan, StatefulPlan
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.portfolio.run import metrics_of, rank_text, result_of, survivors_of
from algotrendy.backtest.portfolio.signals import decided_by, places_of, rank_of, wishes_of
from algotrendy.backtest.portfolio.sleeves import Several, restored_at, run_sleeves
from algotrendy.backtest.run import check_size, described
from algotrendy.backtest.stateful.run import order_warnings
from algotrendy.backtest.stateful.sleeve import StatefulLedger
from algotrendy.domain.types import Float1D
from algotrendy.errors import InputError
from algotrendy.kernels.orders_types import PRICE, UNITS
from algotrendy.kernels.portfolio_types import CASH, EQUITY
from algotrendy.strategy import BarStrategy, Signals, Strategy
from algotrendy.strategy.parameter import is_number, nearest

__all__ = ["backtest_several", "by_name", "refuse_signal_options"]


def backtest_several(
    strategies: Mapping[str, tuple[AnyStrategy | Signals, float]],
    bars: Any,
    *,
    rebalance: str | int | None = None,
    max_positions: Any = None,
    rank: Any = None,
    members: Any = None,
    **options: Any,
) -> PortfolioResult:
    """Run several strategies, each with its share of one account; see `algotrendy.backtest`."""
    account = account_of(as_panel(bars), **options)
    inside = members_of(account, members)
    columns = [name for one, _ in strategies.values() if isinstance(one, Strategy) for name in one.columns]
    account = with_peers(account, instruments_of(account, inside, dict.fromkeys(columns)))
    plans: list[AnyPlan] = []
    told: dict[str, dict[str, Any]] = {}
    for name, (strategy, share) in strategies.items():
        most, chosen = (by_name(k, v, name, strategies) for k, v in (("max_positions", max_positions), ("rank", rank)))
        if isinstance(strategy, BarStrategy):
            refuse_signal_options(name, {"max_positions": max_positions, "rank": rank})
            plans.append(StatefulPlan(name, strategy, share))
            told[name] = {}
            continue
        check_size(strategy, account.options.max_leverage)
        places = places_of(most, account.n_instruments)
        params = {} if isinstance(strategy, Signals) else dict(strategy.parameters)
        decided = decided_by(account, strategy, places)
        wishes = wishes_of(account, decided.words, rank_of(account, chosen, params), inside)
        plans.append(Plan(name, strategy, share, decided, wishes, places))
        told[name] = {"max_positions": places, "rank": rank_text(chosen)}
    done = run_sleeves(account, plans, restored_at(account, rebalance))
    return _several_result(done, plans, told, rebalance, survivors_of(account, members))


def refuse_signal_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what a strategy that is asked bar by bar cannot follow.

    Raises
    ------
    InputError
        If there is such an option.
    """
    for option, value in options.items():
        if isinstance(value, Mapping) and name in value:
            raise InputError(f"{option} names {name!r}, a stateful strategy, which places its own orders: leave it out")


def by_name(option: str, value: Any, name: str, strategies: Mapping[str, Any]) -> Any:
    """Return an option of one strategy: of a mapping by name its own, else the one that is given for all."""
    if not isinstance(value, Mapping):
        return value
    for given in value:
        if given not in strategies:
            known = ", ".join(strategies)
            raise InputError(
                f"{option} names the strategy {given!r}; there are {known}{nearest(str(given), strategies)}"
            )
    return value.get(name)


def _several_result(
    done: Several,
    plans: Sequence[AnyPlan],
    told: Mapping[str, Mapping[str, Any]],
    rebalance: str | int | None,
    warnings: tuple[str, ...],
) -> PortfolioResult:
    """Return the result of several strategies: of the account, with that of each strategy inside."""
    sleeves = {}
    for k, plan in enumerate(plans):
        params = {} if isinstance(plan.strategy, Signals) else dict(plan.strategy.parameters)
        own: dict[str, Any] = {"params": {name: value for name, value in params.items() if is_number(value)}}
        own["told"] = {**told[plan.name], "share": plan.share, "rebalance": _schedule(rebalance)}
        part = done.parts[k]
        if isinstance(part, StatefulLedger):
            own |= {"requests": part.run.requests, "warnings": order_warnings(part.run)}
        sleeves[plan.name] = _sleeve_result(done, k, result_of(part, described(plan.strategy), **own))
    shares = {plan.name: plan.share for plan in plans}
    strategy = {
        "kind": "several",
        "strategies": {name: dict(sleeve.strategy) for name, sleeve in sleeves.items()},
        "allocations": shares,
    }
    several = {
        "allocations": shares,
        "rebalance": _schedule(rebalance),
        **{name: {key: each[name] for key, each in told.items() if name in each} for name in ("max_positions", "rank")},
    }
    account = result_of(done.total, strategy, told=several, warnings=(*warnings, *_doubts(done, plans)))
    return replace(account, sleeves=sleeves, reserve_values=done.reserve if done.reserve.any() else None)


def _schedule(rebalance: str | int | None) -> str | int:
    return "never" if rebalance is None else rebalance


def _sleeve_result(done: Several, k: int, own: PortfolioResult) -> PortfolioResult:
    """Return the result of one strategy; where cash came and went, its returns are those of its growth."""
    ledger, transfers, growth = done.parts[k], done.transfers[k], done.growth[k]
    if not transfers.any():
        return own
    grown = replace(ledger, curve=np.vstack([growth, ledger.curve[CASH:]]))
    metrics = metrics_of(grown)
    metrics["final_equity"] = float(ledger.curve[EQUITY, -1])
    metrics["turnover"] = _turnover(ledger)
    return replace(own, metrics=metrics, growth_values=growth, transfer_values=transfers)


def _turnover(ledger: Ledger) -> float:
    """Return what was traded in a year, over the mean equity; the equity is in currency, as what was traded is."""
    options, equity = ledger.account.options, ledger.curve[EQUITY]
    marked: Float1D = equity if options.marks is None else equity[options.marks]
    total = float(marked.sum())
    notional = float(np.abs(ledger.money[:, UNITS]) @ ledger.money[:, PRICE])
    return notional * options.periods_per_year / total if total > 0.0 else float("nan")


def _doubts(done: Several, plans: Sequence[AnyPlan]) -> tuple[str, ...]:
    """Return warnings about strategies that did nothing or were ruined, and about an account that had nothing left."""
    index, found = done.total.account.panel.index, []
    for plan, part in zip(plans, done.parts, strict=True):
        if isinstance(part, StatefulLedger):
            found += [f"{plan.name}: {warning}" for warning in order_warnings(part.run)]
        elif not len(part.fills.places):
            found.append(f"{plan.name} traded nothing: no entry was ever true, or there was no size for it")
        if part.ruined_at is not None:
            found.append(f"{plan.name} was ruined at {index[part.ruined_at]}; it takes no part afterwards")
    empty = np.flatnonzero(done.total.curve[EQUITY] <= 0.0)
    if len(empty) and done.total.ruined_at is None:
        found.append(f"the account had nothing left at {index[empty[0]]}, though not every strategy was ruined")
    return tuple(found)
