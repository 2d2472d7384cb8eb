"""From what the windows of several instruments chose to one joined account, and to the metrics of each window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from algotrendy.backtest.portfolio.run import rank_text, result_of, survivors_of
from algotrendy.backtest.stateful.loop import Leaves, Turn, run_bars, run_in_turn
from algotrendy.backtest.walk_forward.ground import Ground
from algotrendy.backtest.walk_forward.legs import Leg, closed, joined, metrics_between
from algotrendy.backtest.walk_forward.panel_window import Chosen, PanelDecided, PanelWorker, carried_leg, own_leg
from algotrendy.strategy import BarStrategy

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.arguments import AnyStrategy
    from algotrendy.backtest.portfolio.ledger import Ledger
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.walk_forward.mix_window import MixWorker

__all__ = ["Traded", "joined_mix", "joined_panel", "traded_legs"]


@dataclass(frozen=True, eq=False)
class Traded:
    """What came of the windows.

    Attributes
    ----------
    ledger : Ledger
        The joined account.
    measures : list of mapping
        The metrics of each window: without `carry` of the whole testing window.
    requests : DataFrame, optional
        The orders of a stateful strategy that had one account throughout.
    """

    ledger: Ledger
    measures: list[Mapping[str, float]]
    requests: pd.DataFrame | None = None


def joined_panel(
    decided: Sequence[Chosen], ends: Sequence[int], worker: PanelWorker, *, carry: bool
) -> tuple[PortfolioResult | None, list[Mapping[str, float]]]:
    """Return the joined account as a result, and the metrics of each window; as `traded_legs`."""
    if not decided:
        return None, []
    strategy, ground = worker.strategy, worker.ground
    traded = traded_legs(decided, ends, ground, strategy, carry=carry)
    told: dict[str, Any] = {"carry": carry}
    if not isinstance(strategy, BarStrategy):
        told |= {"max_positions": ground.places, "rank": rank_text(ground.rank)}
        warnings = survivors_of(ground.whole, ground.options.get("members"))
    else:
        warnings = ()
    found = result_of(traded.ledger, strategy.to_dict(), told=told, warnings=warnings, requests=traded.requests)
    return found, traded.measures


def joined_mix(
    decided: Sequence[Chosen], ends: Sequence[int], worker: MixWorker
) -> tuple[PortfolioResult | None, list[Mapping[str, float]]]:
    """Return the joined account of several strategies as a result, and the metrics of each window."""
    if not decided:
        return None, []
    ground, mix, told = worker.ground, worker.strategy, worker.told
    traded = _carried(worker.carried(decided, ends), decided, ends, ground) if worker.carry else None
    if traded is None:
        traded = _apart(decided, ends, ground, worker.leg)
    shown = {
        "carry": worker.carry,
        "allocations": {name: share for name, (_, share) in mix.parts.items()},
        "rebalance": "never" if told["rebalance"] is None else told["rebalance"],
        "max_positions": told["max_positions"],
        "rank": _rank_told(told["rank"]),
    }
    warnings = survivors_of(ground.whole, ground.options.get("members"))
    return result_of(traded.ledger, mix.to_dict(), told=shown, warnings=warnings), traded.measures


def _rank_told(rank: Any) -> Any:
    return {name: rank_text(each) for name, each in rank.items()} if isinstance(rank, Mapping) else rank_text(rank)


def traded_legs(
    decided: Sequence[Chosen], ends: Sequence[int], ground: Ground, strategy: AnyStrategy, *, carry: bool
) -> Traded:
    """Trade what the windows chose.

    Parameters
    ----------
    decided : sequence of Chosen
        The windows that are done; at least one.
    ends : sequence of int
        The bar before which each ends, where the next one takes over.
    ground : Ground
        All bars, conventions and costs.
    strategy : AnyStrategy
        What is given the values that were chosen.
    carry : bool
        One account throughout; else each window begins and ends flat.
    """
    if carry:
        requests = None
        if isinstance(strategy, BarStrategy):
            leg, requests = _carried_bars(decided, ends, ground, strategy)
        else:
            leg = carried_leg([each for each in decided if isinstance(each, PanelDecided)], ground, ends)
        return replace(_carried(leg, decided, ends, ground), requests=requests)
    return _apart(decided, ends, ground, lambda each, end: _leg(each, ground, strategy, end))


def _carried(leg: Leg, decided: Sequence[Chosen], ends: Sequence[int], ground: Ground) -> Traded:
    """Return one account throughout, measured in each window."""
    ledger, positions = joined([leg], ground), leg.positions
    begins = [each.window.test_begin - leg.begin for each in decided]
    spans = [(begin, end - leg.begin) for begin, end in zip(begins, ends, strict=True)]
    return Traded(ledger, [metrics_between(ledger, ground, positions, span) for span in spans])


def _apart(
    decided: Sequence[Chosen], ends: Sequence[int], ground: Ground, leg_of: Callable[[Any, int | None], Leg]
) -> Traded:
    """Return accounts of the windows, each up to where the next one takes over, as one; measured as a whole."""
    whole = [leg_of(each, None) for each in decided]
    cut = [
        leg if end == each.window.test_end else leg_of(each, end)
        for each, leg, end in zip(decided, whole, ends, strict=True)
    ]
    return Traded(joined(cut, ground), [joined([leg], ground).metrics()[0] for leg in whole])


def _leg(chosen: Chosen, ground: Ground, strategy: AnyStrategy, end: int | None) -> Leg:
    if isinstance(chosen, PanelDecided):
        return own_leg(chosen, ground, end)
    assert isinstance(strategy, BarStrategy)
    window, fill = chosen.window, ground.whole.options.fill
    part = ground.part(0, window.test_end if end is None else end)
    last = window.test_end - (2 if fill == "next_close" else 1) if end is None else end
    own = Leaves() if chosen.params is None else strategy.with_params(**chosen.params)
    done = run_bars(own, part.account, asked=(window.test_begin - (fill != "same_close"), last))
    return closed(Leg(done.ledger, part.columns, window.test_begin, window.test_begin))


def _carried_bars(
    decided: Sequence[Chosen], ends: Sequence[int], ground: Ground, strategy: BarStrategy
) -> tuple[Leg, pd.DataFrame]:
    """Return the one account of a stateful strategy: new parameters take over positions and open orders."""
    first, end = decided[0].window.test_begin, ends[-1]
    begins = [each.window.test_begin - (ground.whole.options.fill != "same_close") for each in decided]
    turns = [
        Turn(Leaves() if each.params is None else strategy.with_params(**each.params), begin, until)
        for each, begin, until in zip(decided, begins, [*begins[1:], end], strict=True)
    ]
    part = ground.part(0, end)
    done = run_in_turn(turns, part.account, {})
    return Leg(done.ledger, part.columns, first, first), done.requests
